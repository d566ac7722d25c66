"""Sun and wind: what tomorrow makes available, from a meter's forecast, a profile or the weather.

The weather models are first guesses for plants without history, plain on purpose:
sun, peak_kw x ghi / 1000 W/m2 x 0.85 (the usual performance ratio), never above peak_kw;
wind, cubic in the speed between 3 m/s and 12 m/s, full up to 25 m/s, then nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from planner.preparation.desk import Desk, Floats, kwh, number, records, text
from planner.preparation.loads import profile_series
from planner_models.words import Plant

PERFORMANCE_RATIO = 0.85
STANDARD_SUN_W_M2 = 1000.0
CUT_IN_M_S, RATED_M_S, CUT_OUT_M_S = 3.0, 12.0, 25.0


def sun_ratio(ghi_w_m2: Floats) -> Floats:
    """Production per kW of peak for global horizontal irradiance in W/m2."""
    ratio: Floats = np.clip(ghi_w_m2 / STANDARD_SUN_W_M2 * PERFORMANCE_RATIO, 0.0, 1.0)
    return ratio


def wind_ratio(wind_m_s: Floats) -> Floats:
    """Production per kW of peak for wind at hub height in m/s."""
    rising = (wind_m_s**3 - CUT_IN_M_S**3) / (RATED_M_S**3 - CUT_IN_M_S**3)
    return np.where(wind_m_s > CUT_OUT_M_S, 0.0, np.clip(rising, 0.0, 1.0))


WEATHER = {"solar": ("ghi_w_m2", sun_ratio), "wind": ("wind_m_s", wind_ratio)}


def plants(desk: Desk) -> list[tuple[str, Plant]]:
    """(node, Plant) of every row of solar.csv and wind.csv."""
    return [found for table in ("solar", "wind") for found in _of_table(desk, table)]


def _of_table(desk: Desk, table: str) -> list[tuple[str, Plant]]:
    found = []
    rows = records(getattr(desk.case, table), "plant")
    profiles = profile_series(desk, {text(row["profile"]) for row in rows})
    weather = _weather_ratio(desk, table) if any(_by_weather(row) for row in rows) else None
    for row in rows:
        energy = _energy(desk, table, row, profiles, weather)
        if energy is None:
            continue
        if energy.min() < 0:
            desk.problem(table, "production is negative", row["plant"], "production counts positive in a profile")
        curtailable = True if pd.isna(row["curtailable"]) else bool(row["curtailable"])
        plant = Plant(
            id=row["plant"],
            available_kwh=kwh(energy),
            curtailable=curtailable,
            support_per_mwh=number(row["support_per_mwh"], 0.0),
            spill_cost_per_mwh=0.0 if curtailable else desk.price_cap,
        )
        found.append((text(row["node"]), plant))
    return found


def _by_weather(row: dict[str, Any]) -> bool:
    return not text(row["meter"]) and not text(row["profile"])


def _weather_ratio(desk: Desk, table: str) -> Floats | None:
    """Production per kW of peak on the grid, or None where weather.csv has no rows for it."""
    column, ratio = WEATHER[table]
    series = desk.series("weather", None, column)
    return ratio(next(iter(series.values()))) if series else None


def _energy(
    desk: Desk, table: str, row: dict[str, Any], profiles: dict[str, Floats], weather: Floats | None
) -> Floats | None:
    """kWh per interval one plant can produce, or None with a problem noted."""
    if text(row["meter"]):
        forecast = desk.forecast.plant_kwh if desk.forecast else {}
        if row["plant"] in forecast:
            return np.asarray(forecast[row["plant"]], dtype=float)
        desk.problem(table, "no forecast for a metered plant", row["plant"], "add its meter file to meters.csv")
        return None
    name, peak = text(row["profile"]), number(row["peak_kw"], -1.0)
    ratio = profiles.get(name) if name else weather
    if ratio is None:
        what = "unknown or incomplete profile" if name else "no weather for a plant without meter and profile"
        desk.problem(table, what, f"{row['plant']}: {name}", "give profiles.csv or weather.csv for the delivery day")
        return None
    if name.endswith("_kw"):
        return ratio * desk.grid.hours
    if peak < 0:
        desk.problem(table, "no peak_kw to scale by", row["plant"], "give peak_kw or a profile ending in _kw")
        return None
    return ratio * peak * desk.grid.hours
