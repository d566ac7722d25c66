"""Every building's folder: settled and written some buildings at a time, and for a large city on every core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

from planner.beside import LARGE, cores, in_order, part_size
from planner.cleared import Cleared, ClearedBuilding
from planner.ledger.building_case import write_building_cases
from planner.ledger.building_tables import write_buildings
from planner.ledger.by_building import CaseByBuilding, CaseOfBlock
from planner.ledger.certificate import fingerprints
from planner.ledger.tables import Clock
from planner.settlement import Ledgers
from planner.stretches import CELLS, blocks
from planner_models.words import City


class Block(NamedTuple):
    """Some buildings' day and what their cases are made of."""

    buildings: Sequence[ClearedBuilding]
    case: CaseOfBlock


def write_blocks(root: Path, cleared: Cleared, ledgers: Ledgers, case: Any, city: City) -> dict[str, str]:
    """buildings/<id>/ of all in the run folder ``root``; whichever process writes one, its bytes are the same.

    Returns the fingerprints of their tables.  Raises LedgerNotBalancedError if a ledger does not close.
    """
    cells = sum(len(building.units) + 1 for building in cleared.buildings) * len(cleared.starts)
    processes = cores() if cells >= LARGE else 1
    held = list(blocks(cleared.buildings, part_size(cells, processes, CELLS)))
    write = _Writer(root, cleared.without_buildings(), ledgers.apart(), Clock(cleared.starts, case.settings.timezone))
    found: dict[str, str] = {}
    for prints in in_order(write, _Blocks(held, CaseByBuilding(case, city)), processes):
        found |= prints
    return found


class _Blocks(Sequence[Block]):
    """Blocks whose cases are taken from the city's one at a time."""

    def __init__(self, held: Sequence[Sequence[ClearedBuilding]], parted: CaseByBuilding) -> None:
        self._held, self._parted = held, parted

    @overload
    def __getitem__(self, i: int) -> Block: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Block]: ...
    def __getitem__(self, i: int | slice) -> Block | Sequence[Block]:
        if isinstance(i, slice):
            return _Blocks(self._held[i], self._parted)
        return Block(self._held[i], self._parted.block([building.building for building in self._held[i]]))

    def __len__(self) -> int:
        return len(self._held)


@dataclass(frozen=True)
class _Writer:
    """Settles a block and writes its folders; knows no building but those of the block."""

    root: Path
    cleared: Cleared
    ledgers: Ledgers
    clock: Clock

    def __call__(self, block: Block) -> dict[str, str]:
        parts = [f"buildings/{building.building}" for building in block.buildings]
        roots = [self.root / part for part in parts]
        write_buildings(roots, block.buildings, self.cleared, self.ledgers.block(block.buildings), self.clock)
        write_building_cases([root / "case" for root in roots], block.case, self.cleared, block.buildings)
        return {name: found for part in parts for name, found in fingerprints(self.root, part).items()}
