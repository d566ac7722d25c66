"""C21 and C24: the certificate claims a bound and gaps that hold, and is that of these files: counts and digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.objective import RELATIVE, building_cost, number
from planner.audit.reading import read_parquet
from planner.audit.table import DamagedFileError, MissingFileError

FILE = "certificate.json"
OF_MARKET = (
    *("prices.csv", "positions.csv", "groups.csv", "exchange.csv", "acceptances.csv", "flows.csv", "settlement.csv"),
    "offers.csv",
)
OF_BUILDING = ("units.csv", "position.csv", "dispatch.parquet", "trades.csv", "settlement.csv", "statements.csv")
NOT_DECIDED = ("rounds.csv", "forecast.csv", "readings.csv", "roster.csv")
"""Tables that tell how an answer came about: no part of the digest."""


def check_gap(run: Evidence, found: Findings) -> None:
    """The bound is below the objective; the gaps follow from both and from the savings."""
    c = run.certificate
    if c.get("bound") is None:
        raise MissingFileError(f"{FILE} states no bound")
    objective, bound = number(c, "objective", FILE), number(c, "bound", FILE)
    slack = RELATIVE * max(1.0, abs(objective))
    if not bound <= objective + slack:
        found.add("C21", FILE, "the bound is above the objective", bound, objective, name="bound")
    gap = number(c, "gap_absolute", FILE)
    if not abs(gap - max(0.0, objective - bound)) <= slack:
        found.add("C21", FILE, "not objective minus bound", gap, objective - bound, name="gap_absolute")
    _ratio(c, "gap_relative", gap, max(abs(objective), 1e-9), found)
    if c.get("savings") is not None and number(c, "savings", FILE) > 0:
        _ratio(c, "gap_of_savings", gap, number(c, "savings", FILE), found)


def _ratio(c: dict[str, Any], name: str, gap: float, of: float, found: Findings) -> None:
    stated, expected = number(c, name, FILE), gap / of
    if not abs(stated - expected) <= RELATIVE * max(1.0, abs(expected)):
        found.add("C21", FILE, "not the gap over what it is measured by", stated, expected, name=name)


def check_counts(run: Evidence, found: Findings) -> None:
    """Units, groups, the cost of dark buildings and the pieces of the clear are those of the files."""
    _check_buildings(run, found)
    buildings = run.complete()
    groups = {b.group: b.dark for b in buildings}
    expected = {
        "units": sum(len(b.units) for b in buildings),
        "groups_released": sum(not dark for dark in groups.values()),
        "groups_dark": sum(groups.values()),
    }
    for name, right in expected.items():
        if (stated := number(run.certificate, name, FILE)) != right:
            found.add("C24", FILE, "not the number in the files", stated, right, name=name)
    dark, stated = sum(building_cost(b) for b in buildings if b.dark), number(run.certificate, "dark_cost", FILE)
    if not abs(stated - dark) <= RELATIVE * max(1.0, abs(dark)):
        found.add("C24", FILE, "not the cost of the dark buildings", stated, dark, name="dark_cost")
    if (pricing := run.certificate.get("pricing")) != run.terms.pricing:
        found.add("C24", FILE, "not the pricing of the case", pricing, run.terms.pricing, name="pricing")
    _check_pieces(run, found)


def _check_buildings(run: Evidence, found: Findings) -> None:
    """A whole run holds every building it claims; a holder's part, without the others, says nothing of them."""
    books = (run.root / "market" / "settlement.csv").is_file()  # no building is handed the market's ledger
    whole = not run.part and books and (run.root / "buildings").is_dir()
    stated = run.certificate.get("buildings")
    if whole and stated != len(run.buildings):
        found.add("C24", FILE, "not the number in the files", stated, len(run.buildings), name="buildings")


def _check_pieces(run: Evidence, found: Findings) -> None:
    """Every interval of the horizon lies in exactly one piece."""
    covered = np.zeros(len(run.grid), dtype=int)
    pieces = run.certificate.get("pieces")
    if not isinstance(pieces, list):
        raise DamagedFileError(FILE, "pieces is no list")
    for piece in pieces:
        first, last = (int(number(piece, f"{end}_interval", FILE)) for end in ("first", "last"))
        if not 1 <= first <= last <= len(covered):
            found.add(
                "C24", FILE, "a piece outside the horizon", f"{first}..{last}", f"1..{len(covered)}", name="pieces"
            )
        covered[max(first, 1) - 1 : last] += 1
    wrong = np.flatnonzero(covered != 1)
    if len(wrong):
        found.add("C24", FILE, "not one piece for every interval", covered[wrong[0]], 1, interval=int(wrong[0]) + 1)


def check_digest(run: Evidence, found: Findings) -> None:
    """No table was changed, added or taken away since the certificate was written."""
    run.complete()
    known: dict[str, str] = {}
    for b in run.buildings:
        known.update(b.prints or {})
    digest = hashlib.sha256()
    for name in _payload(run.root, ("market", "buildings")):
        digest.update(f"{name} {known.get(name) or _fingerprint(run, name)}\n".encode())
    stated = run.certificate.get("output_sha256")
    if stated != digest.hexdigest():
        if missing := [name for name in _expected(run) if not run.path(name).is_file()]:
            raise MissingFileError(f"{missing[0]} is missing")
        found.add("C24", FILE, "the tables are not those it was written for", stated, digest.hexdigest(), name="digest")
    case = run.certificate.get("case_sha256")
    own = hashlib.sha256(f"{case}{stated}".encode()).hexdigest()[:16]
    if run.certificate.get("run_id") != own:
        found.add("C24", FILE, "not the id of this input and output", run.certificate.get("run_id"), own, name="run_id")


def _expected(run: Evidence) -> Iterator[str]:
    """The tables that every run has, by their path in it."""
    for folder, tables in (("market", OF_MARKET), *((b.folder, OF_BUILDING) for b in run.buildings)):
        yield from (f"{folder}/{name}" for name in tables)
        if len(run.grid) > run.grid.settled:
            ahead = ("prices.csv", "positions.csv", "exchange.csv", "flows.csv", *OF_BUILDING[:3])
            yield from (f"{folder}/look_ahead/{name}" for name in tables if name in ahead)


def fingerprints(b: Building) -> dict[str, str]:
    """SHA-256 of what each of a building's tables says, worked out while these are at hand."""
    if b.prints is None:
        b.prints = {name: _fingerprint(b.run, name) for name in _payload(b.run.root, (b.folder,))}
    return b.prints


def _payload(root: Path, parts: Sequence[str]) -> Iterator[str]:
    """Every table of the answer by its path in the run, sorted in each part; the input beside it is no answer."""
    for part in parts:
        found = []
        for folder, folders, files in os.walk(root / part):
            folders[:] = [name for name in folders if name != "case"]
            above = Path(folder).relative_to(root).as_posix()
            found += [f"{above}/{f}" for f in files if f.endswith((".csv", ".parquet")) and f not in NOT_DECIDED]
        yield from sorted(found)


def _fingerprint(run: Evidence, name: str) -> str:
    return hashlib.sha256(_content(run, name)).hexdigest()


def _content(run: Evidence, name: str) -> bytes:
    """A CSV's bytes; a parquet's rows as CSV, quoted only where that is needed."""
    path = run.root / name
    if path.suffix == ".csv":
        return path.read_bytes()
    table = run.at_hand(name) or read_parquet(path, name)
    try:
        return table.as_csv()
    except pa.ArrowInvalid:
        raise DamagedFileError(name, "its rows cannot be written as CSV") from None
