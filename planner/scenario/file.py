"""SCENARIOS.toml: scenarios as edits of a case's tables.

    [[scenario]]
    name = "twice the solar"
    scale = [{ table = "solar", column = "peak_kw", by = 2.0 }]

    [[scenario]]
    name = "d01 at half its limit, two more vehicles"
    scale = [{ table = "nodes", column = "import_limit_kw", by = 0.5, where = { node = "d01" } }]
    set = [{ table = "loads", column = "curtailable_ratio", value = 0.1, where = { node = ["b01-u01", "b01-u02"] } }]
    drop = [{ table = "generators" }]
    append = [{ table = "vehicles", rows = [{ vehicle = "x1", node = "b01-u01", arrival = "18:00", departure = "07:00",
              energy_kwh = 8.0, max_kw = 7.4 }] }]
    settings = { fees = { market_buy_per_mwh = 0.0 } }

Tables have the names of their files.  ``where`` picks the rows in which every named column has the value, or one of the
values; without it all rows are meant.  Edits apply in the order scale, set, drop, append, settings.  A metered plant
produces in proportion to its ``peak_kw`` (see assumed.py).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from planner.problems import InvalidInput, Problem, suggest
from planner.scenario.comparing import Scenario
from planner.scenario.edits import EDITS, Edit, Edits, Place
from planner.settings import SECTIONS
from planner.tables import BY_STEM, Table, Type

KEYS = ("name", *EDITS, "settings")
HEADER = re.compile(r"\s*\[\[\s*scenario\s*\]\]")
NUMBERS = (Type.NUMBER, Type.WHOLE)


def read_scenarios(path: str | Path) -> tuple[Scenario, ...]:
    """The scenarios of a file, in its order.  Raises InvalidInput with every problem found in the file.

    What only a case can show (a ``where`` that fits no row, a value that its column refuses) is raised in the same
    way when a scenario is applied to one.
    """
    path = Path(path)
    document, text = _toml(path)
    problems: list[Problem] = []
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if HEADER.match(line)]
    for key in document:
        if key != "scenario":
            problems.append(Problem(path.name, 0, "unknown key", key, "a file holds [[scenario]] tables"))
    entries = document.get("scenario", [])
    if not isinstance(entries, list) or not entries:
        raise InvalidInput([*problems, Problem(path.name, 0, "no [[scenario]] in it", hint="begin with [[scenario]]")])
    found = []
    for number, entry in enumerate(entries):
        place = Place(path.name, lines[number] if number < len(lines) else 0)
        found.append(_scenario(entry, place, problems))
    names = [scenario.name for scenario in found]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem(path.name, 0, "two scenarios have this name", name, "names must differ"))
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _toml(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        raise InvalidInput([Problem(path.name, int(at[1]) if at else 0, f"is not TOML: {error}")]) from None
    except UnicodeDecodeError:
        raise InvalidInput([Problem(path.name, 0, "is not UTF-8 text", hint="save it as UTF-8")]) from None
    except OSError as error:
        raise InvalidInput([Problem(path.name, 0, "cannot be read", error.strerror or "")]) from None


def _scenario(entry: Any, place: Place, problems: list[Problem]) -> Scenario:
    if not isinstance(entry, dict):
        problems.append(place.problem("a scenario is a table", str(entry)))
        return Scenario("", Edits((), {}, place))
    for key in entry:
        if key not in KEYS:
            problems.append(place.problem("unknown key", key, suggest(key, KEYS)))
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        problems.append(place.problem("has no name", hint='add name = "…"'))
        name = ""
    edits = tuple(
        found
        for kind in EDITS
        for item in _items(entry.get(kind, []), kind, place, problems)
        if (found := _edit(kind, item, place, problems)) is not None
    )
    settings = entry.get("settings", {})
    _check_settings(settings, place, problems)
    if not any(key in entry for key in (*EDITS, "settings")):
        problems.append(place.problem("changes nothing", name, f"give one of {', '.join((*EDITS, 'settings'))}"))
    return Scenario(name, Edits(edits, settings, place))


def _items(value: Any, kind: str, place: Place, problems: list[Problem]) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    if all(isinstance(item, dict) for item in items):
        return items
    problems.append(place.problem(f"'{kind}' is a list of tables", hint=f'write {kind} = [{{ table = "…", … }}]'))
    return []


def _edit(kind: str, item: dict[str, Any], place: Place, problems: list[Problem]) -> Edit | None:
    """One edit, or None with its problems noted."""
    before = len(problems)
    wanted, optional = EDITS[kind]
    for key in item:
        if key not in (*wanted, *optional):
            problems.append(place.problem(f"unknown key in '{kind}'", key, suggest(key, (*wanted, *optional))))
    for key in wanted:
        if key not in item:
            problems.append(place.problem(f"'{kind}' needs '{key}'"))
    stem = str(item.get("table"))
    table = BY_STEM.get(stem)
    if table is None and "table" in item:
        problems.append(place.problem("unknown table", stem, suggest(stem, BY_STEM)))
    if table is not None:
        problems += _of_table(item, table, place)
        problems += _of_scale(item, table, place) if kind == "scale" else []
    return Edit(kind, table.name, item) if table is not None and len(problems) == before else None


def _of_table(item: dict[str, Any], table: Table, place: Place) -> list[Problem]:
    """Columns that the table does not have, wherever an edit names them."""
    rows, where = item.get("rows", []), item.get("where", {})
    named = [str(item["column"])] if "column" in item else []
    problems = []
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        named += [key for row in rows for key in row]
    else:
        problems.append(place.problem("'rows' is a list of tables", hint="rows = [{ … }, { … }]"))
    if isinstance(where, dict):
        named += where
    else:
        problems.append(place.problem("'where' is a table", hint='where = { node = "…" }'))
    unknown = [column for column in dict.fromkeys(named) if column not in table.names]
    said = f"{table.stem} has no column"
    return [*problems, *(place.problem(said, column, suggest(column, table.names)) for column in unknown)]


def _of_scale(item: dict[str, Any], table: Table, place: Place) -> list[Problem]:
    """A factor is a number, and so is what it scales."""
    by, column = item.get("by", 1), str(item.get("column"))
    problems = []
    if isinstance(by, bool) or not isinstance(by, int | float):
        problems.append(place.problem("'by' is a number", str(by)))
    if column in table.names and table.column(column).type not in NUMBERS:
        problems.append(place.problem(f"{table.stem}.{column} is no number and cannot be scaled"))
    return problems


def _check_settings(settings: Any, place: Place, problems: list[Problem]) -> None:
    if not isinstance(settings, dict) or not all(isinstance(values, dict) for values in settings.values()):
        problems.append(place.problem("'settings' is a table of sections", hint="settings = { fees = { … } }"))
        return
    for section in settings:
        if section not in SECTIONS:
            problems.append(place.problem("unknown section in 'settings'", section, suggest(section, SECTIONS)))
