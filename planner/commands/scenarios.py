"""Commands that compare: what-if."""

COMMANDS: dict[str, object] = {}
