"""Every number of a run folder changed, one at a time, as by somebody who rewrites the whole run consistently sealed.

A column is named by its place in any run (``buildings/*/units.csv use_kwh``).  Of each, one cell that is not zero (or
the first, if all are) is changed by one unit in its last place, by a tenth, and in sign.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from mutations import reseal

from planner.audit import audit

HOWS = ("last place", "tenth", "sign")
DOCUMENTS = ("certificate.json", "answer.json")


@dataclass(frozen=True)
class Column:
    """One numeric column of one table, or one number of a document, by its path of keys."""

    file: str
    name: str

    @property
    def anywhere(self) -> str:
        return f"{re.sub(r'buildings/[^/]+/', 'buildings/*/', self.file)} {self.name}"


def columns(run: Path, chance: random.Random) -> list[Column]:
    """Every numeric column once, in one of the files that have it with a value."""
    found: dict[str, list[Column]] = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        file = path.relative_to(run).as_posix()
        if path.suffix in (".csv", ".parquet"):
            table = _read(path)
            names = [name for name in table.column_names if _cell(table, name) is not None]
        elif path.name in DOCUMENTS:
            names = list(_numbers(json.loads(path.read_text())))
        else:
            continue
        for name in names:
            column = Column(file, name)
            found.setdefault(column.anywhere, []).append(column)
    return [chance.choice(found[name]) for name in sorted(found)]


def unnoticed(run: Path, column: Column) -> tuple[str, ...]:
    """The changes of one column that no rule complains of; the folder is left as it was."""
    path, sealed = run / column.file, (run / "certificate.json").read_bytes()
    before = path.read_bytes()
    silent = []
    for how in HOWS:
        if _change(path, column.name, how):
            if path.name != "certificate.json" or column.name not in ("output_sha256", "run_id"):
                reseal(run)
            if audit(run).clean:
                silent.append(how)
        path.write_bytes(before)
        (run / "certificate.json").write_bytes(sealed)
    return tuple(silent)


def changed(value: Decimal, how: str) -> Decimal | None:
    """The number changed; None where that leaves it as it is."""
    if how == "last place":
        return value + Decimal(1).scaleb(int(value.as_tuple().exponent)) if _short(value) else None
    if how == "tenth":
        return value + (abs(value) / 10 if value else Decimal(1))
    return -value if value else None


def _short(value: Decimal) -> bool:
    """Whether its last place is one of money or energy, not of a binary fraction."""
    return len(value.as_tuple().digits) < 13


def _read(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    head = path.open(encoding="utf-8").readline().strip().split(",")
    types = pacsv.ConvertOptions(column_types=dict.fromkeys(head, pa.string()), strings_can_be_null=True)
    return pacsv.read_csv(path, convert_options=types)


def _decimal(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _cell(table: pa.Table, name: str) -> tuple[int, Decimal] | None:
    """(row, value) of the first number that is not zero, else of the first; None for a column of words."""
    if pa.types.is_timestamp(table[name].type):
        return None
    known = [
        (row, number) for row, value in enumerate(table[name].to_pylist()) if (number := _decimal(value)) is not None
    ]
    return next((cell for cell in known if cell[1]), known[0] if known else None)


def _numbers(content: Any, path: str = "") -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _numbers(value, f"{path}/{key}" if path else key)
    elif isinstance(content, list):
        for i, value in enumerate(content[:1]):
            yield from _numbers(value, f"{path}/{i}")
    elif _decimal(content) is not None and not isinstance(content, str):
        yield path


def _change(path: Path, name: str, how: str) -> bool:
    """Write the file with one number changed; False where there is nothing to change."""
    if path.suffix == ".json":
        return _change_document(path, name, how)
    table = _read(path)
    row, value = _cell(table, name) or (0, Decimal(0))
    other = changed(value, how)
    if other is None:
        return False
    kind = table.schema.field(name).type
    cells = table[name].to_pylist()
    cells[row] = str(other) if pa.types.is_string(kind) else type(cells[row])(other)
    if cells[row] == table[name][row].as_py():
        return False
    at = table.column_names.index(name)
    mutated = table.set_column(at, table.schema.field(name), pa.array(cells, kind))
    if path.suffix == ".parquet":
        pq.write_table(mutated, path)
    else:
        pacsv.write_csv(
            mutated, path, pacsv.WriteOptions(quoting_style="none" if "," not in _joined(mutated) else "needed")
        )
    return True


def _joined(table: pa.Table) -> str:
    return "".join(str(value) for name in table.column_names for value in table[name].to_pylist())


def _change_document(path: Path, name: str, how: str) -> bool:
    content = json.loads(path.read_text())
    inner, keys = content, [int(key) if key.isdigit() else key for key in name.split("/")]
    for key in keys[:-1]:
        inner = inner[key]
    value = inner[keys[-1]]
    other = changed(Decimal(str(value)), how)
    if other is None or (isinstance(value, float) and how == "last place"):
        return False
    inner[keys[-1]] = type(value)(other) if how != "tenth" or isinstance(value, float) else value + max(1, value // 10)
    path.write_text(json.dumps(content))
    return True
