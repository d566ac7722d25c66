"""One number changed in a run folder: the tools for it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from planner.ledger import output_sha256

Mutation = Callable[[Path], None]


def cell(file: str, column: str, value: Any, **where: Any) -> Mutation:
    """Set one column of the first row that has the values ``where``; ``value`` may be a function of the old text."""

    def mutate(run: Path) -> None:
        path = run / file
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
        row = next(row for row in rows if all(row[key] == str(wanted) for key, wanted in where.items()))
        row[column] = value(row[column]) if callable(value) else value
        _write(path, rows)

    return mutate


def without(file: str, **where: Any) -> Mutation:
    """Drop the rows that have the values ``where``."""

    def mutate(run: Path) -> None:
        path = run / file
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
        kept = [row for row in rows if not all(row[key] == str(wanted) for key, wanted in where.items())]
        assert len(kept) < len(rows)
        _write(path, kept)

    return mutate


def added(file: str, *entries: tuple[str, str, str]) -> Mutation:
    """Append amounts of the whole day to a ledger: account, line, amount."""

    def mutate(run: Path) -> None:
        path = run / file
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
        empty = dict.fromkeys(rows[0], "")
        more = [{**empty, "account": account, "line": line, "amount": amount} for account, line, amount in entries]
        _write(path, [*rows, *more])

    return mutate


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def dispatch(building: str, asset: str, interval: int, column: str, value: float) -> Mutation:
    """Set one number of dispatch.parquet."""

    def mutate(run: Path) -> None:
        path = run / f"buildings/{building}/dispatch.parquet"
        table = pq.read_table(path)
        rows = table.to_pylist()
        row = next(row for row in rows if row["asset"] == asset and row["interval"] == interval)
        row[column] = value
        pq.write_table(pa.Table.from_pylist(rows, table.schema), path)

    return mutate


def entry(file: str, key: str, change: Callable[[float], Any]) -> Mutation:
    """Change one entry of a JSON file."""

    def mutate(run: Path) -> None:
        content = json.loads((run / file).read_text())
        content[key] = change(content[key])
        (run / file).write_text(json.dumps(content))

    return mutate


def both(*mutations: Mutation) -> Mutation:
    def mutate(run: Path) -> None:
        for one in mutations:
            one(run)

    return mutate


def reseal(run: Path) -> None:
    """Write the digest and the id of the changed tables, as one who rewrites the whole run would."""
    path = run / "certificate.json"
    content = json.loads(path.read_text())
    content["output_sha256"] = output_sha256(run)
    both_digests = f"{content['case_sha256']}{content['output_sha256']}"
    content["run_id"] = hashlib.sha256(both_digests.encode()).hexdigest()[:16]
    path.write_text(json.dumps(content))
