"""case.toml as frozen values: every section a dataclass, bounds and choices written beside each field.

What is left out has the value that the contract's case.toml shows (``synthetic`` is false).
"""

from __future__ import annotations

import datetime as dt
import math
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any

from planner.problems import Problem, shown, suggest

FILE = "case.toml"
MOST_PER_MWH = 1e6  # either side of 0; the same as in the tables


def _one_of(default: Any, *choices: Any) -> Any:
    return field(default=default, metadata={"choices": choices})


def _within(default: float, least: float = -math.inf, most: float = math.inf, above: float = -math.inf) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "above": above})


def _like(default: str, pattern: str, hint: str) -> Any:
    return field(default=default, metadata={"pattern": pattern, "hint": hint})


@dataclass(frozen=True, slots=True)
class Place:
    """For solar and holidays; degrees, NaN when unknown."""

    latitude: float = _within(math.nan, -90.0, 90.0)
    longitude: float = _within(math.nan, -180.0, 180.0)
    country: str = ""
    subdivision: str = ""


@dataclass(frozen=True, slots=True)
class Market:
    pricing: str = _one_of("convex_hull", "convex_hull", "fixed_integers", "no_pab", "pay_as_bid")
    price_floor: float = _within(-500.0, -MOST_PER_MWH, MOST_PER_MWH)
    price_cap: float = _within(4000.0, -MOST_PER_MWH, MOST_PER_MWH)
    price_tick_per_mwh: float = _within(0.01, most=MOST_PER_MWH, above=0.0)
    gate_closure: str = _like("D-1 12:00", r"D(-\d{1,2})? ([01]\d|2[0-3]):[0-5]\d", "write it as 'D-1 12:00'")
    meter_delay_hours: float = _within(36.0, least=0.0)


@dataclass(frozen=True, slots=True)
class Horizon:
    look_ahead_hours: float = _within(12.0, 0.0, 168.0)


@dataclass(frozen=True, slots=True)
class Fees:
    market_buy_per_mwh: float = _within(8.0, 0.0, MOST_PER_MWH)
    market_sell_per_mwh: float = _within(0.0, 0.0, MOST_PER_MWH)


@dataclass(frozen=True, slots=True)
class DefaultTariff:
    import_per_mwh: float = _within(320.0, -MOST_PER_MWH, MOST_PER_MWH)
    export_per_mwh: float = _within(20.0, -MOST_PER_MWH, MOST_PER_MWH)

    @property
    def pair(self) -> tuple[float, float]:
        """(import, export), currency per MWh."""
        return self.import_per_mwh, self.export_per_mwh


@dataclass(frozen=True, slots=True)
class Allocation:
    policy: str = _one_of("given", "given", "equal", "by_area", "by_history", "minimum_plus_share", "max_min_fair")
    locality: str = _one_of("netting", "joint", "netting", "strict")


@dataclass(frozen=True, slots=True)
class Privacy:
    preset: str = _one_of("exchange", "exchange", "strict", "internal", "lab")
    max_rounds: int = _within(25, least=1)


@dataclass(frozen=True, slots=True)
class Settlement:
    uplift: str = _one_of("operator", "operator", "pro_rata")


@dataclass(frozen=True, slots=True)
class Solver:
    mode: str = _one_of("decentralised", "decentralised", "monolith")
    gap_relative: float = _within(1e-3, 0.0, 1.0)
    time_limit_s: float = _within(600.0, above=0.0)
    seed: int = _within(1, 0, 2**31 - 1)
    lp_solver: str = _one_of("choose", "choose", "simplex", "ipx")


@dataclass(frozen=True, slots=True)
class Settings:
    """All of case.toml."""

    name: str = field(default="", metadata={"required": True})
    delivery_date: dt.date | None = None
    timezone: str = field(default="UTC", metadata={"required": True})
    interval_minutes: int = _one_of(60, 15, 30, 60)
    currency: str = _like("EUR", r"[A-Z]{3}", "three capital letters, as EUR")
    synthetic: bool = False
    place: Place = Place()
    market: Market = Market()
    horizon: Horizon = Horizon()
    fees: Fees = Fees()
    default_tariff: DefaultTariff = DefaultTariff()
    allocation: Allocation = Allocation()
    privacy: Privacy = Privacy()
    settlement: Settlement = Settlement()
    solver: Solver = Solver()

    def get(self, path: str) -> Any:
        """The setting at a dotted path, as ``market.price_cap``."""
        value: Any = self
        for part in path.split("."):
            value = getattr(value, part)
        return value


SECTIONS = tuple(f.name for f in fields(Settings) if is_dataclass(f.default) or f.name == "place")


def read_settings(text: str) -> tuple[Settings, list[Problem], list[str]]:
    """Settings of a case.toml, every problem of it, and notes on the money that was left to defaults."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"line (\d+)", str(error))
        at = int(line.group(1)) if line else text.count("\n") + 1
        return Settings(), [Problem(FILE, at, "this is not TOML", shown(error), "see https://toml.io")], []
    settings, problems = changed(Settings(), document, text, whole=True)
    notes = [
        f"{FILE}: [{name}] is left out, so {_listed(settings.get(name))}"
        for name in ("fees", "default_tariff")
        if name not in document
    ]
    return settings, problems, notes


def changed(
    base: Settings, document: Mapping[str, Any], text: str = "", whole: bool = False
) -> tuple[Settings, list[Problem]]:
    """``base`` with the sections and keys of ``document``; ``whole`` also asks for what is required."""
    problems: list[Problem] = []
    settings = _fill(base, document, "", text, problems)
    if whole:
        for f in fields(Settings):
            if f.metadata.get("required") and f.name not in document:
                problems.append(Problem(FILE, 1, f"'{f.name}' is missing", hint=f"add a line {f.name} = …"))
    return settings, problems


def _listed(section: Any) -> str:
    return ", ".join(f"{f.name} = {getattr(section, f.name):g}" for f in fields(section))


def _fill(base: Any, document: Mapping[str, Any], section: str, text: str, problems: list[Problem]) -> Any:
    """A dataclass with the values of a TOML table; what is wrong is added to ``problems`` and left as it was."""
    hints = typing.get_type_hints(type(base))
    known = {f.name: f for f in fields(base)}
    values: dict[str, Any] = {}
    for key, value in document.items():
        line = line_of_key(text, section, key)
        if key not in known:
            where = f" in [{section}]" if section else ""
            problems.append(Problem(FILE, line, f"unknown key{where}", shown(key), suggest(key, known)))
        elif is_dataclass(hints[key]):
            if isinstance(value, Mapping):
                values[key] = _fill(getattr(base, key), value, key, text, problems)
            else:
                problems.append(Problem(FILE, line, f"'{key}' is a section", shown(value), f"write [{key}]"))
        else:
            wrong = list(_wrong(key, value, hints[key], known[key].metadata, line))
            problems += wrong
            if not wrong:
                values[key] = float(value) if hints[key] is float else value
    return replace(base, **values)


def _wrong(key: str, value: Any, hint: Any, rules: Mapping[str, Any], line: int) -> Iterator[Problem]:
    """What is wrong with one value: its type, then its choices, bounds or pattern."""
    if not _is(value, hint):
        yield Problem(FILE, line, f"{key} must be {_type_name(hint)}", shown(value))
        return
    if "choices" in rules and value not in rules["choices"]:
        words = [str(choice) for choice in rules["choices"]]
        yield Problem(FILE, line, f"unknown {key}", shown(value), suggest(str(value), words))
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield from _out_of_bounds(key, float(value), rules, line)
    if "pattern" in rules and not re.fullmatch(rules["pattern"], value):
        yield Problem(FILE, line, f"{key} is not understood", shown(value), rules["hint"])


def _out_of_bounds(key: str, value: float, rules: Mapping[str, Any], line: int) -> Iterator[Problem]:
    least, most, above = rules.get("least", -math.inf), rules.get("most", math.inf), rules.get("above", -math.inf)
    if not math.isfinite(value):
        yield Problem(FILE, line, f"{key} must be a finite number", shown(value))
    elif value < 0 and (least == 0 or above == 0):
        yield Problem(FILE, line, f"{key} is negative", shown(value))
    elif not least <= value <= most:
        yield Problem(FILE, line, f"{key} must lie between {least:g} and {most:g}", shown(value))
    elif value <= above:
        yield Problem(FILE, line, f"{key} must be above {above:g}", shown(value))


def _is(value: Any, hint: Any) -> bool:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if isinstance(value, bool):
        return bool in options
    if isinstance(value, dt.datetime):
        return False
    return isinstance(value, tuple(options)) or (float in options and isinstance(value, int) and abs(value) < 2**53)


def _type_name(hint: Any) -> str:
    names = {str: "text in quotes", float: "a number", int: "a whole number", bool: "true or false"}
    return names.get(hint, "a date, as 2026-10-25 without quotes")


def line_of_key(text: str, section: str, key: str) -> int:
    """The line of ``key`` in ``[section]`` of a TOML text, found by eye; 0 when it is not written plainly."""
    here = ""
    name, dotted = re.escape(key), rf"{re.escape(section)}\s*[.=].*\b{re.escape(key)}\b"
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header:
            here = header.group(1).strip("\"'")
            found = not section and here.split(".")[0] == key
        elif here == section:
            found = re.match(rf"\s*[\"']?{name}[\"']?\s*[=.]", line) is not None
        else:
            found = not here and re.match(rf"\s*{dotted}", line) is not None
        if found:
            return number
    return 0


assert all(f.default is not MISSING for f in fields(Settings)), "every setting has a default"
