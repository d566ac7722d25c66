"""Each party's part of a run, as a zip: what belongs to it and nothing of the others.

| party | gets |
|---|---|
| market | market/, the outbox, the certificate |
| building:ID | buildings/ID/, its group's outbox, the public prices, the certificate |
| unit:ID | its rows of its building's tables and case, the public prices, the certificate |
| auditor | certificate, audit, outside privacy report, roster and policy, the sealed outbox, a digest of every table |

The same run gives the same bytes: names sorted, no clock, nothing compressed.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from planner.ledger.certificate import fingerprints
from planner.ledger.run import Run
from planner.problems import InvalidInput, Problem, suggest

Files = Iterator[tuple[str, bytes]]
PARTIES = ("market", "building:ID", "unit:ID", "auditor")
ROSTER = "market/roster.json"
PUBLIC = ("certificate.json", "market/prices.csv", "market/look_ahead/prices.csv", ROSTER)
PROVEN = ("bound", "gap_absolute", "gap_relative", "gap_of_savings", "lost_opportunity_cost")
"""What a certificate says of the least that buildings could have paid: a sum over the groups that trade."""
GROUPS_OF_A_BOUND = 5
"""Bounds leave as sums over so many groups or not at all (formulation 3, disclosure)."""
FOR_AUDITOR = (
    "certificate.json",
    "audit.json",
    "market/privacy.json",
    ROSTER,
    "market/case/case.toml",
    "market/groups.csv",
)
OF_UNIT = ("units.csv", "dispatch.parquet", "statements.csv", "look_ahead/units.csv", "look_ahead/dispatch.parquet")
ROWS_OF_NODE = (
    *("loads", "solar", "wind", "batteries", "vehicles", "appliances", "flexible", "generators"),
    *("allocations", "listings", "limits"),
)
SHARED_ROWS = ("tariffs.csv", "resources.csv")


def share(run: Run, party: str, out: Path) -> tuple[str, ...]:
    """Write the party's part to the zip ``out`` and give the names in it; raises InvalidInput for nobody's part."""
    files = sorted(_part(run, party))
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content)
    return tuple(name for name, _ in files)


def _part(run: Run, party: str) -> Files:
    kind, _, name = party.partition(":")
    if kind == "market" and not name:
        return _market(run)
    if kind == "auditor" and not name:
        return _auditor(run)
    if kind == "building" and name:
        return _building(run, _known(name, run.buildings, "building"))
    if kind == "unit" and name:
        return _unit(run, name)
    raise InvalidInput([Problem("share", 0, "no such party", party, f"one of {', '.join(PARTIES)}")])


def _known(name: str, names: tuple[str, ...], what: str) -> str:
    if name not in names:
        raise InvalidInput([Problem("share", 0, f"no {what} of this run", name, suggest(name, names))])
    return name


def _market(run: Run) -> Files:
    yield from _named(run, ("certificate.json",))
    yield from _below(run, "market")
    yield from _below(run, "outbox")


def _building(run: Run, name: str) -> Files:
    yield from _named(run, PUBLIC)
    yield from _below(run, f"buildings/{name}")
    group = json.loads((run.folder / "buildings" / name / "answer.json").read_bytes())["group"]
    yield from _named(run, (f"outbox/{group}.jsonl",))


def _auditor(run: Run) -> Files:
    yield from _named(run, FOR_AUDITOR)
    yield from _below(run, "outbox")
    prints = fingerprints(run.folder, "market") | fingerprints(run.folder, "buildings")
    yield "sha256.txt", "".join(f"{found}  {name}\n" for name, found in prints.items()).encode()


def _unit(run: Run, unit: str) -> Files:
    """Rows that name the unit; what its building is or does as a whole stays there."""
    home = next((b for b in run.buildings if unit in _units(run, b)), None)
    if home is None:
        _known(unit, tuple(u for b in run.buildings for u in _units(run, b)), "unit")
    folder = f"buildings/{home}"
    yield from _named(run, (*PUBLIC, f"{folder}/case/case.toml"))
    for name in OF_UNIT:
        yield from _filtered(run, f"{folder}/{name}", lambda row: row["unit"] == unit)
    yield from _filtered(run, f"{folder}/case/nodes.csv", lambda row: row["kind"] != "unit" or row["node"] == unit)
    for stem in ROWS_OF_NODE:
        yield from _filtered(run, f"{folder}/case/{stem}.csv", lambda row: row["node"] == unit)
    yield from _profiles(run, folder, unit)
    yield from _named(run, tuple(f"{folder}/case/{name}" for name in SHARED_ROWS))


def _units(run: Run, building: str) -> set[str]:
    return {row["unit"] for row in _rows(run.folder / "buildings" / building / "units.csv")}


def _profiles(run: Run, folder: str, unit: str) -> Files:
    """The columns of profiles.csv that the unit's own assets name."""
    path = run.folder / folder / "case" / "profiles.csv"
    if not path.is_file():
        return
    tables = (run.folder / folder / "case" / f"{name}.csv" for name in ("loads", "solar", "wind"))
    own = {row["profile"] for table in tables for row in _rows(table) if row["node"] == unit}
    header, *rows = _cells(path)
    kept = [i for i, name in enumerate(header) if name in own or name == "start"]
    if len(kept) > 1:
        yield f"{folder}/case/profiles.csv", _csv([[row[i] for i in kept] for row in (header, *rows)])


def _named(run: Run, names: tuple[str, ...]) -> Files:
    for name in names:
        path = run.folder / name
        if path.is_file():
            yield name, _certificate(run) if name == "certificate.json" else path.read_bytes()


def _certificate(run: Run) -> bytes:
    """The certificate as it may be handed on: under a gate, without what it proves of fewer than five groups."""
    data = (run.folder / "certificate.json").read_bytes()
    told = json.loads(data)
    gated = (run.folder / "market" / "privacy.json").is_file()
    if not gated or told.get("groups_released", 0) >= GROUPS_OF_A_BOUND:
        return data
    pieces = [piece | {"gap": None} for piece in told.get("pieces") or ()]
    return json.dumps(told | dict.fromkeys(PROVEN) | {"pieces": pieces}, indent=2, sort_keys=True).encode() + b"\n"


def _below(run: Run, folder: str) -> Files:
    for path in (run.folder / folder).rglob("*"):
        if path.is_file():
            yield path.relative_to(run.folder).as_posix(), path.read_bytes()


def _filtered(run: Run, name: str, keep: Callable[[dict[str, str]], bool]) -> Files:
    """A table's rows that ``keep`` holds for, cells untouched; nothing where there is no such table or row."""
    path = run.folder / name
    if not path.is_file():
        return
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        words = table["unit"].to_pylist()
        yield name, _parquet(table.filter(pa.array([keep({"unit": word}) for word in words], type=pa.bool_())))
        return
    header, *rows = _cells(path)
    mine = [row for row in rows if keep(dict(zip(header, row, strict=True)))]
    if mine:
        yield name, _csv([header, *mine])


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        header, *rows = _cells(path)
        yield from (dict(zip(header, row, strict=True)) for row in rows)


def _cells(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
