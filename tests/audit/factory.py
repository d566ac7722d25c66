"""A small, complete run folder from numbers worked out by hand, written without the clear and without the ledger.

The town of 2026-03-02 (24 hours, winter time), two zones joined by line L, everything in kWh per hour, price 100:

* b1 in zone town behind feeder f1.  a1 uses 3 of an allocation of 2, a2 uses 1 of 2: they trade 1 inside and the
  building trades nothing.  In hours 11 to 14 a2's sun gives 2 more, which is offered outside.  In hour 24 a2
  withholds 0.2 (its reserve is 150), so 0.2 are bought.
* b2 in zone east, losses 2 %.  d1 uses 8 of an allocation of 3, in hour 21 half a kWh less (agreed, at 50).  d2 has a
  battery (in 1.0 in hour 4, out 0.9 in hour 20), a vehicle (3 kWh in hour 2) and an appliance (1.0 and 0.5 in hours
  16 and 17).  d3 has a heat pump (1 kWh in hours 1 to 5) and a generator (2 kWh in hours 18 and 19).
* Orders: s1 sells 2 in hour 6 at 80, p1 would buy 1 in hour 7 at 90, block k1 sells 1 and 1 in hours 8 and 9 at 70.
* Contracts: 4.5 in town and 3 in east; half a kWh of town's is allocated to nobody and is taken.
* b1 could not have done better; b2 forgoes 1.  Against no trade b1 wins 5 and b2 loses 0.70, which is made whole.
* Without the city p1 would take the free half kWh in its hour, and the neighbour take it at 40 in all others.

``crowd`` adds that many occupants to each building (each uses 3 of an allocation of 1) for the release rules.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from planner.ledger import output_sha256

DAY = 24
PRICE, BUY_FEE, SELL_FEE = 100, 8, 2
FIRST = datetime(2026, 3, 2, tzinfo=ZoneInfo("Europe/Stockholm"))
LOSS = {"b1": 0, "b2": 20}  # per mille of the net use
ZONE = {"b1": "town", "b2": "east"}
SUN, GENERATING, HEATING = (10, 11, 12, 13), (17, 18), (0, 1, 2, 3, 4)


def start(t: int) -> str:
    """Start of interval ``t``, from 0, as files write it."""
    return (FIRST + timedelta(hours=t)).isoformat()


def at(hours: Mapping[int, int], otherwise: int = 0) -> Callable[[int], int]:
    return lambda t: hours.get(t, otherwise)


@dataclass
class House:
    """Wh by interval: the draw of every asset by unit, allocations, what is withheld; c_b and v_b follow."""

    id: str
    assets: dict[str, dict[str, Callable[[int], int]]]
    allocation: dict[str, int]
    withheld: dict[str, Callable[[int], int]] = field(default_factory=dict)

    def use(self, unit: str, t: int) -> int:
        return sum(draw(t) for draw in self.assets[unit].values())

    def kept(self, unit: str, t: int) -> int:
        return self.withheld.get(unit, at({}))(t)

    def delta(self, unit: str, t: int) -> int:
        return self.use(unit, t) - self.allocation[unit] + self.kept(unit, t)

    def loss(self, t: int) -> int:
        return round(Fraction(LOSS[self.id] * abs(sum(self.use(unit, t) for unit in self.assets)), 1000))

    def position(self, t: int) -> int:
        return sum(self.delta(unit, t) for unit in self.assets) + self.loss(t)


def houses(crowd: int = 0) -> dict[str, House]:
    b1 = House(
        "b1",
        {"a1": {"a1.load": at({}, 3000)}, "a2": {"a2.load": at({}, 1000), "a2.sun": at(dict.fromkeys(SUN, -2000))}},
        {"a1": 2000, "a2": 2000},
        {"a2": at({23: 200})},
    )
    b2 = House(
        "b2",
        {
            "d1": {"d1.load": at({20: 7500}, 8000)},
            "d2": {
                "d2.battery": at({3: 1000, 19: -900}),
                "d2.car": at({1: 3000}),
                "d2.washer": at({15: 1000, 16: 500}),
            },
            "d3": {"d3.heat": at(dict.fromkeys(HEATING, 1000)), "d3.chp": at(dict.fromkeys(GENERATING, -2000))},
            "b2.stairs": {},
        },
        {"d1": 3000, "d2": 0, "d3": 0, "b2.stairs": 0},
    )
    for house in (b1, b2):
        for i in range(crowd):
            unit = f"{house.id}.u{i:02d}"
            house.assets[unit] = {f"{unit}.load": at({}, 3000)}
            house.allocation[unit] = 1000
        house.assets = dict(sorted(house.assets.items()))
    return {"b1": b1, "b2": b2}


def kwh(wh: int) -> str:
    return str(Decimal(wh) / 1000)


def currency(nano: int) -> str:
    return format(Decimal(nano) / 10**9, "f")


def write(path: Path, header: str, rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)


class Town:
    """Writes the run folder; ``n`` is the horizon, 24 hours and the look-ahead."""

    def __init__(self, root: Path, look_ahead: int = 0, crowd: int = 0, preset: str = "lab") -> None:
        self.root, self.n, self.preset, self.crowd = root, DAY + look_ahead, preset, crowd
        self.look_ahead = look_ahead
        self.houses = houses(crowd)
        self.costs = {name: self._cost(house) for name, house in self.houses.items()}

    def parts(self, folder: str) -> list[tuple[Path, range]]:
        """The folders of a series and the intervals each tells of."""
        day, ahead = (self.root / folder, range(DAY)), (self.root / folder / "look_ahead", range(DAY, self.n))
        return [day, ahead] if self.look_ahead else [day]

    def build(self) -> Path:
        for house in self.houses.values():
            self._write_answers(house)
            self._write_case(house)
            self._write_money(house)
        self._write_market()
        self._write_market_case()
        self._write_market_money()
        self._write_rounds()
        self._write_certificate()
        return self.root

    # what it costs ------------------------------------------------------------------------------------------

    def _cost(self, house: House) -> float:
        """c_b by hand: sun's support, reserve, wear, generator with its start, agreed cut; fees on the position."""
        positions = [house.position(t) for t in range(self.n)]
        fees = sum(q * BUY_FEE if q > 0 else -q * SELL_FEE for q in positions) / 1e6
        own = {"b1": -8 * 10 / 1000 - 0.2 * 150 / 1000, "b2": 0.9 * 20 / 1000 + 4 * 60 / 1000 + 0.5 + 0.5 * 50 / 1000}
        return own[house.id] + fees

    def _paid(self, house: House) -> float:
        return sum(house.position(t) for t in range(self.n)) * PRICE / 1e6

    def imports(self, t: int) -> int:
        """What the neighbour of town delivers: everybody's needs, less the orders and the free half kWh."""
        sold = {5: 2000, 7: 1000, 8: 1000}.get(t, 0)
        return sum(house.position(t) for house in self.houses.values()) - sold - 500

    # buildings ----------------------------------------------------------------------------------------------

    def _write_answers(self, house: House) -> None:
        for folder, span in self.parts(f"buildings/{house.id}"):
            rows = [(u, t + 1, start(t), *map(kwh, numbers_of(house, u, t))) for u in house.assets for t in span]
            header = "unit interval start use_kwh allocation_kwh withheld_kwh requested_kwh offered_kwh"
            write(folder / "units.csv", header, rows)
            header = "interval start position_kwh loss_kwh node_price_per_mwh internal_price_per_mwh"
            sums = [(t + 1, start(t), kwh(house.position(t)), kwh(house.loss(t))) for t in span]
            prices = [(PRICE, inside_price(house.position(t))) for t in span]
            write(folder / "position.csv", header, [s + p for s, p in zip(sums, prices, strict=True)])
            self._write_dispatch(folder / "dispatch.parquet", house, span)
        cost, paid = self.costs[house.id], self._paid(house)
        answer = {
            "cost": cost,
            "no_trade_cost": cost + paid + (5 if house.id == "b1" else -0.7),
            "proven_bound": cost + paid - (0 if house.id == "b1" else 1),
            "group": house.id,
            "zone": ZONE[house.id],
            "dark": False,
        }
        (self.root / f"buildings/{house.id}/answer.json").write_text(json.dumps(answer))

    def _write_dispatch(self, path: Path, house: House, span: range) -> None:
        keys = [(unit, asset) for unit, assets in house.assets.items() for asset in sorted(assets)]
        rows = [(unit, asset, t, house.assets[unit][asset](t)) for unit, asset in keys for t in span]
        table = pa.table(
            {
                "unit": [row[0] for row in rows],
                "asset": [row[1] for row in rows],
                "interval": [row[2] + 1 for row in rows],
                "start": pa.array([FIRST + timedelta(hours=row[2]) for row in rows], pa.timestamp("ns", "UTC")),
                "power_kw": [row[3] / 1000 for row in rows],
                "energy_kwh": [row[3] / 1000 for row in rows],
                "state_of_charge_kwh": pa.array([stored(row[1], row[2]) for row in rows], pa.float64()),
                "on": pa.array([running(row[1], row[3]) for row in rows], pa.int8()),
            }
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)

    def _write_case(self, house: House) -> None:
        case = self.root / f"buildings/{house.id}/case"
        self._write_toml(case)
        path = {"b1": [("f1", "town", "feeder")], "b2": [("east", "riverside", "district")]}[house.id]
        above = [("riverside", "", "city"), *([("town", "riverside", "district")] if house.id == "b1" else []), *path]
        nodes: list[tuple[Any, ...]] = [(node, parent, kind, "", "", "", "", "") for node, parent, kind in above]
        nodes.append((house.id, path[-1][0], "building", "", "", 100, 20, LOSS[house.id] / 1000))
        for unit in house.assets:
            limits = (40, 10) if unit == "a2" else ("", "")
            use = "common" if unit == "b2.stairs" else "office"
            nodes.append((unit, house.id, "unit", use, "" if use == "common" else f"o-{unit}", *limits, ""))
        header = "node parent kind use occupant import_limit_kw export_limit_kw loss_ratio"
        write(case / "nodes.csv", header, nodes)
        allocations = [
            (u, start(t), kwh(a), 150 if u == "a2" else 0) for u, a in house.allocation.items() for t in self.span
        ]
        write(case / "allocations.csv", "node start energy_kwh reserve_per_mwh", allocations)
        contract = [("allocated", ZONE[house.id], start(t), kwh(sum(house.allocation.values())), 60) for t in self.span]
        write(case / "supply.csv", "contract zone start energy_kwh price_per_mwh", contract)
        loads = [(a, u) for u, assets in house.assets.items() for a in assets if a.endswith(".load")]
        terms = [(a, u, f"{a}_kw", 0.1 if a == "d1.load" else 0, 50 if a == "d1.load" else 0) for a, u in loads]
        write(case / "loads.csv", "load node profile curtailable_ratio curtailment_cost_per_mwh", terms)
        needs = {f"{a}_kw": at({}, 8000 if a == "d1.load" else house.assets[u][a](0)) for a, u in loads}
        if house.id == "b1":
            needs["a2.sun_kw"] = at(dict.fromkeys(SUN, 2000))
            sun = [("a2.sun", "a2", "a2.sun_kw", "true", 10)]
            write(case / "solar.csv", "plant node profile curtailable support_per_mwh", sun)
        else:
            self._write_devices(case)
        rows = [(start(t), *(kwh(need(t)) for need in needs.values())) for t in self.span]
        write(case / "profiles.csv", " ".join(["start", *needs]), rows)

    def _write_devices(self, case: Path) -> None:
        header = "battery node energy_kwh charge_kw discharge_kw charge_efficiency discharge_efficiency wear_per_mwh"
        write(case / "batteries.csv", header, [("d2.battery", "d2", 2, 1, 1, 0.9, 1, 20)])
        header = "vehicle node arrival departure energy_kwh max_kw min_kw"
        write(case / "vehicles.csv", header, [("d2.car", "d2", start(0), start(4), 3, 3, 1)])
        header = "appliance node earliest latest_end profile_kw profile_minutes"
        write(case / "appliances.csv", header, [("d2.washer", "d2", "14:00", "18:00", "1;0.5", 60)])
        header = "load node start min_kw max_kw min_cumulative_kwh max_cumulative_kwh deviation_cost_per_mwh"
        band = [("d3.heat", "d3", start(t), 0, 1, 5 if t >= 4 else 0, 5, 4000) for t in self.span]
        write(case / "flexible.csv", header, band)
        header = "generator node max_kw min_kw cost_per_mwh start_cost min_up_intervals min_down_intervals"
        write(case / "generators.csv", header, [("d3.chp", "d3", 2, 1, 60, 0.5, 2, 2)])

    @property
    def span(self) -> range:
        return range(self.n)

    def _write_toml(self, case: Path) -> None:
        case.mkdir(parents=True, exist_ok=True)
        lines = [
            'name = "riverside"',
            f"delivery_date = {FIRST.date()}",
            'timezone = "Europe/Stockholm"',
            "interval_minutes = 60",
            "synthetic = true",
            f"[horizon]\nlook_ahead_hours = {self.look_ahead}",
            f"[fees]\nmarket_buy_per_mwh = {BUY_FEE}\nmarket_sell_per_mwh = {SELL_FEE}",
            f'[privacy]\npreset = "{self.preset}"',
        ]
        (case / "case.toml").write_text("\n".join(lines) + "\n")

    # market -------------------------------------------------------------------------------------------------

    def _write_market(self) -> None:
        for folder, span in self.parts("market"):
            flow = {t: self.houses["b2"].position(t) for t in span}
            zones = [(zone, t) for zone in ("east", "town") for t in span]
            rows: list[tuple[Any, ...]]
            header = "zone resource interval start price_per_mwh price_low price_high indicative"
            rows = [(z, "electricity", t + 1, start(t), PRICE, PRICE, PRICE, "false") for z, t in zones]
            write(folder / "prices.csv", header, rows)
            header = "group interval start resource requested_kwh offered_kwh"
            rows = [
                (b, t + 1, start(t), "electricity", kwh(max(house.position(t), 0)), kwh(max(-house.position(t), 0)))
                for b, house in self.houses.items()
                for t in span
            ]
            write(folder / "positions.csv", header, rows)
            header = "zone interval start import_kwh export_kwh import_price_per_mwh export_price_per_mwh"
            here = {"town": (100, 40), "east": ("", "")}
            moved = {(z, t): (kwh(self.imports(t)), "0.000") if z == "town" else ("0.000", "0.000") for z, t in zones}
            free = {"town": "0.500", "east": "0.000"}
            rows = [(z, t + 1, start(t), *moved[z, t], *here[z], free[z], "0.000", "0.000") for z, t in zones]
            write(folder / "exchange.csv", f"{header} supply_kwh unserved_kwh remainder_kwh", rows)
            write(
                folder / "flows.csv",
                "line_id interval start flow_kwh rent",
                [("L", t + 1, start(t), kwh(flow[t]), 0) for t in span],
            )
        groups = [("b1", "building", "town", "false", "f1"), ("b2", "building", "east", "false", "")]
        write(self.root / "market/groups.csv", "group kind zone dark feeders", groups)
        header = "order_id row interval price_per_mwh accepted_kwh ratio surplus reason"
        accepted = [
            ("s1", 1, 6, 80, "2.000", 1, "0.04", "accepted"),
            ("p1", 2, 7, 90, "0.000", 0, 0, "out_of_the_money"),
            ("k1", 3, 8, 70, "1.000", 1, "0.03", "accepted"),
            ("k1", 4, 9, 70, "1.000", 1, "0.03", "accepted"),
        ]
        write(self.root / "market/acceptances.csv", header, accepted)

    def _write_market_case(self) -> None:
        case = self.root / "market/case"
        self._write_toml(case)
        nodes = [
            ("riverside", "", "city", "", ""),
            ("town", "riverside", "district", "", ""),
            ("east", "riverside", "district", "", ""),
            ("f1", "town", "feeder", 100 + 10 * self.crowd, 50),
            ("b1", "f1", "building", "", ""),
            ("b2", "east", "building", "", ""),
        ]
        write(case / "nodes.csv", "node parent kind import_limit_kw export_limit_kw", nodes)
        header = "zone start import_price_per_mwh export_price_per_mwh import_limit_kw export_limit_kw"
        write(case / "grid.csv", header, [("town", start(t), PRICE, 40, "", 50) for t in self.span])
        header = "contract zone start energy_kwh price_per_mwh"
        per_zone = (("c1", "town", 4500), ("c2", "east", 3000))
        contracts = [(c, z, start(t), kwh(wh + 1000 * self.crowd), 60) for c, z, wh in per_zone for t in self.span]
        write(case / "supply.csv", header, contracts)
        totals = {name: sum(house.allocation.values()) for name, house in self.houses.items()}
        allocations = [(b, start(t), kwh(total)) for b, total in totals.items() for t in self.span]
        write(case / "allocations.csv", "node start energy_kwh", allocations)
        header = "order_id zone side interval kind price_per_mwh quantity_kwh min_acceptance_ratio"
        orders = [
            ("s1", "town", "sell", 6, "step", 80, 2, ""),
            ("p1", "east", "buy", 7, "step", 90, 1, ""),
            ("k1", "town", "sell", 8, "block", 70, 1, 0.5),
            ("k1", "town", "sell", 9, "block", 70, 1, 0.5),
        ]
        write(case / "orders.csv", header, orders)
        lines = [("L", "town", "east", 40 + 10 * self.crowd, 40, 0)]
        write(case / "lines.csv", "line_id from_zone to_zone forward_kwh reverse_kwh loss_ratio", lines)

    def _write_rounds(self) -> None:
        """What each group said before the rounds (its cost without trade), and what was on offer."""
        alone = {name: json.loads((self.root / f"buildings/{name}/answer.json").read_text()) for name in self.houses}
        spare = {t: max(-self.houses["b1"].position(t), 0) for t in range(DAY)}
        offers = [("electricity", "town", t + 1, start(t), kwh(wh), PRICE) for t, wh in spare.items() if wh]
        write(self.root / "market/offers.csv", "resource zone interval start quantity price", offers)
        rows = [(0, "alone", b, t + 1, "", 0, alone[b]["no_trade_cost"], "") for b in alone for t in self.span]
        write(self.root / "market/rounds.csv", "round kind group interval price_per_mwh position_kwh cost bound", rows)

    def _write_certificate(self) -> None:
        trade = sum(self.imports(t) for t in self.span) * PRICE / 1e6 + 2 * 80 / 1000 + 2 * 70 / 1000
        objective = sum(self.costs.values()) + trade
        alone = sum(self.costs[name] + self._paid(house) for name, house in self.houses.items()) + 5 - 0.7
        idle = -(0.5 * 40 * (self.n - 1) + 0.5 * 90) / 1000
        savings = alone + idle - objective
        certificate = {
            "mode": "decentralised",
            "information": "aggregates",
            "answer_from": "rounds",
            "status": "stopped",
            "rounds": 1,
            "seed": 1,
            "version": 1,
            "supersedes": None,
            "settlement": {
                "fees_nano": self._fees(),
                "make_whole_nano": 700_000_000,
                "uplift_nano": 0,
                "borne_by_operator_nano": 700_000_000,
                "congestion_rent_nano": 0,
                "losses_nano": 0,
                "remainder_wh": 0,
            },
            "delivery_date": FIRST.date().isoformat(),
            "intervals": DAY,
            "buildings": 2,
            "objective": objective,
            "bound": objective - 1,
            "gap_absolute": 1.0,
            "gap_relative": 1.0 / abs(objective),
            "lost_opportunity_cost": {"buildings": 1.0, "orders": 0.0, "total": 1.0},
            "savings": savings,
            "gap_of_savings": 1 / savings,
            "units": sum(len(house.assets) for house in self.houses.values()),
            "groups_released": 2,
            "groups_dark": 0,
            "dark_cost": 0.0,
            "pricing": "convex_hull",
            "pieces": [
                {"first_interval": 1, "last_interval": self.n, "status": "stopped", "gap": 1.0 / abs(objective)}
            ],
            "case_sha256": "0" * 64,
            "output_sha256": output_sha256(self.root),
        }
        both = certificate["case_sha256"] + certificate["output_sha256"]
        certificate["run_id"] = hashlib.sha256(both.encode()).hexdigest()[:16]
        (self.root / "certificate.json").write_text(json.dumps(certificate))

    def _fees(self) -> int:
        """Fees of the delivery day, nano-currency."""
        positions = [house.position(t) for house in self.houses.values() for t in range(DAY)]
        return sum(q * BUY_FEE if q > 0 else -q * SELL_FEE for q in positions) * 1000

    # money --------------------------------------------------------------------------------------------------

    def _write_money(self, house: House) -> None:
        """Every line of the ledger beside its counterpart; all at one price per line and interval."""
        booked, trades = Books(), []
        outside = dict.fromkeys(house.assets, 0)
        for t in range(DAY):
            inside = inside_price(house.position(t))
            delta = {u: house.delta(u, t) for u in house.assets}
            if house.loss(t):
                delta["b2.stairs"] += house.loss(t)
            bought, sold = shared(delta)
            for unit, change in delta.items():
                outside[unit] += abs(change) - bought[unit] - sold[unit]
                booked.pair(unit, "supplier", "allocated_energy", t, house.allocation[unit], 60)
                booked.take(unit, "internal_buy", t, bought[unit], inside)
                booked.take(unit, "internal_sell", t, -sold[unit], inside)
                booked.pair(unit, "marketplace", "market_buy", t, max(change, 0) - bought[unit], PRICE)
                booked.pair(unit, "marketplace", "fee", t, max(change, 0) - bought[unit], BUY_FEE)
                booked.pair(unit, "marketplace", "market_sell", t, -(max(-change, 0) - sold[unit]), PRICE)
                booked.pair(unit, "marketplace", "fee", t, max(-change, 0) - sold[unit], SELL_FEE)
            trades += [(s, b, "electricity", t + 1, start(t), kwh(e), inside) for s, b, e in pairs(sold, bought)]
        if house.id == "b2":
            for unit, amount in apportioned(700_000_000, outside).items():
                booked.money(unit, "make_whole", amount)
            booked.money("operator", "make_whole", -700_000_000)
        booked.in_cents(house.assets)
        folder = self.root / f"buildings/{house.id}"
        write(folder / "trades.csv", "seller buyer resource interval start energy_kwh price_per_mwh", trades)
        write(folder / "settlement.csv", Books.header, booked.rows())
        own = [(*row, "marketplace") for row in booked.rows() if row[0] in house.assets]
        write(folder / "statements.csv", Books.header.replace("account", "unit") + " counterparty_kind", own)

    def _write_market_money(self) -> None:
        booked = Books()
        for t in range(DAY):
            for name, house in self.houses.items():
                q = house.position(t)
                booked.take(f"group:{name}", "energy", t, q, PRICE)
                booked.pair(f"group:{name}", "marketplace", "fee", t, abs(q), BUY_FEE if q > 0 else SELL_FEE)
            booked.take("grid:town", "energy", t, -self.imports(t), PRICE)
            booked.take("supplier:town", "energy", t, -500, PRICE)
            booked.take("order:s1", "energy", t, -2000 if t == 5 else 0, PRICE)
            booked.take("order:k1", "energy", t, -1000 if t in (7, 8) else 0, PRICE)
        booked.money("group:b2", "make_whole", 700_000_000)
        booked.money("operator", "make_whole", -700_000_000)
        booked.in_cents(["group:b1", "group:b2", "grid:town", "supplier:town", "order:s1", "order:k1"])
        write(self.root / "market/settlement.csv", Books.header, booked.rows())


def numbers_of(house: House, unit: str, t: int) -> tuple[int, ...]:
    """Use, allocation, withheld, requested, offered; Wh."""
    delta = house.delta(unit, t)
    return house.use(unit, t), house.allocation[unit], house.kept(unit, t), max(delta, 0), max(-delta, 0)


class Books:
    """Rows of a ledger: energy taken at a price costs its product."""

    header = "account line interval start energy_kwh price_per_mwh amount"

    def __init__(self) -> None:
        self.entries: list[tuple[Any, ...]] = []

    def take(self, account: str, line: str, t: int, wh: int, price: int) -> None:
        if wh:
            self.entries.append((account, line, t + 1, start(t), kwh(wh), price, currency(-wh * price * 1000)))

    def pair(self, account: str, other: str, line: str, t: int, wh: int, price: int) -> None:
        self.take(account, line, t, wh, price)
        self.take(other, line, t, -wh, price)

    def money(self, account: str, line: str, nano: int) -> None:
        if nano:
            self.entries.append((account, line, "", "", "", "", currency(nano)))

    def in_cents(self, accounts: Iterable[str]) -> None:
        """Each bill rounded down to cents, then as many cents more as bring their sum nearest to the exact."""
        exact = {name: sum(Fraction(row[6]) for row in self.entries if row[0] == name) for name in accounts}
        cents = {name: amount * 100 // 1 for name, amount in exact.items()}
        more = (sum(exact.values()) * 100 + Fraction(1, 2)) // 1 - sum(cents.values())
        for name in sorted(exact, key=lambda name: (cents[name] - exact[name] * 100, name))[: int(more)]:
            cents[name] += 1
        for name, amount in exact.items():
            self.money(name, "rounding", int((Fraction(cents[name], 100) - amount) * 10**9))
        left = sum(exact.values()) - Fraction(sum(cents.values()), 100)
        self.money("rounding", "rounding", int(left * 10**9))

    def rows(self) -> list[tuple[Any, ...]]:
        return self.entries


def inside_price(position: int) -> int:
    """Node price and fee on the side the building is on, the middle where it trades with nobody."""
    return PRICE + BUY_FEE if position > 0 else PRICE - SELL_FEE if position < 0 else PRICE + (BUY_FEE - SELL_FEE) // 2


def shared(delta: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Internal trade pro rata: what each buys and sells, Wh; exact fractions, then the largest remainders."""
    need, spare = ({u: max(sign * d, 0) for u, d in delta.items()} for sign in (1, -1))
    volume = min(sum(need.values()), sum(spare.values()))
    return apportioned(volume, need), apportioned(volume, spare)


def apportioned(volume: int, weight: Mapping[str, int]) -> dict[str, int]:
    if not volume:
        return dict.fromkeys(weight, 0)
    exact = {u: Fraction(volume * w, sum(weight.values())) for u, w in weight.items()}
    share = {u: int(value) for u, value in exact.items()}
    by_rest = sorted(exact, key=lambda u: (share[u] - exact[u], u))
    for u in by_rest[: volume - sum(share.values())]:
        share[u] += 1
    return share


def pairs(sold: Mapping[str, int], bought: Mapping[str, int]) -> list[tuple[str, str, int]]:
    left, found = dict(bought), []
    for seller, energy in sold.items():
        for buyer in left:
            part = min(energy, left[buyer])
            if part:
                found.append((seller, buyer, part))
                energy, left[buyer] = energy - part, left[buyer] - part
    return found


def stored(asset: str, t: int) -> float | None:
    return None if asset != "d2.battery" else 0.9 if 3 <= t < 19 else 0.0


def running(asset: str, wh: int) -> int | None:
    return int(wh != 0) if asset in ("d2.car", "d2.washer", "d3.chp") else None


def town(root: Path, look_ahead: int = 0, crowd: int = 0, preset: str = "lab") -> Path:
    """A run folder that holds every rule."""
    return Town(root, look_ahead, crowd, preset).build()
