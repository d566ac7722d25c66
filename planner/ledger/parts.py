"""A run written where it was made: the marketplace's part by the marketplace, a building's part by its gateway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from planner.cleared import Cleared
from planner.groups import Group
from planner.ledger.building_case import write_building_cases
from planner.ledger.building_tables import write_buildings
from planner.ledger.by_building import CaseByBuilding
from planner.ledger.certificate import certificate
from planner.ledger.documents import write_json
from planner.ledger.folder import PRIVATE, add_file, open_partial, publish
from planner.ledger.market_case import write_market_case
from planner.ledger.market_tables import write_market
from planner.ledger.outbox import write_outbox
from planner.ledger.tables import Clock
from planner.settlement import BlockLedger, Settled
from planner_models.words import City


def write_market_part(
    out: Path,
    cleared: Cleared,
    settled: Settled,
    case: Any,
    city: City,
    groups: Iterable[Group],
    envelopes: Mapping[str, Sequence[bytes]],
    extra: Mapping[str, bytes],
) -> Path:
    """A run folder without buildings; ``cleared.buildings`` stand for groups, ``city`` is that of the market folder."""
    partial = open_partial(out)
    clock = Clock(cleared.starts, case.settings.timezone)
    write_market(partial / "market", cleared, settled, groups, None, clock)
    allocated = {b.id: np.rint(np.array(b.allocation_kwh) * 1000).astype(np.int64) for b in city.buildings}
    write_market_case(partial / "market" / "case", case, city, cleared, allocated)
    write_outbox(partial / "outbox", envelopes)
    told = certificate(partial, cleared, case, settled.totals)
    write_json(partial / "certificate.json", told | {"units": None, "buildings": len(city.buildings)})
    for name, content in sorted(extra.items()):
        add_file(partial, name, content)
    return publish(partial, out)


def write_building_part(
    out: Path, cleared: Cleared, ledger: BlockLedger, case: Any, city: City, extra: Mapping[str, str]
) -> Path:
    """The folder of the only building there is, as it would lie in a run."""
    partial = open_partial(out)
    partial.chmod(PRIVATE)
    write_buildings([partial], cleared.buildings, cleared, ledger, Clock(cleared.starts, case.settings.timezone))
    own = CaseByBuilding(case, city).block([building.building for building in cleared.buildings])
    write_building_cases([partial / "case"], own, cleared, cleared.buildings)
    for name, content in sorted(extra.items()):
        add_file(partial, name, content)
    return publish(partial, out)
