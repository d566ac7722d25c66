"""Ledgers by hand: known answers, and that every one of them closes (S3)–(S6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from factories_cleared import building, clear_of, order, small_city, unit, whole, zone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from planner.cleared import Cleared, Flow
from planner.settlement import LedgerNotBalancedError, Settled, Terms, imbalance_wh, settle_on
from planner.settlement.statements import CENT_NANO, in_cents, rounding_nano

FEES = Terms(buy_fee_nano=2000, sell_fee_nano=2000, default_import_nano=320_000, default_export_nano=20_000)
THIRD = ["marketplace", "supplier", "network_operator", "default_supplier", "operator", "cohort"]
KWH_CT = 10**6  # nano-currency in 1 kWh at a price of 1 per MWh


def received(ledger: pd.DataFrame, account: str, *lines: str) -> int:
    """What an account received on some lines, or on all before bills are rounded; nano-currency."""
    rows = ledger["account"].eq(account) & (ledger["line"].isin(lines) if lines else ledger["line"].ne("rounding"))
    return int(ledger.loc[rows, "amount_nano"].sum())


def assert_closed(settled: Settled) -> None:
    for ledger in (settled.market, *settled.cohorts.values(), *(b.settlement for b in settled.buildings.values())):
        assert (ledger.groupby(ledger["interval"].fillna(0))["amount_nano"].sum() == 0).all()
        priced = ledger["price_nano"].notna()
        product = -ledger.loc[priced, "energy_wh"] * ledger.loc[priced, "price_nano"]
        assert (ledger.loc[priced, "amount_nano"] == product).all()
        assert not ((ledger["energy_wh"] == 0) & (ledger["amount_nano"] == 0)).any()


def assert_billed_in_cents(settled: Settled) -> None:
    """Every bill is whole cents, nobody's is moved by a cent, and all of them together by half a cent at most."""
    inside = (b.settlement for b in settled.buildings.values())
    for ledger, kept in ((settled.market, ["marketplace", "network", "operator"]), *((own, THIRD) for own in inside)):
        bills = ledger[~ledger["account"].isin([*kept, "rounding"])]
        assert (bills.groupby("account", observed=True)["amount_nano"].sum() % CENT_NANO == 0).all()
        assert (bills.loc[bills["line"] == "rounding", "amount_nano"].abs() < CENT_NANO).all()
        assert abs(int(ledger.loc[ledger["account"] == "rounding", "amount_nano"].sum())) <= CENT_NANO // 2


def k15(uses: tuple[float, float, float], internal: float) -> Settled:
    allocations = (10, 5, 5)
    units = [unit(name, use, given) for name, use, given in zip("ABC", uses, allocations, strict=True)]
    b1 = building("b1", units, price=20, internal=internal)
    return settle_on(clear_of([b1], [zone(price=20)]), FEES)


def test_k15_shortage_buys_at_price_and_fee() -> None:
    settled = k15((6, 9, 7), 22)
    trades = settled.buildings["b1"].trades
    assert trades[["seller", "buyer", "energy_wh", "price_nano"]].values.tolist() == [
        ["A", "B", 2667, 22_000],
        ["A", "C", 1333, 22_000],
    ]
    ledger = settled.buildings["b1"].settlement
    assert received(ledger, "A", "internal_sell") == 4 * 22 * KWH_CT
    assert received(ledger, "B", "internal_buy") == -2667 * 22_000
    assert received(ledger, "B", "market_buy", "fee") == -1333 * 22_000
    assert received(ledger, "C", "market_buy") == -667 * 20_000
    assert received(ledger, "marketplace", "fee") == 2 * 2 * KWH_CT
    assert received(ledger, "supplier") == 20 * 15 * KWH_CT
    assert received(settled.market, "group:b1") == -2 * 22 * KWH_CT
    assert received(settled.market, "grid:city") == 2 * 20 * KWH_CT
    assert_closed(settled)


def test_k15_surplus_sells_at_price_less_fee() -> None:
    settled = k15((4, 8, 6), 18)
    ledger = settled.buildings["b1"].settlement
    assert received(ledger, "A", "market_sell") == 2 * 20 * KWH_CT
    assert received(ledger, "A", "fee") == -2 * 2 * KWH_CT
    assert received(ledger, "A", "internal_sell") == 4 * 18 * KWH_CT
    assert received(ledger, "B", "internal_buy") == -3 * 18 * KWH_CT
    assert received(settled.market, "group:b1") == 2 * 18 * KWH_CT
    assert_closed(settled)


def test_k15_even_pays_no_fee() -> None:
    settled = k15((5, 8, 7), 20)
    ledger = settled.buildings["b1"].settlement
    assert set(ledger["line"]) == {"allocated_energy", "internal_buy", "internal_sell", "rounding"}
    assert settled.market.empty
    assert received(ledger, "C", "internal_buy") == -2 * 20 * KWH_CT


@pytest.mark.parametrize(("allocation", "payments"), [((5, 0), (10, -10)), ((0, 5), (-40, 40))])
def test_k25_an_allocation_moves_money_not_energy(allocation: tuple[int, int], payments: tuple[int, int]) -> None:
    units = [unit("A", 4, allocation[0]), unit("B", 1, allocation[1])]
    settled = settle_on(clear_of([building("b1", units, price=10, internal=10)], [zone(price=10, contract=0)]), Terms())
    ledger = settled.buildings["b1"].settlement
    assert (received(ledger, "A"), received(ledger, "B")) == tuple(p * KWH_CT for p in payments)
    apart = [building(f"b{u.unit}", [u], price=10, internal=10) for u in units]
    market = settle_on(clear_of(apart, [zone(price=10, contract=0)]), Terms()).market
    assert (received(market, "group:bA"), received(market, "group:bB")) == tuple(p * KWH_CT for p in payments)


def test_k10_make_whole_of_a_block_under_fixed_integers() -> None:
    orders = [
        order("b", "buy", 8, 100, row=1),
        order("s", "sell", 3, 10, row=2, quantity_kwh=5, reason="partly_accepted"),
        order("k", "sell", 5, 40, row=3, kind="block", reason="accepted_at_loss"),
    ]
    settled = settle_on(clear_of([], [zone(price=10)], acceptances=orders), Terms())
    assert settled.totals["make_whole_nano"] == 150 * KWH_CT
    assert received(settled.market, "order:k") == (50 + 150) * KWH_CT
    assert received(settled.market, "operator") == -150 * KWH_CT
    assert_closed(settled)


def test_k10_uplift_pro_rata_is_capped_at_each_surplus() -> None:
    orders = [
        order("b", "buy", 8, 100, row=1),
        order("s", "sell", 3, 10, row=2, quantity_kwh=5),
        order("k", "sell", 5, 40, row=3, kind="block"),
    ]
    settled = settle_on(clear_of([], [zone(price=10)], acceptances=orders), Terms(uplift_pro_rata=True))
    assert received(settled.market, "order:b", "uplift") == -150 * KWH_CT, "the step seller has no surplus to pay with"
    assert received(settled.market, "operator") == 0
    assert_closed(settled)


def test_k11_a_child_saves_its_parent() -> None:
    orders = [
        order("d", "buy", 20, 22, row=1),
        order("p", "sell", 10, 30, row=2, kind="block"),
        order("c", "sell", 10, 10, row=3, kind="block"),
    ]
    cleared = clear_of([], [zone(price=21)], acceptances=orders)
    table = pd.DataFrame({"order_id": ["d", "p", "c"], "parent_order_id": ["", "", "p"], "fixed_cost": 0.0})
    assert settle_on(cleared, Terms(orders=table)).totals["make_whole_nano"] == 0
    assert settle_on(cleared, Terms()).totals["make_whole_nano"] == 90 * KWH_CT


def test_k18_congestion_rent() -> None:
    orders = [
        order("s1", "sell", 4, 10, zone="D1", quantity_kwh=10),
        order("s2", "sell", 6, 25, zone="D2", quantity_kwh=10),
        order("b", "buy", 10, 30, zone="D2"),
    ]
    flow = Flow("l", "D1", "D2", whole(4, 1, 1000), 0.0)
    cleared = clear_of([], [zone("D1", price=10), zone("D2", price=25)], acceptances=orders, flows=[flow])
    settled = settle_on(cleared, Terms())
    assert received(settled.market, "network", "congestion_rent") == 60 * KWH_CT
    assert settled.totals["congestion_rent_nano"] == 60 * KWH_CT
    assert_closed(settled)


def test_congestion_rent_funds_make_whole_before_anybody_pays_uplift() -> None:
    lost = building("b1", [unit("u", 5)], zone="south", price=44, cost=0.0, no_trade_cost=0.125)
    won = building("b2", [unit("v", -1)], zone="south", price=40, cost=0.0, no_trade_cost=0.5)
    settled = settle_on(clear_of([lost, won], [zone("south", price=40)]), Terms(uplift_pro_rata=True))
    assert received(settled.market, "network", "congestion_rent") == 5 * 4 * KWH_CT
    assert received(settled.market, "group:b1", "make_whole") == (5 * 44 - 125) * KWH_CT
    assert received(settled.market, "network") == 0
    assert received(settled.market, "group:b2", "uplift") == -(95 - 20) * KWH_CT
    assert received(settled.buildings["b2"].settlement, "v", "uplift") == -75 * KWH_CT
    assert received(settled.market, "operator") == 0
    assert_closed(settled)


def test_c12_losses_of_a_line_are_bought_at_both_ends() -> None:
    flow = Flow("l", "nsw", "vic", np.array([92_308]), 0.05)
    orders = [order("g", "sell", 94.616, 50, zone="nsw"), order("d", "buy", 90, 100, zone="vic")]
    zones = [zone("nsw", price=50), zone("vic", price=52.564)]
    settled = settle_on(clear_of([], zones, acceptances=orders, flows=[flow]), Terms())
    assert not settled.market["account"].str.startswith("grid").any(), "94.616 - 92.308 - 2.308 leaves nothing"
    assert received(settled.market, "network", "losses") == -2308 * (50_000 + 52_564)
    assert received(settled.market, "network", "congestion_rent") == 92_308 * 2564
    assert_closed(settled)


def test_pay_as_bid_leaves_the_surplus_to_the_network() -> None:
    orders = [order("b", "buy", 2, 30), order("s", "sell", 2, 10)]
    settled = settle_on(clear_of([], [zone(price=20)], acceptances=orders), Terms(pay_as_bid=True))
    assert received(settled.market, "order:b") == -60 * KWH_CT
    assert received(settled.market, "network") == 40 * KWH_CT
    assert_closed(settled)


def test_a_small_city_closes_and_books_every_kind_of_line() -> None:
    settled = settle_on(small_city(), FEES)
    assert_closed(settled)
    assert {"energy", "fee", "congestion_rent", "losses", "remainder", "unserved", "make_whole", "rounding"} == set(
        settled.market["line"]
    )
    assert settled.market["interval"].max() == 3, "the look-ahead is not settled"
    assert (
        received(settled.market, "group:b1", "make_whole")
        == received(settled.buildings["b1"].settlement, "operator") * -1
    )


def test_make_whole_is_what_the_day_cost_beyond_no_trade() -> None:
    b1 = building("b1", [unit("u", 3)], price=100, cost=0.25, no_trade_cost=0.5)
    settled = settle_on(clear_of([b1], [zone(price=100)]), Terms())
    assert settled.totals["make_whole_nano"] == 50_000_000, "0.25 + 0.3 paid - 0.5"
    noise = building("b1", [unit("u", 3)], price=100, cost=0.2 + 1e-7, no_trade_cost=0.5)
    assert settle_on(clear_of([noise], [zone(price=100)]), Terms()).totals["make_whole_nano"] == 0


def test_a_dark_building_meets_the_default_supplier_at_home_only() -> None:
    cleared = small_city()
    settled = settle_on(cleared, FEES)
    assert not settled.market["account"].str.contains("b3").any()
    ledger = settled.buildings["b3"].settlement
    assert received(ledger, "default_supplier") == 3 * 500 * 320_000
    assert "fee" not in set(ledger["line"])
    giving = building("d", [unit("d.a", -1.5)], dark=True, no_trade_cost=0)
    home = settle_on(clear_of([giving], [zone()]), FEES).buildings["d"].settlement
    assert received(home, "d.a") == 1500 * 20_000


@pytest.mark.parametrize(("name", "account"), [("b1.common", "b1.common"), ("hall", "hall"), ("flat", "building")])
def test_losses_belong_to_the_common_unit_or_to_the_building(name: str, account: str) -> None:
    nodes = pd.DataFrame({"node": ["hall", "a"], "use": ["common", "office"]})
    b1 = building("b1", [unit("a", 1, 2), unit(name, 0)], loss_wh=[300])
    settled = settle_on(clear_of([b1], [zone()]), replace(FEES, nodes=nodes))
    ledger = settled.buildings["b1"]
    assert ledger.trades[["seller", "buyer", "energy_wh"]].values.tolist() == [["a", account, 300]]
    assert received(ledger.settlement, "a", "market_sell") == 700 * 20_000
    assert account in set(ledger.statements["unit"])


def test_a_cohort_is_one_account_whatever_its_buildings_pay() -> None:
    pair = [building(f"b{i}", [unit(f"u{i}", use)], price=p, group="c1") for i, use, p in ((1, 3, 20), (2, -1, 25))]
    market = settle_on(clear_of(pair, [zone(price=20)]), Terms()).market
    row = market[(market["account"] == "group:c1") & (market["line"] == "energy")]
    assert row[["energy_wh", "amount_nano"]].values.tolist() == [[2000, -3000 * 20_000 + 1000 * 25_000]]
    assert row["price_nano"].isna().all()


def cohort_of(uses: list[float], lost: list[float]) -> Cleared:
    """One interval of a cohort at 20 per MWh; ``lost`` is what each building's day costs beyond its no trade."""
    members = [
        building(f"b{i}", [unit(f"u{i}", use)], group="c1", cost=loss - use * 0.02 + 1, no_trade_cost=1.0)
        for i, (use, loss) in enumerate(zip(uses, lost, strict=True))
    ]
    return clear_of(members, [zone()])


def test_a_cohort_pays_fees_on_what_it_trades_and_its_buildings_on_what_they_do() -> None:
    settled = settle_on(cohort_of([-5, 4, 3], [0, 0, 0]), FEES)
    fee = 2 * KWH_CT
    assert received(settled.market, "group:c1", "fee") == -2 * fee == -settled.totals["fees_nano"]
    book = settled.cohorts["b0"].set_index("account")["amount_nano"]
    assert book.to_dict() == {
        **{"member:1": -5 * fee, "member:2": -4 * fee, "member:3": -3 * fee},
        **{"marketplace": 2 * fee, "cohort": 10 * fee},
    }
    ledger = settled.buildings["b1"]
    assert received(ledger.settlement, "cohort", "fee") == 4 * fee == -received(ledger.settlement, "u1", "fee")
    assert dict(zip(ledger.statements["line"], ledger.statements["counterparty_kind"], strict=True))["fee"] == "cohort"
    assert_closed(settled)


@pytest.mark.parametrize(("lost", "owed"), [([0.3, -0.1, 0], 0.2), ([0.3, -0.5, 0], 0.0)])
def test_a_cohort_is_owed_what_all_its_buildings_lost_and_makes_each_whole_itself(
    lost: list[float], owed: float
) -> None:
    settled = settle_on(cohort_of([1, 2, 3], lost), FEES)
    assert settled.totals["make_whole_nano"] == received(settled.market, "group:c1", "make_whole") == owed * 1e9
    assert received(settled.buildings["b0"].settlement, "u0", "make_whole") == 300_000_000
    book = settled.cohorts["b0"]
    book = book[book["line"] == "make_whole"].set_index("account")["amount_nano"].to_dict()
    assert book == {"member:1": 300_000_000, "cohort": owed * 1e9 - 3e8} | ({"operator": -owed * 1e9} if owed else {})
    assert "make_whole" not in set(settled.buildings["b1"].settlement["line"])
    assert_closed(settled)


def test_uplift_of_a_cohort_falls_to_those_of_it_who_won() -> None:
    loser = building("z", [unit("w", 1)], cost=1.0 - 0.02 + 0.3, no_trade_cost=1.0)
    cohort = cohort_of([1, 2, 3], [0.1, -0.25, -0.05])
    cleared = clear_of([*cohort.buildings, loser], [zone()])
    settled = settle_on(cleared, replace(FEES, uplift_pro_rata=True))
    assert received(settled.market, "group:c1", "uplift") == -200_000_000, "all that it won"
    paid = [received(settled.buildings[f"b{i}"].settlement, f"u{i}", "uplift") for i in range(3)]
    assert paid == [0, -150_000_000, -50_000_000], "by energy, and the last no more than he won"
    assert_closed(settled)


def test_the_marketplace_settles_two_insides_of_one_position_alike() -> None:
    """A single seller's day is in no sum that the marketplace books."""
    one, other = (settle_on(cohort_of(uses, [0.1, 0, 0]), FEES) for uses in ([-5, 4, 3], [-1, 2, 1]))
    assert one.market.equals(other.market)
    assert one.totals == other.totals
    assert not one.cohorts["b0"].equals(other.cohorts["b0"])


def test_statements_are_the_ledger_of_the_units() -> None:
    ledger = settle_on(small_city(), FEES).buildings["b1"]
    own = ledger.settlement[ledger.settlement["account"].str.startswith("b1")]
    assert ledger.statements["amount_nano"].sum() == own["amount_nano"].sum()
    assert len(ledger.statements) == len(own)
    kinds = dict(zip(ledger.statements["line"], ledger.statements["counterparty_kind"], strict=True))
    assert kinds["internal_buy"] == "unit"
    assert kinds["market_buy"] == kinds["fee"] == "marketplace"
    assert kinds["allocated_energy"] == "supplier"


def test_a_clear_that_does_not_balance_is_a_bug_not_a_remainder() -> None:
    cleared = small_city()
    zones = tuple(replace(z, supply_wh=z.supply_wh + 1) for z in cleared.zones)
    with pytest.raises(LedgerNotBalancedError, match="zone north, interval 1: -1 Wh"):
        settle_on(replace(cleared, zones=zones), FEES)


def test_cents_sum_to_the_rounded_sum() -> None:
    exact = {"a": 3_333_333, "b": 3_333_333, "c": 3_333_334, "d": -25_000_001}
    assert in_cents(exact) == {"a": 0, "b": 0, "c": 0, "d": -2}
    assert sum(rounding_nano(exact).values()) == 0


def _random_city(position: np.ndarray, prices: list[int], loss: list[int], fee: int, group: str) -> Cleared:
    n = position.shape[2]
    buildings = [
        building(
            f"b{b}",
            [unit(f"b{b}.{i}", rows / 1000, 0.0, n) for i, rows in enumerate(units)],
            n=n,
            price=prices[b] / 1000,
            internal=(prices[b] + fee) / 1000,
            loss_wh=loss[b],
            dark=b == 2,
            group="" if b == 2 else group,
            cost=prices[b] / 100,
            no_trade_cost=prices[-1] / 100,
        )
        for b, units in enumerate(position)
    ]
    return clear_of(buildings, [zone(n=n, price=prices[0] / 1000)], n=n)


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.int64, (3, 3, 3), elements=st.integers(-5000, 5000)),
    st.lists(st.integers(-500_000, 4_000_000), min_size=3, max_size=3),
    st.lists(st.integers(0, 50), min_size=3, max_size=3),
    st.integers(0, 9000),
    st.booleans(),
    st.sampled_from(["", "cohort-city"]),
)
def test_every_ledger_of_any_city_closes(
    position: np.ndarray, prices: list[int], loss: list[int], fee: int, pro_rata: bool, group: str
) -> None:
    cleared = _random_city(position, prices, loss, fee, group)
    terms = replace(FEES, buy_fee_nano=fee, sell_fee_nano=fee // 2, uplift_pro_rata=pro_rata)
    settled = settle_on(cleared, terms)
    assert_closed(settled)
    assert not any(imbalance_wh(cleared, z).any() for z in cleared.zones)
    assert_billed_in_cents(settled)
    for b in cleared.buildings:
        ledger = settled.buildings[b.building]
        lines = ledger.settlement[ledger.settlement["account"].str.contains(r"^b\d\.\d|^building$")]
        market: Any = lines[lines["line"].isin(["market_buy", "market_sell", "default_supply"])]
        assert market["energy_wh"].sum() == b.position_wh.sum()


def test_rows_do_not_depend_on_the_order_of_units_and_buildings() -> None:
    cleared = small_city()
    turned = replace(cleared, buildings=tuple(replace(b, units=b.units[::-1]) for b in reversed(cleared.buildings)))
    one, other = settle_on(cleared, FEES), settle_on(turned, FEES)
    pd.testing.assert_frame_equal(one.market, other.market)
    for name in one.buildings:
        for ours, theirs in zip(one.buildings[name], other.buildings[name], strict=True):
            pd.testing.assert_frame_equal(ours, theirs)
