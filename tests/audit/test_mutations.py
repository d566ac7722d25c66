"""Every rule names the one number that was changed to break it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from factory import start, town
from mutations import Mutation, added, both, cell, dispatch, entry, reseal, without

from planner.audit import RULES, audit

B1, B2, CASE1, CASE2 = "buildings/b1/", "buildings/b2/", "buildings/b1/case/", "buildings/b2/case/"
MARKET, INPUT = "market/", "market/case/"

BROKEN: list[tuple[str, Mutation]] = [
    ("C1", cell(B1 + "units.csv", "start", start(7), unit="a1", interval=7)),
    ("C1", cell(MARKET + "prices.csv", "interval", 25, zone="town", interval=24)),
    ("C1", entry("certificate.json", "intervals", lambda n: n - 1)),
    ("C1", entry("certificate.json", "delivery_date", lambda day: "2026-03-03")),
    ("C2", dispatch("b1", "a1.load", 3, "energy_kwh", 3.1)),
    ("C2", dispatch("b1", "a1.load", 3, "energy_kwh", -0.1)),
    ("C3", dispatch("b1", "a2.sun", 12, "energy_kwh", -2.1)),
    ("C3", dispatch("b1", "a2.sun", 2, "energy_kwh", 0.1)),
    ("C4", dispatch("b2", "d2.battery", 7, "state_of_charge_kwh", 1.0)),
    ("C4", dispatch("b2", "d2.battery", 4, "energy_kwh", 1.2)),
    ("C4", cell(CASE2 + "batteries.csv", "energy_kwh", 0.8, battery="d2.battery")),
    ("C4", cell(CASE2 + "batteries.csv", "charge_kw", 0.5, battery="d2.battery")),
    ("C5", dispatch("b2", "d2.battery", 4, "state_of_charge_kwh", 0.8)),
    ("C6", dispatch("b2", "d2.car", 5, "energy_kwh", 1.0)),
    ("C6", dispatch("b2", "d2.car", 2, "energy_kwh", 0.4)),
    ("C6", cell(CASE2 + "vehicles.csv", "max_kw", 2, vehicle="d2.car")),
    ("C6", cell(CASE2 + "vehicles.csv", "energy_kwh", 2.5, vehicle="d2.car")),
    ("C7", dispatch("b2", "d2.washer", 17, "energy_kwh", 0.7)),
    ("C7", dispatch("b2", "d2.washer", 20, "energy_kwh", 1.0)),
    ("C7", cell(CASE2 + "appliances.csv", "latest_end", "16:00", appliance="d2.washer")),
    ("C8", dispatch("b2", "d3.heat", 3, "energy_kwh", 1.2)),
    ("C9", dispatch("b2", "d3.chp", 18, "energy_kwh", -2.2)),
    ("C9", dispatch("b2", "d3.chp", 20, "energy_kwh", -1.5)),
    ("C9", dispatch("b2", "d3.chp", 19, "on", 0)),
    ("C9", cell(CASE2 + "generators.csv", "min_up_intervals", 3, generator="d3.chp")),
    ("C10", cell(B1 + "units.csv", "use_kwh", "3.001", unit="a1", interval=5)),
    ("C10", cell(CASE1 + "nodes.csv", "export_limit_kw", 0.5, node="a2")),
    ("C10", cell(CASE1 + "loads.csv", "node", "a2", load="a1.load")),
    ("C11", cell(B1 + "units.csv", "requested_kwh", "1.001", unit="a1", interval=5)),
    ("C11", cell(B1 + "units.csv", "withheld_kwh", "2.5", unit="a2", interval=24)),
    ("C12", cell(B2 + "position.csv", "position_kwh", "5.161", interval=10)),
    ("C12", cell(B2 + "position.csv", "loss_kwh", "0.5", interval=10)),
    ("C13", cell(CASE2 + "nodes.csv", "import_limit_kw", 9, node="b2")),
    ("C13", cell(CASE1 + "nodes.csv", "import_limit_kw", 3, node="b1")),
    (
        "C14",
        cell(MARKET + "exchange.csv", "import_kwh", lambda kwh: f"{float(kwh) + 0.001:.3f}", zone="town", interval=9),
    ),
    ("C14", cell(MARKET + "exchange.csv", "remainder_kwh", "0.001", zone="east", interval=9)),
    ("C14", cell(MARKET + "positions.csv", "offered_kwh", "2.001", group="b1", interval=12)),
    ("C14", cell(MARKET + "groups.csv", "dark", "true", group="b1")),
    ("C15", cell(INPUT + "nodes.csv", "import_limit_kw", 3.5, node="f1")),
    ("C16", cell(INPUT + "grid.csv", "import_limit_kw", 2, zone="town", start=start(10))),
    ("C16", cell(MARKET + "exchange.csv", "export_kwh", "1.000", zone="town", interval=9)),
    ("C16", cell(MARKET + "exchange.csv", "import_price_per_mwh", "99", zone="town", interval=9)),
    ("C17", cell(INPUT + "lines.csv", "forward_kwh", 5, line_id="L")),
    ("C18", cell(MARKET + "acceptances.csv", "accepted_kwh", "2.001", row=1)),
    ("C18", cell(MARKET + "acceptances.csv", "accepted_kwh", "0.5", row=4)),
    (
        "C18",
        both(
            cell(INPUT + "orders.csv", "quantity_kwh", 4, interval=8),
            cell(INPUT + "orders.csv", "quantity_kwh", 4, interval=9),
        ),
    ),
    ("C18", cell(MARKET + "acceptances.csv", "ratio", "0.9", row=1)),
    ("C18", cell(MARKET + "acceptances.csv", "price_per_mwh", "81", row=1)),
    ("C18", cell(INPUT + "orders.csv", "interval", 5, order_id="s1")),
    ("C18", without(MARKET + "acceptances.csv", row=2)),
    ("C19", cell(B1 + "units.csv", "allocation_kwh", "2.001", unit="a1", interval=5)),
    ("C19", cell(INPUT + "supply.csv", "energy_kwh", "3.9", contract="c1", start=start(4))),
    ("C19", cell(MARKET + "exchange.csv", "supply_kwh", "0.501", zone="town", interval=9)),
    ("C19", cell(INPUT + "allocations.csv", "energy_kwh", "3.9", node="b1", start=start(4))),
    ("C20", entry("certificate.json", "objective", lambda cost: cost * 1.0001)),
    ("C20", entry(B2 + "answer.json", "cost", lambda cost: cost * 1.0001)),
    ("C20", cell(CASE2 + "batteries.csv", "wear_per_mwh", 21, battery="d2.battery")),
    ("C20", cell(CASE2 + "generators.csv", "start_cost", 0.51, generator="d3.chp")),
    ("C20", cell(CASE2 + "loads.csv", "curtailment_cost_per_mwh", 60, load="d1.load")),
    ("C20", cell(CASE1 + "solar.csv", "support_per_mwh", 11, plant="a2.sun")),
    ("C20", cell(CASE1 + "allocations.csv", "reserve_per_mwh", 160, node="a2", start=start(23))),
    ("C20", cell(CASE2 + "flexible.csv", "min_cumulative_kwh", 6, start=start(20))),
    ("C20", cell(CASE2 + "vehicles.csv", "energy_kwh", 3.5, vehicle="d2.car")),
    ("C21", entry("certificate.json", "bound", lambda bound: bound + 2)),
    ("C21", entry("certificate.json", "gap_absolute", lambda gap: gap / 2)),
    ("C21", entry("certificate.json", "gap_relative", lambda gap: gap / 2)),
    ("C22", entry("certificate.json", "lost_opportunity_cost", lambda _: {"total": 0.9})),
    ("C22", entry(B1 + "answer.json", "proven_bound", lambda bound: bound + 1)),
    ("C22", cell(INPUT + "grid.csv", "import_price_per_mwh", 120, zone="town", start=start(10))),
    ("C22", cell(B1 + "position.csv", "node_price_per_mwh", "140", interval=3)),
    ("C22", cell(MARKET + "exchange.csv", "unserved_kwh", "0.100", zone="town", interval=9)),
    ("C23", cell(MARKET + "prices.csv", "price_per_mwh", "100.001", zone="town", interval=5)),
    ("C23", cell(MARKET + "prices.csv", "price_per_mwh", "101", zone="town", interval=5)),
    ("C23", cell(MARKET + "prices.csv", "price_per_mwh", "4001", zone="town", interval=5)),
    ("C23", cell(INPUT + "orders.csv", "price_per_mwh", 120, order_id="s1")),
    ("C23", cell(INPUT + "orders.csv", "price_per_mwh", 120, order_id="p1")),
    ("C23", cell(MARKET + "acceptances.csv", "surplus", "0.05", row=1)),
    ("C23", cell(MARKET + "acceptances.csv", "reason", "partly_accepted", row=1)),
    ("C23", cell(B2 + "position.csv", "node_price_per_mwh", "101", interval=3)),
    ("C1", cell(B1 + "settlement.csv", "start", "", account="a1", line="allocated_energy", interval=4)),
    ("C4", dispatch("b2", "d2.battery", 7, "state_of_charge_kwh", 0.9011)),
    ("C6", dispatch("b2", "d2.car", 5, "on", 1)),
    ("C7", dispatch("b2", "d2.washer", 20, "on", 1)),
    ("C7", dispatch("b2", "d2.washer", 17, "on", 0)),
    ("C10", dispatch("b1", "a1.load", 3, "power_kw", 3.1)),
    ("C21", entry("certificate.json", "gap_of_savings", lambda gap: gap * 2)),
    ("C22", entry("certificate.json", "lost_opportunity_cost", lambda lost: lost | {"total": lost["total"] + 0.01})),
    ("C22", entry("certificate.json", "lost_opportunity_cost", lambda lost: lost | {"orders": 0.01})),
    ("C22", entry(B1 + "answer.json", "proven_bound", lambda bound: bound - 0.01)),
    ("C24", entry("certificate.json", "buildings", lambda buildings: buildings + 1)),
    ("C24", entry("certificate.json", "units", lambda units: units + 1)),
    ("C24", entry("certificate.json", "groups_dark", lambda groups: groups + 1)),
    ("C24", entry("certificate.json", "dark_cost", lambda cost: cost + 1)),
    ("C24", entry("certificate.json", "pricing", lambda _: "fixed_integers")),
    ("C24", entry("certificate.json", "pieces", lambda pieces: [pieces[0] | {"last_interval": 23}])),
    ("C24", entry("certificate.json", "pieces", lambda pieces: pieces * 2)),
    ("C24", entry("certificate.json", "output_sha256", lambda digest: digest[::-1])),
    ("C24", entry("certificate.json", "case_sha256", lambda digest: digest[::-1] + "1")),
    ("C24", cell(MARKET + "offers.csv", "quantity", "0.3", interval=11)),
    ("C1", cell(MARKET + "prices.csv", "interval", "5.1", zone="town", interval=5)),
    ("C14", cell(MARKET + "offers.csv", "quantity", "0.3", interval=11)),
    ("C14", cell(MARKET + "offers.csv", "price", "99", interval=11)),
    ("C19", cell(CASE1 + "supply.csv", "energy_kwh", "3.9", start=start(4))),
    ("C19", cell(INPUT + "supply.csv", "price_per_mwh", "61", contract="c1", start=start(4))),
    ("C24", cell(MARKET + "rounds.csv", "cost", "1", interval=3)),
    ("C24", cell(MARKET + "rounds.csv", "interval", "4", interval=3)),
    ("C24", cell(MARKET + "rounds.csv", "position_kwh", "0.1", interval=3)),
    ("S5", cell(B1 + "settlement.csv", "amount", "0.001", account="a1", line="rounding")),
    ("S5", cell(MARKET + "settlement.csv", "amount", "0.001", account="group:b1", line="rounding")),
    ("C24", cell(B1 + "statements.csv", "counterparty_kind", "unit", line="fee")),
    ("S3", entry(B1 + "answer.json", "no_trade_cost", lambda cost: cost + 0.1)),
    ("S3", entry(B1 + "answer.json", "no_trade_cost", lambda cost: cost - 6)),
    ("S1", cell(B1 + "trades.csv", "energy_kwh", "0.999", interval=5)),
    ("S1", cell(B1 + "trades.csv", "buyer", "a2", interval=5)),
    ("S1", without(B1 + "trades.csv", interval=5)),
    ("S2", cell(B1 + "position.csv", "internal_price_per_mwh", "109", interval=5)),
    ("S2", cell(B2 + "position.csv", "internal_price_per_mwh", "100", interval=18)),
    ("S2", cell(B1 + "trades.csv", "price_per_mwh", "102", interval=5)),
    ("S3", entry(B2 + "answer.json", "no_trade_cost", lambda cost: cost - 0.1)),
    ("S3", cell(MARKET + "settlement.csv", "amount", "0.6", account="group:b2", line="make_whole")),
    ("S3", cell(B2 + "settlement.csv", "amount", "0.6", account="d1", line="make_whole")),
    ("S4", cell(MARKET + "settlement.csv", "amount", "0.700000001", account="group:b2", line="make_whole")),
    ("S4", cell(B1 + "settlement.csv", "amount", "-0.120000001", account="a1", line="allocated_energy", interval=4)),
    ("S5", cell(B1 + "settlement.csv", "price_per_mwh", "61", account="a1", line="allocated_energy", interval=4)),
    ("S5", cell(MARKET + "settlement.csv", "price_per_mwh", "101", account="group:b2", line="energy", interval=4)),
    ("S5", cell(B1 + "statements.csv", "amount", "-0.13", unit="a1", line="allocated_energy", interval=4)),
    ("S5", cell(B1 + "statements.csv", "price_per_mwh", "61", unit="a1", line="allocated_energy", interval=4)),
    ("S5", cell(CASE1 + "supply.csv", "price_per_mwh", "61", start=start(3))),
    ("S5", cell(B2 + "position.csv", "node_price_per_mwh", "101", interval=4)),
    ("S5", cell(MARKET + "flows.csv", "rent", "0.1", line_id="L", interval=4)),
    ("S5", without(MARKET + "settlement.csv", line="fee", interval=4)),
    ("S5", added(MARKET + "settlement.csv", ("group:b2", "fee", "-0.5"), ("marketplace", "fee", "0.5"))),
    ("S6", cell(B1 + "settlement.csv", "energy_kwh", "2.001", account="a1", line="allocated_energy", interval=4)),
    ("S6", cell(B1 + "settlement.csv", "energy_kwh", "1.001", account="a1", line="internal_buy", interval=4)),
    ("S6", cell(MARKET + "settlement.csv", "energy_kwh", "9.001", account="group:b2", line="energy", interval=4)),
    ("S6", without(B2 + "settlement.csv", account="d1", line="market_buy", interval=4)),
    ("C21", entry("certificate.json", "bound", lambda bound: bound + 0.5)),
    ("C21", entry("certificate.json", "bound", lambda bound: bound - 0.5)),
    ("C24", entry("certificate.json", "mode", lambda _: "monolith")),
    ("C24", entry("certificate.json", "information", lambda _: "central")),
    ("C24", entry("certificate.json", "answer_from", lambda _: "monolith")),
    ("C24", entry("certificate.json", "status", lambda _: "optimal")),
    ("C24", entry("certificate.json", "status", lambda _: "incumbent")),
    ("C24", entry("certificate.json", "seed", lambda seed: seed + 1)),
    ("C24", entry("certificate.json", "rounds", lambda rounds: rounds + 1)),
    ("C24", entry("certificate.json", "version", lambda version: version + 1)),
    ("C24", entry("certificate.json", "settlement", lambda sums: sums | {"fees_nano": sums["fees_nano"] + 1})),
    ("C29", entry("certificate.json", "savings", lambda savings: savings * 1.5)),
    ("C29", entry("certificate.json", "savings", lambda savings: savings * 0.5)),
    ("S3", entry(B1 + "answer.json", "no_trade_cost", lambda cost: cost * 1.5)),
    ("S3", cell(MARKET + "settlement.csv", "amount", "0.8", account="group:b2", line="make_whole")),
    ("S5", cell(B2 + "settlement.csv", "amount", "0.6", account="d1", line="make_whole")),
    ("S5", cell(MARKET + "settlement.csv", "line", "rebate", account="group:b2", line="energy", interval=4)),
    ("S6", cell(B1 + "settlement.csv", "line", "market_buy", account="a1", line="fee", interval=24)),
]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return town(tmp_path_factory.mktemp("run") / "town")


@pytest.mark.parametrize(("rule", "mutation"), BROKEN, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(BROKEN)])
def test_broken_rule_is_named(rule: str, mutation: Mutation, clean: Path, tmp_path: Path) -> None:
    run = shutil.copytree(clean, tmp_path / "run")
    mutation(run)
    if rule != "C24":  # whoever rewrites a run writes its digest anew: only the rule itself is left to complain
        reseal(run)
    result = audit(run)
    assert rule in result.rules_violated, str(result)


def test_every_rule_of_clear_and_settlement_has_a_mutation() -> None:
    of_books = {"C25", "C26", "C27", "C28"}  # in test_book.py
    assert {rule for rule, _ in BROKEN} == {rule for rule in RULES if rule[0] in "CS"} - of_books


AHEAD: list[tuple[str, Mutation]] = [
    ("C1", cell(B1 + "look_ahead/units.csv", "interval", 24, unit="a1", interval=25)),
    ("C2", cell(CASE1 + "profiles.csv", "a1.load_kw", 2, start=start(25))),
    ("C4", cell(CASE2 + "batteries.csv", "final_kwh", 0.5, battery="d2.battery")),
    ("C11", cell(B1 + "look_ahead/units.csv", "requested_kwh", "1.001", unit="a1", interval=26)),
    ("C14", cell(MARKET + "look_ahead/exchange.csv", "import_kwh", "0.001", zone="east", interval=26)),
    ("C20", cell(INPUT + "grid.csv", "import_price_per_mwh", 101, zone="town", start=start(25))),
]


@pytest.mark.parametrize(("rule", "mutation"), AHEAD, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(AHEAD)])
def test_broken_rule_in_the_look_ahead_is_named(rule: str, mutation: Mutation, tmp_path: Path) -> None:
    run = town(tmp_path / "run", look_ahead=2)
    mutation(run)
    reseal(run)
    result = audit(run)
    assert rule in result.rules_violated, str(result)


@pytest.mark.parametrize(
    ("hour", "energy", "price", "amount", "fine"),
    [
        (3, 2, "15", "0.03", True),
        (3, 2, "20", "0.04", False),  # another rate
        (3, 3, "15", "0.045", False),  # internal trade charged as well
        (4, 2, "15", "0.03", False),  # outside its window
    ],
)
def test_a_tariffs_component_is_charged_on_what_it_is_about(
    hour: int, energy: int, price: str, amount: str, fine: bool, clean: Path, tmp_path: Path
) -> None:
    """a1 uses 3 kWh in every hour, a neighbour sells it 1; 12 per MWh and a quarter of tax, from three to four."""
    run = shutil.copytree(clean, tmp_path / "run")
    header = "tariff,component,level,direction,basis,rate,vat_ratio,from_time,to_time\n"
    (run / CASE1 / "tariffs.csv").write_text(f"{header}home,grid,unit,import,per_mwh,12,0.25,03:00,04:00\n")
    nodes = run / CASE1 / "nodes.csv"
    named = [f"{row},{'tariff' if i == 0 else 'home' * row.startswith('a1,')}" for i, row in enumerate(_rows(nodes))]
    nodes.write_text("\n".join(named) + "\n")
    for name, rows in (
        ("settlement", (("a1", "", "-"), ("network_operator", "-", ""))),
        ("statements", (("a1", "", "-"),)),
    ):
        with (run / B1 / f"{name}.csv").open("a") as file:
            for account, taken, paid in rows:
                kind = ",network_operator" if name == "statements" else ""
                file.write(f"{account},grid,{hour + 1},{start(hour)},{taken}{energy},{price},{paid}{amount}{kind}\n")
    reseal(run)
    assert audit(run).clean is fine, str(audit(run))


def _rows(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize(("dark", "violated"), [("false", True), ("true", False)])
def test_a_round_that_asked_who_is_dark_in_the_end_bounds_another_city(
    dark: str, violated: bool, clean: Path, tmp_path: Path
) -> None:
    """A round with a bound just below the plan's cost, to which a third group spoke as well."""
    run = Path(shutil.copytree(clean, tmp_path / "run"))
    objective = json.loads((run / "certificate.json").read_text())["objective"]
    with (run / "market/rounds.csv").open("a") as file:
        for name in ("b1", "b2", "third"):
            file.write(f"1,price,{name},1,50,0,0,{objective - 1e-3}\n")
    with (run / "market/groups.csv").open("a") as file:
        file.write(f"third,dark,town,{dark},\n")
    told = [v for v in audit(run).violations if v.rule == "C21" and v.what == "below what rounds or prices prove"]
    assert bool(told) is violated
