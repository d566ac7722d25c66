"""S3 to S6: make-whole, and ledgers that close, in integers.

Wh and nano-currency; an amount is received where positive, energy is taken where positive, amount = -energy x price.
"""

from __future__ import annotations

import numpy as np

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.internal_trade import largest_remainder, participants
from planner.audit.ledgers import AMOUNT_DECIMALS, NANO, Ledger, booked_energy, per_line, read_ledger
from planner.audit.objective import RELATIVE, number
from planner.audit.series import dense
from planner.audit.table import DamagedFileError
from planner.money import from_text, price_nano

NOISE_NANO = 2 * NANO // 1_000_000  # costs travel in micro-currency
MARKET = "market/settlement"


def check_zero(ledger: Ledger, found: Findings) -> None:
    """S4, in every interval and for what is about the whole day."""
    if not len(ledger.t):
        return
    order = np.argsort(ledger.t, kind="stable")
    t, first = np.unique(ledger.t[order], return_index=True)
    for at, part in zip(t, np.split(ledger.amount[order], first[1:]), strict=True):
        total = sum(part.tolist())
        if total:
            where = None if at < 0 else int(at) + 1
            found.add("S4", ledger.file, "amounts do not sum to zero (nano-currency)", total, 0, interval=where)


def check_prices(ledger: Ledger, found: Findings) -> None:
    """S5: exact products."""
    size = np.abs(ledger.energy.astype(float) * ledger.price).max(initial=0.0)
    if size >= 2.0**62:
        raise DamagedFileError(ledger.file, "energy times price is beyond 63 bits")
    wrong = ledger.priced & (ledger.amount != -ledger.energy * ledger.price)
    for i in np.flatnonzero(wrong):
        name, right = ledger.name(i), -int(ledger.energy[i]) * int(ledger.price[i])
        where = int(ledger.t[i]) + 1 if ledger.t[i] >= 0 else None
        what = "amount is not energy times price"
        found.add("S5", ledger.file, what, ledger.amount[i] / NANO, right / NANO, name=name, interval=where)


def check_building_ledger(b: Building, found: Findings) -> None:
    """S4 and S5 for a building, its statements included."""
    ledger = read_ledger(b.run.table(f"{b.folder}/settlement"))
    check_zero(ledger, found)
    check_prices(ledger, found)


def check_statements(b: Building, found: Findings) -> None:
    """S5: what a unit is told is what the ledger says of it, line by line."""
    told = read_ledger(b.run.table(f"{b.folder}/statements"), "unit")
    booked = read_ledger(b.run.table(f"{b.folder}/settlement"))
    names, _ = participants(b)
    mine = booked.of(names)
    check_prices(told, found)
    both = [per_line(told, np.ones(len(told.t), dtype=bool)), per_line(booked, mine)]
    for key in sorted(set(both[0]) | set(both[1])):
        stated, right = (part.get(key, (0, 0)) for part in both)
        if stated != right:
            what = "statement is not the settlement (Wh, nano-currency)"
            found.add("S5", told.file, what, stated, right, name=f"{key[0]} {key[1]}")


def check_building_energy(b: Building, found: Findings) -> None:
    """S6: allocations, trades and positions, each in its line."""
    ledger, n = read_ledger(b.run.table(f"{b.folder}/settlement")), b.grid.settled
    names, position = participants(b)
    allocation = np.zeros(position.shape, dtype=np.int64)
    allocation[: len(b.units)] = b.allocation[:, :n]
    need, spare = np.maximum(position, 0), np.maximum(-position, 0)
    volume = np.minimum(need.sum(axis=0), spare.sum(axis=0))
    bought, sold = largest_remainder(volume, need), largest_remainder(volume, spare)
    outside = ("default_supply",) if b.dark else ("market_buy", "market_sell")
    expected = {
        ("allocated_energy",): allocation,
        ("internal_buy",): bought,
        ("internal_sell",): -sold,
        outside: need - bought - spare + sold,
    }
    for lines, right in expected.items():
        stated = booked_energy(ledger, names, n, *lines)
        found.flag("S6", ledger.file, names, stated != right, f"{' and '.join(lines)} (Wh)", stated, right)


def check_market_energy(run: Evidence, found: Findings) -> None:
    """S4, S5 and S6 for the marketplace: groups, neighbours, contracts and the default supplier."""
    m = run.market
    ledger, n = read_ledger(run.table(MARKET)), run.grid.settled
    names, positions = m.group_positions
    dark = dict(zip(m.groups.text("group"), m.groups.flags("dark", False), strict=True))
    speaking = [i for i, name in enumerate(names) if not dark.get(name, False)]
    sides = {
        "group": ([names[i] for i in speaking], positions[speaking]),
        "grid": (list(m.zones), m.of_zones("export_kwh") - m.of_zones("import_kwh")),
        "supplier": (list(m.zones), -m.of_zones("supply_kwh")),
    }
    for kind, (members, right) in sides.items():
        accounts = tuple(f"{kind}:{name}" for name in members)
        stated, expected = booked_energy(ledger, accounts, n, "energy"), right[:, :n]
        found.flag("S6", ledger.file, accounts, stated != expected, "energy of an account (Wh)", stated, expected)
    for line in ("remainder", "unserved"):
        stated = booked_energy(ledger, ("default_supplier",), n, line)
        expected = -m.of_zones(f"{line}_kwh").sum(axis=0, keepdims=True)[:, :n]
        found.flag("S6", ledger.file, ("default_supplier",), stated != expected, f"{line} (Wh)", stated, expected)


def check_market_ledger(run: Evidence, found: Findings) -> None:
    """S4 and S5 for the marketplace."""
    ledger = read_ledger(run.table(MARKET))
    check_zero(ledger, found)
    check_prices(ledger, found)
    m = run.market
    if not m.lines[0]:
        return
    flows = m.series("flows")
    rent = dense(flows, "line_id", m.lines[0], [from_text(p.table.column("rent"), AMOUNT_DECIMALS) for p in flows])
    ends = np.array([[m.zones.index(zone) for zone in pair] for pair in m.line_ends()])
    right = m.lines[1] * (m.prices[ends[:, 1]] - m.prices[ends[:, 0]])
    what = "rent is not flow times the difference in price"
    found.flag("S5", "market/flows.csv", m.lines[0], rent != right, what, rent / NANO, right / NANO)


def check_least_fees(run: Evidence, found: Findings) -> None:
    """S5: a group pays the fees on its position, or more where its buildings were on both sides."""
    m, n = run.market, run.grid.settled
    names, positions = m.group_positions
    buy, sell = price_nano(m.terms.fee_buy), price_nano(m.terms.fee_sell)
    for name, q in zip(names, positions[:, :n], strict=True):
        paid, least = _fees_paid(run, name), buy * int(np.maximum(q, 0).sum()) + sell * int(np.maximum(-q, 0).sum())
        if paid < least:
            found.add("S5", f"{MARKET}.csv", "less than the fees on its position", paid / NANO, least / NANO, name=name)


def check_fees(run: Evidence, found: Findings) -> None:
    """S5: a group pays the marketplace what the marketplace has of its buildings, to the nano-currency."""
    booked: dict[str, int] = {}
    for b in run.complete():
        own = read_ledger(run.table(f"{b.folder}/settlement"))
        if not b.dark:
            booked[b.group] = booked.get(b.group, 0) + sum(own.amount[own.of(("marketplace",), "fee")].tolist())
    for name, amount in sorted(booked.items()):
        if (paid := _fees_paid(run, name)) != amount:
            what = "not the fees that its buildings booked"
            found.add("S5", f"{MARKET}.csv", what, paid / NANO, amount / NANO, name=name)


def _fees_paid(run: Evidence, group: str) -> int:
    ledger = read_ledger(run.table(MARKET))
    return -sum(ledger.amount[ledger.of((f"group:{group}",), "fee")].tolist())


def check_make_whole(run: Evidence, found: Findings) -> None:
    """S3: per group, what its buildings lose against no trade at the published prices is paid to them."""
    ledger = read_ledger(run.table(MARKET))
    owed: dict[str, int] = {}
    for b in run.complete():
        if not b.dark:
            owed[f"group:{b.group}"] = owed.get(f"group:{b.group}", 0) + loss_against_no_trade(b)
    for account, amount in sorted(owed.items()):
        paid = int(ledger.amount[ledger.of((account,), "make_whole")].sum())
        if paid < amount - NOISE_NANO:
            found.add("S3", ledger.file, "worse off than without trade", paid / NANO, amount / NANO, name=account)


def check_no_trade(b: Building, found: Findings) -> None:
    """S3: trading nothing is one of the answers that the proven bound is below of; a dark building does just that."""
    file = b.file("answer.json")
    without, bound, cost = (number(b.answer, key, file) for key in ("no_trade_cost", "proven_bound", "cost"))
    slack = RELATIVE * max(1.0, abs(without))
    if without < bound - slack:
        found.add("S3", file, "the cost without trade is below the proven bound", without, bound, name=b.id)
    if b.dark and abs(without - cost) > slack:
        found.add("S3", file, "a dark building does not trade", without, cost, name=b.id)


def check_alone(run: Evidence, found: Findings) -> None:
    """S3: what a group that trades costs without trade is what it said before the rounds began, where there were any.

    One that fell silent is dark, and what it does then is not what it said.
    """
    rounds = run.table("market/rounds")
    alone = np.flatnonzero(np.array(rounds.text("kind")) == "alone")
    cost, group = rounds.numbers("cost"), rounds.labels("group")
    said = {str(group[row]): float(cost[row]) for row in alone}
    now: dict[str, float] = {}
    for b in (b for b in run.complete() if not b.dark):
        now[b.group] = now.get(b.group, 0.0) + number(b.answer, "no_trade_cost", b.file("answer.json"))
    for name in sorted(set(said) & set(now)):
        if not abs(said[name] - now[name]) <= RELATIVE * max(1.0, abs(said[name])):
            found.add("S3", "market/rounds.csv", "not the cost without trade", now[name], said[name], name=name)


def loss_against_no_trade(b: Building) -> int:
    """max(0, c_b + p.q - cost without trade) over the horizon, nano-currency."""
    file = b.file("answer.json")
    cost, without = (number(b.answer, key, file) for key in ("cost", "no_trade_cost"))
    paid = sum((b.node_price * b.position).tolist())
    return max(0, paid + round((cost - without) * NANO))


def check_own_make_whole(b: Building, found: Findings) -> None:
    """S3 in one building's own ledger: its units together receive what it lost, and no uplift beyond what it won."""
    if b.dark:
        return
    ledger = read_ledger(b.run.table(f"{b.folder}/settlement"))
    received = int(ledger.amount[ledger.of(participants(b)[0], "make_whole")].sum())
    owed = loss_against_no_trade(b)
    if received < owed - NOISE_NANO:
        found.add("S3", ledger.file, "worse off than without trade", received / NANO, owed / NANO, name=b.id)
