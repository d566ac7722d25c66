"""What left the buildings, under which rules, and what of it could be undone: reports, trials and attacks."""
