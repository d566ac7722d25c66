"""Batteries and generators: rows that become words one to one."""

from __future__ import annotations

from typing import Any

from planner.preparation.desk import Desk, number, records, text
from planner_models.words import Battery, Generator


def batteries(desk: Desk) -> list[tuple[str, Battery]]:
    """(node, Battery) of every row; the final content is the initial one unless given."""
    return [(text(row["node"]), _battery(desk, row)) for row in records(desk.case.batteries, "battery")]


def _battery(desk: Desk, row: dict[str, Any]) -> Battery:
    least, energy = number(row["minimum_kwh"], 0.0), number(row["energy_kwh"], 0.0)
    initial = number(row["initial_kwh"], 0.0)
    final = number(row["final_kwh"], initial)
    for name, value in (("initial_kwh", initial), ("final_kwh", final)):
        if not least <= value <= energy:
            desk.problem(
                "batteries",
                f"{name} outside [minimum_kwh, energy_kwh]",
                f"{row['battery']}: {value:g}",
                "correct it",
            )
    return Battery(
        id=row["battery"],
        energy_kwh=energy,
        charge_kw=number(row["charge_kw"], 0.0),
        discharge_kw=number(row["discharge_kw"], 0.0),
        charge_efficiency=number(row["charge_efficiency"], 1.0),
        discharge_efficiency=number(row["discharge_efficiency"], 1.0),
        minimum_kwh=least,
        initial_kwh=initial,
        final_kwh=final,
        standing_loss_per_h=number(row["standing_loss_per_h"], 0.0),
        wear_per_mwh=number(row["wear_per_mwh"], 0.0),
        shortfall_cost_per_mwh=desk.price_cap,
    )


def generators(desk: Desk) -> list[tuple[str, Generator]]:
    """(node, Generator) of every row."""
    return [(text(row["node"]), _generator(row)) for row in records(desk.case.generators, "generator")]


def _generator(row: dict[str, Any]) -> Generator:
    return Generator(
        id=row["generator"],
        max_kw=number(row["max_kw"], 0.0),
        min_kw=number(row["min_kw"], 0.0),
        cost_per_mwh=number(row["cost_per_mwh"], 0.0),
        start_cost=number(row["start_cost"], 0.0),
        min_up_intervals=int(number(row["min_up_intervals"], 1)),
        min_down_intervals=int(number(row["min_down_intervals"], 1)),
        initially_on=bool(row["initially_on"]) if text(row["initially_on"]) else False,
    )
