"""Batteries, chargers and heat pumps of SimBench as the contract's assets; simbench.py says by what reading."""

from __future__ import annotations

import numpy as np
import pandas as pd
from real_tables import stamped

HOURS = 0.25
AHEAD = 4  # intervals a heat pump may run before or after its profile
LEAST_KW = {"3.7": 1.38, "11.0": 4.14, "22.0": 4.14}  # 6 A on one or three phases, by the charger's class


def batteries_of(batteries: pd.DataFrame) -> pd.DataFrame:
    size = batteries["eStore"] * 1000
    return pd.DataFrame(
        {
            "battery": batteries["name"],
            "node": batteries["unit"],
            "energy_kwh": size.round(3),
            "charge_kw": (-batteries["pMin"] * 1000).round(3),
            "discharge_kw": (batteries["pMax"] * 1000).round(3),
            "charge_efficiency": batteries["etaStore"],
            "discharge_efficiency": batteries["etaStore"],
            "initial_kwh": (size / 2).round(3),
        }
    )


def sessions(power_kw: pd.Series) -> list[tuple[int, int]]:
    """[first, last) positions of every run of charging."""
    on = np.diff(np.concatenate([[0], (power_kw.to_numpy() > 1e-9).astype(int), [0]]))
    return list(zip(np.flatnonzero(on == 1).tolist(), np.flatnonzero(on == -1).tolist(), strict=True))


def vehicles_of(chargers: pd.DataFrame, power: pd.DataFrame, begin: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """A row per session that begins inside the horizon."""
    rows = []
    for charger in chargers.itertuples():
        found = sessions(power[charger.name])
        for k, (first, last) in enumerate(found):
            start = power.index[first]
            if not begin <= start < until:
                continue
            stay = max(2 * (last - first), 16)
            following = found[k + 1][0] if k + 1 < len(found) else len(power)
            energy = power[charger.name].iloc[first:last].sum() * HOURS
            rows.append(
                {
                    "vehicle": charger.name,
                    "node": charger.unit,
                    "arrival": start.isoformat(),
                    "departure": (start + min(stay, following - first) * pd.Timedelta("15min")).isoformat(),
                    "energy_kwh": round(energy, 3),
                    "max_kw": charger.pLoad * 1000,
                    "min_kw": round(min(LEAST_KW[charger.profile.rsplit("_", 1)[1]], energy / HOURS), 3),
                }
            )
    columns = ["vehicle", "node", "arrival", "departure", "energy_kwh", "max_kw", "min_kw"]
    return pd.DataFrame(rows, columns=columns)


def heat_pumps_of(pumps: pd.DataFrame, horizon: pd.DataFrame) -> pd.DataFrame:
    """The cumulative band: what the profile has used an hour ago, and what it will have used in an hour."""
    frames = []
    for pump in pumps.itertuples():
        so_far = (horizon[pump.name] * HOURS).cumsum().to_numpy()
        low = np.concatenate([np.zeros(AHEAD), so_far[:-AHEAD]])
        high = np.concatenate([so_far[AHEAD:], np.full(AHEAD, so_far[-1])])
        columns = {"load": pump.name, "node": pump.unit, "start": stamped(horizon.index), "min_kw": 0.0}
        most = round(max(pump.pLoad * 1000, float(horizon[pump.name].max())), 3)
        frames.append(
            pd.DataFrame(
                {**columns, "max_kw": most, "min_cumulative_kwh": low.round(3), "max_cumulative_kwh": high.round(3)}
            )
        )
    return pd.concat(frames, ignore_index=True)
