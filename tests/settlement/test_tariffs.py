"""Network tariffs by level, basis and window, by hand."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from factories_cleared import building, clear_of, unit, zone

from planner.settlement import Terms, settle_on

NODES = pd.DataFrame(
    [
        ("city", "", "city", "", "net"),
        ("b1", "city", "building", "", None),
        ("a", "b1", "unit", "office", ""),
        ("b", "b1", "unit", "office", "home"),
    ],
    columns=["node", "parent", "kind", "use", "tariff"],
)


def component(tariff: str, name: str, level: str, basis: str, rate: float, **more: Any) -> dict[str, Any]:
    row = {"tariff": tariff, "component": name, "level": level, "direction": "import", "basis": basis, "rate": rate}
    return {**row, **more}


def paid(*components: dict[str, Any], units: Any = None, n: int = 1) -> dict[tuple[str, str], int]:
    units = units or [unit("a", 6, 4, n), unit("b", 2, 4, n)]
    b1 = building("b1", units, n=n)
    terms = Terms(nodes=NODES, tariffs=pd.DataFrame(list(components)), timezone=ZoneInfo("Europe/Stockholm"))
    ledger = settle_on(clear_of([b1], [zone(n=n)], n=n), terms).buildings["b1"].settlement
    names = {row["component"] for row in components}
    sums = ledger[ledger["line"].isin(names)].groupby(["account", "line"], observed=True)["amount_nano"].sum()
    return {key: -amount for key, amount in sums.to_dict().items()}


def test_a_unit_pays_its_own_draw_without_what_it_traded_inside() -> None:
    # a draws 6 of which 2 come from b inside; b draws 2 and has the tariff home.
    assert paid(component("net", "grid", "unit", "per_mwh", 10)) == {
        ("a", "grid"): 4000 * 10_000,
        ("network_operator", "grid"): -4000 * 10_000,
    }
    half = paid(component("net", "grid", "unit", "per_mwh", 10, applies_to_internal=0.5))
    assert half["a", "grid"] == 5000 * 10_000


def test_the_buildings_draw_is_shared_by_use_and_tax_is_in_the_rate() -> None:
    units = [unit("a", 6, 6), unit("b", -3, 0)]
    charged = paid(component("net", "lines", "building", "per_mwh", 10, vat_ratio=0.25), units=units)
    assert charged["a", "lines"] == 3000 * 12_500, "the building draws 3 of the 6 kWh that a draws"


def test_the_nearest_tariff_holds_at_the_units_level_and_the_buildings_above() -> None:
    charged = paid(component("home", "x", "unit", "per_mwh", 1), component("net", "y", "building", "per_mwh", 1))
    assert charged["b", "x"] == 2000 * 1000
    assert ("a", "x") not in charged
    assert charged["a", "y"] + charged["b", "y"] == 8000 * 1000


def test_per_day_is_each_units_or_the_buildings_shared() -> None:
    charged = paid(component("net", "m", "unit", "per_day", 0.5), component("net", "c", "building", "per_day", 0.25))
    assert charged["a", "m"] == 500_000_000
    assert charged["a", "c"] == charged["b", "c"] == 125_000_000
    assert charged["network_operator", "c"] == -250_000_000


def test_a_months_peak_is_paid_by_what_the_day_adds() -> None:
    units = [unit("a", [6, 2], [6, 2], 2), unit("b", [0, 3], [0, 3], 2)]
    row = component("net", "peak", "unit", "per_kw_month", 2.0, peak_so_far_kw=5.5)
    assert paid(row, units=units, n=2)["a", "peak"] == 1_000_000_000
    row = component("net", "peak", "building", "per_kw_month", 2.0, peak_so_far_kw=4)
    assert paid(row, units=units, n=2) == {("a", "peak"): 4_000_000_000, ("network_operator", "peak"): -4_000_000_000}


def test_a_step_charges_what_lies_above_it() -> None:
    units = [unit("a", [4, 4], [4, 4], 2)]
    charged = paid(component("net", "high", "unit", "per_mwh", 10, step_from_kwh=5), units=units, n=2)
    assert charged["a", "high"] == 3000 * 10_000
