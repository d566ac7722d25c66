"""Assets: each can do what it is asked to do, seen alone."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from planner.problems import Problem
from planner.tables import size_of
from planner.timegrid import Clock, moment, nominal_hours
from planner.validation.common import each, of, rows_where

if TYPE_CHECKING:
    from planner.case import Case

TINY_KWH = 1e-9
POWER = size_of("profile_kw")


@of("loads")
def loads_have_one_source(case: Case) -> Iterator[Problem]:
    loads = case.loads
    meter, profile = loads["meter"] != "", loads["profile"] != ""
    hint = "a load has one of meter and profile"
    yield from each(case, "loads", meter & profile, "both meter and profile are given", loads["load"], hint)
    yield from each(case, "loads", ~meter & ~profile, "neither meter nor profile is given", loads["load"], hint)


@of("loads")
def loads_are_scaled(case: Case) -> Iterator[Problem]:
    """A profile in shares (_pu) is scaled by exactly one number."""
    loads = case.loads
    relative = loads["profile"].str.endswith("_pu")
    year, peak = loads["annual_kwh"].notna(), loads["peak_kw"].notna()
    wrong = relative & ~year & ~peak
    yield from each(case, "loads", wrong, "a _pu profile needs annual_kwh or peak_kw", loads["profile"])
    wrong = relative & year & peak
    yield from each(case, "loads", wrong, "annual_kwh and peak_kw are both given", loads["profile"], "keep one")


@of("profiles")
def profile_names(case: Case) -> Iterator[Problem]:
    """The name of a profile says what its numbers are."""
    for name in case.profiles["profile"].unique():
        if name and not name.endswith(("_kw", "_pu")):
            row = rows_where(case.profiles["profile"] == name)[0]
            hint = "_kw is used as it is, _pu is scaled"
            yield case.problem("profiles", row, "a profile's name must end in _kw or _pu", name, hint)


@of("profiles")
def profiles_are_not_negative(case: Case) -> Iterator[Problem]:
    profiles = case.profiles
    yield from each(case, "profiles", profiles["value"] < 0, "value is negative", profiles["value"])


@of("solar", "wind")
def plants_have_one_source(case: Case) -> Iterator[Problem]:
    for table in ("solar", "wind"):
        plants = case.tables[table]
        meter, profile, peak = plants["meter"] != "", plants["profile"] != "", plants["peak_kw"].notna()
        hint = "a plant has one of meter, profile, or peak_kw with weather.csv"
        yield from each(case, table, meter & profile, "both meter and profile are given", plants["plant"], hint)
        wrong = ~meter & ~profile & ~peak
        yield from each(case, table, wrong, "neither meter nor profile nor peak_kw is given", plants["plant"], hint)
        wrong = plants["profile"].str.endswith("_pu") & ~peak
        yield from each(case, table, wrong, "a _pu profile needs peak_kw", plants["profile"])
        by_weather = ~meter & ~profile & peak
        if not len(case.weather) and "weather" not in case.broken:
            hint = "give weather.csv, or a meter or profile"
            yield from each(case, table, by_weather, "peak_kw alone needs weather.csv", plants["plant"], hint)
        place = case.settings.place
        if table == "solar" and (math.isnan(place.latitude) or math.isnan(place.longitude)):
            what = "a plant by weather needs latitude and longitude in [place] of case.toml"
            yield from each(case, table, by_weather, what, plants["plant"])


@of("batteries")
def batteries_hold_their_state(case: Case) -> Iterator[Problem]:
    b = case.batteries
    size = b["energy_kwh"]
    yield from each(case, "batteries", b["minimum_kwh"] > size, "minimum_kwh is above energy_kwh", b["minimum_kwh"])
    yield from each(case, "batteries", b["final_kwh"] > size, "final_kwh is above energy_kwh", b["final_kwh"])
    yield from each(case, "batteries", b["initial_kwh"] > size, "initial_kwh is above energy_kwh", b["initial_kwh"])
    low = (b["initial_kwh"] < b["minimum_kwh"]) & (b["minimum_kwh"] <= size)
    yield from each(case, "batteries", low, "initial_kwh is below minimum_kwh", b["initial_kwh"])


def _moments(
    case: Case, table: str, columns: tuple[str, str], row: int, texts: tuple[str, str]
) -> tuple[Any, Any] | Problem:
    """Both ends of a window as values, or what is wrong with the first that is not one."""
    ends = []
    for column, text in zip(columns, texts, strict=True):
        try:
            ends.append(moment(text))
        except ValueError as error:
            words = "has no offset" if "offset" in str(error) else f"is not a time: {error}"
            hint = "write 2026-10-25T18:00:00+01:00, or a clock time as '18:00 mon-fri'"
            return case.problem(table, row, f"{column} {words}", text, hint)
    if isinstance(ends[0], Clock) != isinstance(ends[1], Clock):
        hint = "give both as instants or both as clock times"
        return case.problem(table, row, f"{columns[0]} and {columns[1]} are not of one kind", "", hint)
    return ends[0], ends[1]


@of("vehicles")
def vehicles_stay_long_enough(case: Case) -> Iterator[Problem]:
    vehicles = case.vehicles
    seen: dict[tuple[str, str], tuple[Any, Any] | Problem] = {}
    columns = [vehicles[c].to_numpy() for c in ("arrival", "departure", "energy_kwh", "max_kw", "charge_efficiency")]
    for row, (arrival, departure, energy, power, efficiency) in enumerate(zip(*columns, strict=True)):
        if not arrival or not departure:
            continue
        ends = seen.get((arrival, departure))
        if ends is None or isinstance(ends, Problem):
            ends = seen[arrival, departure] = _moments(
                case, "vehicles", ("arrival", "departure"), row, (arrival, departure)
            )
        if isinstance(ends, Problem):
            yield ends
            continue
        hours = nominal_hours(*ends)
        reach = hours * power * efficiency
        if hours <= 0:
            what = "leaves when it arrives" if hours == 0 else "leaves before it arrives"
            yield case.problem("vehicles", row, what, f"{arrival} to {departure}", "departure comes after arrival")
        elif energy > reach + TINY_KWH:
            what = f"the stay is too short: {hours:g} h at {power:g} kW bring {reach:g} kWh of {energy:g}"
            yield case.problem("vehicles", row, what, vehicles["vehicle"].iloc[row], "lower energy_kwh or raise max_kw")


@of("vehicles")
def vehicles_are_in_one_place(case: Case) -> Iterator[Problem]:
    """The stays of one vehicle that are given as instants do not overlap."""
    vehicles = case.vehicles
    for name, stays in vehicles[vehicles["vehicle"].duplicated(keep=False)].groupby("vehicle"):
        spans = []
        for row in stays.index:
            texts = str(stays.at[row, "arrival"]), str(stays.at[row, "departure"])
            ends = _moments(case, "vehicles", ("arrival", "departure"), int(row), texts)
            if not isinstance(ends, Problem) and isinstance(ends[0], dt.datetime):
                spans.append((*ends, int(row)))
        spans.sort()
        for (_, until, _), (since, _, row) in pairwise(spans):
            if since < until:
                yield case.problem("vehicles", row, "two stays of one vehicle overlap", name)


@of("vehicles")
def vehicle_powers(case: Case) -> Iterator[Problem]:
    v = case.vehicles
    yield from each(case, "vehicles", v["min_kw"] > v["max_kw"], "min_kw is above max_kw", v["min_kw"])


@of("appliances")
def appliances_fit(case: Case) -> Iterator[Problem]:
    """The window holds the whole run, and the profile can be laid on the grid."""
    minutes = case.settings.interval_minutes
    columns = [case.appliances[c].tolist() for c in ("profile_kw", "profile_minutes", "earliest", "latest_end")]
    for row, (text, step, earliest, latest) in enumerate(zip(*columns, strict=True)):
        powers = profile_of(text)
        if powers is None:
            if text:
                yield case.problem("appliances", row, "profile_kw is no list of powers", text, "write 1.2;0.8;0.8")
            continue
        if max(powers) > POWER.most:
            what = f"profile_kw is not plausible: beyond {POWER.most:,.0f}"
            yield case.problem("appliances", row, what, text, POWER.hint)
            continue
        if step < 1 or (step % minutes and minutes % step):
            what = f"profile_minutes fits no interval of {minutes} minutes"
            yield case.problem("appliances", row, what, step, "take a divisor or a multiple of interval_minutes")
            continue
        yield from _window_of(case, row, earliest, latest, math.ceil(len(powers) * step / minutes) * minutes / 60)


def _window_of(case: Case, row: int, earliest: str, latest: str, run_hours: float) -> Iterator[Problem]:
    if not earliest or not latest:
        return
    ends = _moments(case, "appliances", ("earliest", "latest_end"), row, (earliest, latest))
    if isinstance(ends, Problem):
        yield ends
        return
    hours = nominal_hours(*ends)
    if hours <= 0:
        what = "latest_end is not after earliest"
        yield case.problem("appliances", row, what, f"{earliest} to {latest}")
    elif run_hours > hours + TINY_KWH:
        what = f"the window of {hours:g} h is shorter than the run of {run_hours:g} h"
        yield case.problem("appliances", row, what, f"{earliest} to {latest}", "widen the window")


def profile_of(text: str) -> tuple[float, ...] | None:
    """The powers of ``1.2;0.8;0.8`` in kW; None if it is no list of numbers >= 0."""
    try:
        powers = tuple(float(part) for part in text.split(";"))
    except ValueError:
        return None
    return powers if all(math.isfinite(p) and p >= 0 for p in powers) else None


@of("flexible", "generators")
def bands_are_open(case: Case) -> Iterator[Problem]:
    f, g = case.flexible, case.generators
    yield from each(case, "flexible", f["min_kw"] > f["max_kw"], "min_kw is above max_kw", f["min_kw"])
    wrong = f["min_cumulative_kwh"] > f["max_cumulative_kwh"]
    what = "min_cumulative_kwh is above max_cumulative_kwh"
    yield from each(case, "flexible", wrong, what, f["min_cumulative_kwh"])
    yield from each(case, "generators", g["min_kw"] > g["max_kw"], "min_kw is above max_kw", g["min_kw"])


def scaled_powers(case: Case) -> Iterator[Problem]:
    """A profile in shares times its peak is a power that a city can have."""
    profiles = case.profiles
    highest = profiles["value"].groupby(profiles["profile"]).max()
    for table in ("loads", "solar", "wind"):
        assets = case.tables[table]
        if not len(assets):
            continue
        power = assets["peak_kw"] * assets["profile"].map(highest).where(assets["profile"].str.endswith("_pu"))
        what = f"peak_kw times the highest value of the profile is not plausible: beyond {POWER.most:,.0f} kW"
        yield from each(case, table, power > POWER.most, what, power, POWER.hint)


CHECKS = (
    loads_have_one_source,
    loads_are_scaled,
    profile_names,
    profiles_are_not_negative,
    plants_have_one_source,
    batteries_hold_their_state,
    vehicles_stay_long_enough,
    vehicles_are_in_one_place,
    vehicle_powers,
    appliances_fit,
    bands_are_open,
    scaled_powers,
)
