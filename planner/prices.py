"""Published day-ahead prices to the rows of grid.csv: ENTSO-E documents (A44, XML), or a plain CSV.

A plain CSV has a column ``start`` (ISO 8601 with an offset) and one whose name says price; an interval ends where the
next one begins.  A published price is both what importing costs and what exporting earns; who pays more or earns less
changes the columns afterwards.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from planner.problems import InvalidInput, Problem, shown

RESOLUTIONS = {"PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}
COLUMNS = ("zone", "start", "import_price_per_mwh", "export_price_per_mwh")
Row = tuple[str, pd.Timestamp, int, float]  # zone, start in UTC, minutes, price per MWh


def read_prices(path: str | Path, zone: str = "", minutes: int | None = None, timezone: str = "UTC") -> pd.DataFrame:
    """Rows of grid.csv, in order.

    ``zone`` names the zone instead of the document; ``minutes`` repeats longer intervals so that all are that long.
    Raises InvalidInput with every problem found.
    """
    path = Path(path)
    text = _text(path)
    rows = list(_of_document(text, path.name) if text.lstrip().startswith("<") else _of_csv(path, text))
    named = [(zone or of, start, length, price) for of, start, length, price in rows]
    prices = dict(_pieces(named, minutes, path.name))
    _refuse_clashes(named, prices, minutes, path.name)
    frame = pd.DataFrame([(*key, price, price) for key, price in sorted(prices.items())], columns=list(COLUMNS))
    return frame.assign(start=frame["start"].dt.tz_convert(timezone))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(path.name, "is not UTF-8 text", hint="save it as UTF-8") from None
    except OSError as error:
        raise _refused(path.name, "cannot be read", error.strerror or "") from None


def _of_document(text: str, name: str) -> Iterator[Row]:
    """Points of a Publication_MarketDocument, every period whole."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _refused(name, "has a DTD, which no price document needs")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise _refused(name, f"is not XML: {error}", line=error.position[0]) from None
    if not root.tag.endswith("}Publication_MarketDocument"):
        what = "is no price document"
        raise _refused(name, what, shown(root.tag.split("}")[-1]), hint="a day-ahead price document is of type A44")
    series = [part for part in root if _local(part) == "TimeSeries"]
    problems: list[Problem] = []
    for part in series:
        unit = _leaf(part, "price_Measure_Unit.name")
        if unit != "MWH":
            problems.append(Problem(name, 0, "price_Measure_Unit.name is not MWH", shown(unit)))
    currencies = sorted({_leaf(part, "currency_Unit.name") for part in series})
    if len(currencies) > 1:
        problems.append(Problem(name, 0, "more than one currency", ", ".join(currencies)))
    if problems or not series:
        raise InvalidInput(problems or [Problem(name, 0, "has no TimeSeries", hint="nothing was published for it")])
    for part in series:
        zone = _leaf(part, "in_Domain.mRID") or "zone"
        for period in (child for child in part if _local(child) == "Period"):
            yield from _of_period(period, zone, _leaf(part, "curveType") == "A03", name)


def _of_period(period: ElementTree.Element, zone: str, repeats: bool, name: str) -> Iterator[Row]:
    """Every interval of a period: with curve type A03 (``repeats``) a missing point says what the one before said."""
    minutes = RESOLUTIONS.get(_leaf(period, "resolution"))
    if minutes is None:
        raise _refused(name, "unknown resolution", _leaf(period, "resolution"), hint="PT15M, PT30M or PT60M")
    begin, end = (_instant(_leaf(period, f"timeInterval/{edge}"), name) for edge in ("start", "end"))
    prices: dict[int, float] = {}
    for point in (child for child in period if _local(child) == "Point"):
        number = _number(_leaf(point, "position"), name)
        if number in prices:
            raise _refused(name, "a position stands twice in a period", f"{number:g}")
        prices[int(number)] = _number(_leaf(point, "price.amount"), name)
    count = round((end - begin).total_seconds() / 60 / minutes)
    if not prices or min(prices) != 1 or max(prices) > count or (len(prices) < count and not repeats):
        what = f"a period of {count} intervals has {len(prices)} points"
        raise _refused(name, what, begin.isoformat(), hint="a missing price is not guessed")
    last = prices[1]
    for number in range(count):
        last = prices.get(number + 1, last)
        yield zone, begin + pd.Timedelta(minutes=minutes * number), minutes, last


def _of_csv(path: Path, text: str) -> Iterator[Row]:
    """Rows of a plain CSV; the last interval is as long as the one before it."""
    lines = [line.split(";" if ";" in text.split("\n")[0] else ",") for line in text.splitlines() if line.strip()]
    header = [cell.strip().strip('"').lower() for cell in lines[0]] if lines else []
    priced = [i for i, cell in enumerate(header) if "price" in cell]
    if "start" not in header or len(priced) != 1:
        raise _refused(path.name, "needs a column start and one column of prices", shown(", ".join(header)))
    at, cost = header.index("start"), priced[0]
    cells = [(line[at], line[cost]) for line in lines[1:] if len(line) > max(at, cost)]
    if len(cells) < max(len(lines) - 1, 2):
        raise _refused(path.name, "has too few rows, or rows with too few cells", str(len(cells)))
    found = sorted((_instant(start, path.name), _number(price, path.name)) for start, price in cells)
    steps = [round((b - a).total_seconds() / 60) for (a, _), (b, _) in pairwise(found)]
    if 0 in steps:
        twice = found[steps.index(0)][0].isoformat()
        raise _refused(path.name, "has two prices for one start", twice, hint="keep one of the rows")
    if set(steps) - {15, 30, 60}:
        raise _refused(
            path.name, "intervals of 15, 30 or 60 minutes are known", f"{min(steps)} to {max(steps)} minutes"
        )
    for (start, price), minutes in zip(found, [*steps, steps[-1]], strict=True):
        yield "zone", start, minutes, price


def _pieces(rows: list[Row], minutes: int | None, name: str) -> Iterator[tuple[tuple[str, pd.Timestamp], float]]:
    """Every row cut into intervals of ``minutes``."""
    for zone, start, length, price in rows:
        step = minutes or length
        if length % step:
            raise _refused(name, f"intervals of {length} minutes cannot be cut into {step}", start.isoformat())
        yield from (((zone, start + pd.Timedelta(minutes=m)), price) for m in range(0, length, step))


def _refuse_clashes(
    rows: list[Row], prices: dict[tuple[str, pd.Timestamp], float], minutes: int | None, name: str
) -> None:
    """Two series may repeat each other, not contradict each other."""
    for key, price in _pieces(rows, minutes, name):
        if prices[key] != price:
            raise _refused(name, f"two prices of {key[0]} for one interval", key[1].isoformat(), hint="keep one series")
    lengths = {length for _, _, length, _ in rows}
    if minutes is None and len(lengths) > 1:
        raise _refused(
            name, "intervals of different lengths", ", ".join(map(str, sorted(lengths))), hint="cut them alike"
        )


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _leaf(element: ElementTree.Element, path: str) -> str:
    """The text of the first descendant at a path of local names; empty if there is none."""
    found = element.find("/".join(f"{{*}}{part}" for part in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _instant(text: str, name: str) -> pd.Timestamp:
    try:
        moment = dt.datetime.fromisoformat(text.strip().strip('"'))
    except ValueError:
        raise _refused(name, "is not a time", shown(text), hint="write 2026-10-25T00:00:00+02:00") from None
    if moment.tzinfo is None:
        raise _refused(name, "a time without offset", shown(text), hint="write 2026-10-25T00:00:00+02:00")
    return pd.Timestamp(moment).tz_convert("UTC")


def _number(text: str, name: str) -> float:
    text = text.strip().strip('"')
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise _refused(name, "is not a number", shown(text))
    return float(text)


def _refused(name: str, what: str, value: str = "", line: int = 0, hint: str = "") -> InvalidInput:
    return InvalidInput([Problem(name, line, what, value, hint)])
