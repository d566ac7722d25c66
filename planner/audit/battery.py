"""C4 and C5: a battery's state, recomputed from its energy interval by interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.audit.assets import ROUNDING_WH, WH_PER_MWH, Bools, column
from planner.audit.evidence import Building
from planner.audit.findings import Findings
from planner.audit.table import Numbers, Table, Wh

SEEN_WH = 1e-4
"""States are given unrounded: what is gained beyond this was filled in, however little it is."""
EXACT_WH = 1e-2
"""How far an unrounded state may be from its recursion: decimal text, not arithmetic."""


@dataclass(frozen=True)
class Batteries:
    """``gain_wh`` is the state that its recursion does not explain: an emergency fill where positive."""

    table: Table
    names: tuple[str, ...]
    energy: Wh
    state: Numbers
    gain_wh: Numbers
    rounding_wh: Numbers
    may_fill: Bools


def read_batteries(b: Building) -> Batteries | None:
    """s_t = (1 - loss) s_t-1 + charge x efficiency - discharge / efficiency (+ fill), as far as the files show it."""
    table = b.case("batteries")
    if table is None:
        return None
    names = table.text("battery")
    energy, state = b.energy(names), b.state(names)
    initial = table.numbers("initial_kwh", 0.0)
    loss = table.numbers("standing_loss_per_h", 0.0)
    eta_in, eta_out = table.numbers("charge_efficiency", 1.0), table.numbers("discharge_efficiency", 1.0)
    before = np.column_stack([initial * 1000, state[:, :-1]])
    charged, discharged = np.maximum(energy, 0), np.maximum(-energy, 0)
    kept = (1 - column(loss) * b.grid.hours) * before
    follows = kept + charged * column(eta_in) - discharged / column(eta_out)
    return Batteries(
        table=table,
        names=names,
        energy=energy,
        state=state,
        gain_wh=state - follows,
        rounding_wh=column(ROUNDING_WH + ROUNDING_WH / eta_out),
        may_fill=((loss > 0) | (final_kwh(table) > initial))[:, None],
    )


def final_kwh(table: Table) -> Numbers:
    given = table.numbers("final_kwh")
    return np.where(np.isnan(given), table.numbers("initial_kwh", 0.0), given)


def check_batteries(b: Building, found: Findings) -> None:
    known = read_batteries(b)
    if known is None or not known.names:
        found.idle("C4", "C5")
        return
    table, names, energy, state = known.table, known.names, known.energy, known.state
    file, hours = b.file("dispatch"), b.grid.hours * 1000
    found.flag("C4", file, names, np.isnan(state), "no state of charge", state, 0)
    least, most = column(table.numbers("minimum_kwh", 0.0)) * 1000, column(table.numbers("energy_kwh")) * 1000
    # Only where a state is held at its minimum or size may whole Wh of energy explain a difference.
    gained = (known.gain_wh > np.where(state <= least + SEEN_WH, known.rounding_wh, EXACT_WH)) & ~known.may_fill
    lost = known.gain_wh < -np.where(state >= most - SEEN_WH, known.rounding_wh, EXACT_WH)
    follows = state - known.gain_wh
    found.flag("C4", file, names, gained | lost, "state does not follow from the energy (Wh)", state, follows)
    found.flag("C5", file, names, lost, "energy vanished, as by charging and discharging at once (Wh)", state, follows)
    rounding = 2 * ROUNDING_WH
    found.flag("C4", file, names, state < least - rounding, "below its minimum (Wh)", state, least)
    found.flag("C4", file, names, state > most + rounding, "above its size (Wh)", state, most)
    charge, discharge = column(table.numbers("charge_kw")) * hours, column(table.numbers("discharge_kw")) * hours
    found.flag("C4", file, names, energy > charge + ROUNDING_WH, "charges too fast (Wh)", energy, charge)
    found.flag("C4", file, names, -energy > discharge + ROUNDING_WH, "discharges too fast (Wh)", -energy, discharge)
    final = final_kwh(table) * 1000
    for i in np.flatnonzero(state[:, -1] < final - rounding):
        what = "ends below its final state (Wh)"
        found.add("C4", file, what, state[i, -1], final[i], name=names[i], interval=len(b.grid))


def cost_of_batteries(b: Building) -> float:
    """Wear on what is discharged, emergency fill at the price cap."""
    known = read_batteries(b)
    if known is None:
        return 0.0
    wear = np.maximum(-known.energy, 0) * column(known.table.numbers("wear_per_mwh", 0.0))
    filled = np.where(known.may_fill & (known.gain_wh > SEEN_WH), known.gain_wh, 0.0)
    return float(wear.sum() + filled.sum() * b.terms.price_cap) / WH_PER_MWH
