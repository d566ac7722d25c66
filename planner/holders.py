"""Holders apart: what a clear of one machine holds together, parted among those it belongs to."""

from __future__ import annotations

from pathlib import Path

from planner.case import Case
from planner.contracts import contract_prices
from planner.groups import Group, release_groups
from planner.ledger import Parting, write_holders
from planner.preparation import prepare
from planner.provenance import look_back
from planner.security.policy import PRESETS


def split(case: Case, out: Path) -> tuple[Group, ...]:
    """Write a public market folder and a private folder per building below ``out``, and give the release groups.

    What a policy allocates is worked out here, once, with the whole case at hand; a building's own history stays
    with it as readings, to be forecast from there.  Raises InvalidInput with every problem at once.
    """
    provenance = look_back(case)
    city = prepare(case, provenance.tomorrow)
    groups = release_groups(city, PRESETS[case.settings.privacy.preset])
    metered = None if provenance.metered is None else provenance.metered.table
    write_holders(out, Parting(case, city, groups, metered, contract_prices(case, city)))
    return groups
