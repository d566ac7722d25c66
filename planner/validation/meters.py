"""Meters: their files are there, one meter per channel and node, and what stands behind a meter is said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from planner.hierarchy import upwards
from planner.problems import Problem, suggest
from planner.tables import INCLUDABLE
from planner.timegrid import zone
from planner.validation.common import in_file_order, of, rows_where

if TYPE_CHECKING:
    from planner.case import Case

BEHIND = {"solar": "solar", "batteries": "battery", "vehicles": "vehicle", "appliances": "appliance"}
"""Tables of assets that may stand behind a load's meter, with their word in meter_includes."""


@of("meters")
def files_are_there(case: Case) -> Iterator[Problem]:
    """``file`` is a relative path below meters/ that leads to a file."""
    for row, name in enumerate(case.meters["file"]):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
            yield case.problem("meters", row, "file is not a path below meters/", name)
        elif case.folder is not None and name:
            try:
                there = (case.folder / "meters" / path).is_file()
                near = [] if there else [p.name for p in (case.folder / "meters").glob("*")]
            except (OSError, ValueError):
                there, near = False, []
            if not there:
                yield case.problem("meters", row, "there is no such file below meters/", name, suggest(name, near))


@of("meters")
def known_timezones(case: Case) -> Iterator[Problem]:
    for row, name in enumerate(case.meters["timezone"]):
        try:
            zone(name or "UTC")
        except ValueError:
            yield case.problem("meters", row, "unknown timezone", name, "write an IANA name, as Europe/Stockholm")


@of("meters")
def one_meter_per_channel(case: Case) -> Iterator[Problem]:
    """Two meters of one node on one channel would count energy twice, unless one is part of the other."""
    meters = case.meters
    produces = set(case.solar["meter"]) | set(case.wind["meter"])
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in in_file_order(case, "meters", rows_where(meters["part_of"] == "")):
        name, channel = meters["meter"].iloc[row], meters["channel"].iloc[row]
        channel = channel or ("production" if name in produces else "import")
        seen[meters["node"].iloc[row], channel].append(row)
    for (node, channel), rows in seen.items():
        for row in rows[1:]:
            other = meters["meter"].iloc[rows[0]]
            what = f"a second meter on channel {channel} of node '{node}', beside '{other}'"
            hint = "say part_of if it is a sub-meter, or name its channel"
            yield case.problem("meters", row, what, meters["meter"].iloc[row], hint)


@of("meters")
def sub_meters_end(case: Case) -> Iterator[Problem]:
    """No meter is a part of itself, directly or through others."""
    meters = case.meters
    above = {meter: main for meter, main in zip(meters["meter"], meters["part_of"], strict=True) if main}
    for row, name in enumerate(meters["meter"]):
        path = list(upwards(name, above))
        if path and above.get(path[-1]) == name:
            yield case.problem("meters", row, "a meter is part of itself", " > ".join([*path, name]))


@of("loads")
def known_includes(case: Case) -> Iterator[Problem]:
    for row, text in enumerate(case.loads["meter_includes"]):
        words = includes(text)
        for word in sorted(words - set(INCLUDABLE)):
            yield case.problem("loads", row, "unknown word in meter_includes", word, suggest(word, INCLUDABLE))
        if "none" in words and len(words) > 1:
            yield case.problem("loads", row, "meter_includes says none and more", text)
        if words and not case.loads["meter"].iloc[row]:
            yield case.problem("loads", row, "meter_includes without a meter", text)


def includes(text: str) -> set[str]:
    """The words of a meter_includes cell."""
    return {word.strip() for word in text.split(";") if word.strip()}


@of("loads")
def behind_the_meter_is_said(case: Case) -> Iterator[Problem]:
    """A modelled asset on the node of a metered load is in meter_includes, or its history would count twice.

    A plant with a meter of its own that is no part of the load's stands beside it, and ``none`` says that
    nothing modelled stands behind the meter.
    """
    there = _modelled(case)
    loads = case.loads
    for row in rows_where(loads["meter"] != ""):
        said = includes(loads["meter_includes"].iloc[row])
        missing = sorted(there.get(loads["node"].iloc[row], set()) - said)
        if missing and "none" not in said:
            what = f"the node has {_and(missing)} that the meter of this load does not say to include"
            words = ";".join(sorted(said | set(missing)))
            hint = f"write meter_includes = {words}, or none if nothing stands behind it"
            yield case.problem("loads", row, what, loads["load"].iloc[row], hint)


def _modelled(case: Case) -> dict[str, set[str]]:
    """Per node the kinds of modelled assets without a separate meter."""
    meters = case.meters
    separate = set(meters.loc[meters["part_of"] == "", "meter"])
    there: dict[str, set[str]] = defaultdict(set)
    for table, word in BEHIND.items():
        frame = case.tables[table]
        if "meter" in frame:
            frame = frame[~frame["meter"].isin(separate)]
        for node in frame["node"].unique():
            there[node].add(word)
    return there


def _and(words: list[str]) -> str:
    return " and ".join(words) if len(words) < 3 else ", ".join(words[:-1]) + " and " + words[-1]


CHECKS = (
    files_are_there,
    known_timezones,
    one_meter_per_channel,
    sub_meters_end,
    known_includes,
    behind_the_meter_is_said,
)
