"""The run folder: the only place that writes one, and the value that reads one back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from planner.cleared import Cleared
from planner.ledger.blocks import write_blocks
from planner.ledger.case_rows import allocated_wh
from planner.ledger.certificate import certificate, fingerprint, output_sha256
from planner.ledger.documents import write_json
from planner.ledger.folder import PRIVATE, add_file, begin, open_partial, publish, refuse_taken
from planner.ledger.holders import Parting, write_holders
from planner.ledger.market_case import write_market_case
from planner.ledger.market_tables import write_market
from planner.ledger.orderbook import rule_folders, write_market_run
from planner.ledger.outbox import write_outbox
from planner.ledger.parts import write_building_part, write_market_part
from planner.ledger.round_log import RoundLog
from planner.ledger.run import Run, read_run, read_table
from planner.ledger.sharing import share
from planner.ledger.tables import Clock, ledger_bytes, write_ledger
from planner.settlement import Settled
from planner_models.words import City

__all__ = [
    "COHORT_BOOK",
    "Parting",
    "RoundLog",
    "Run",
    "add_file",
    "begin",
    "ledger_bytes",
    "open_partial",
    "output_sha256",
    "publish",
    "read_run",
    "read_table",
    "refuse_taken",
    "rule_folders",
    "share",
    "write_building_part",
    "write_holders",
    "write_market_part",
    "write_market_run",
    "write_run",
]


COHORT_BOOK = "cohort.csv"
"""The book of a cohort, in the folder of the building whose gateway speaks for it."""


def write_run(
    out: Path,
    cleared: Cleared,
    settled: Settled,
    case: Any,
    city: City,
    *,
    envelopes: Mapping[str, Sequence[bytes]] | None = None,
    privacy: Mapping[str, Any] | None = None,
    groups: Iterable[Any] = (),
    offers: pd.DataFrame | None = None,
    extra: Mapping[str, str | bytes] | None = None,
    force: bool = False,
) -> Path:
    """Write the whole run folder and give its path.

    ``envelopes`` holds each group's signed envelopes as sent, ``groups`` the release groups (id, kind, feeders) where
    known, ``offers`` rows for market/offers.csv beside electricity's, ``extra`` further files by name.  Raises
    InvalidInput if ``out`` is taken; ``force`` replaces a run, and only a run.
    """
    partial = open_partial(out, force=force)
    clock = Clock(cleared.starts, case.settings.timezone)
    write_market(partial / "market", cleared, settled, groups, offers, clock)
    allocated = {building.building: allocated_wh(building) for building in cleared.buildings}
    write_market_case(partial / "market" / "case", case, city, cleared, allocated)
    (partial / "buildings").mkdir(mode=PRIVATE)
    prints = write_blocks(partial, cleared, settled.buildings, case, city)
    for keeper, frame in settled.cohorts.items():
        book = f"buildings/{keeper}/{COHORT_BOOK}"
        write_ledger(partial / book, frame, clock)
        prints[book] = fingerprint(partial / book)
    write_outbox(partial / "outbox", envelopes or {})
    write_json(partial / "privacy.json", privacy or {})
    write_json(partial / "certificate.json", certificate(partial, cleared, case, settled.totals, prints))
    for name, content in sorted((extra or {}).items()):
        add_file(partial, name, content)
    return publish(partial, out, force=force)
