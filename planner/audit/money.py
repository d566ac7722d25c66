"""S3 to S6: make-whole, and ledgers that close, in integers.

Wh and nano-currency; an amount is received where positive, energy is taken where positive, amount = -energy x price.
"""

from __future__ import annotations

import numpy as np

from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.internal_trade import participants
from planner.audit.ledgers import AMOUNT_DECIMALS, NANO, Ledger, per_line, read_ledger, same_rows
from planner.audit.objective import RELATIVE, number
from planner.audit.series import dense
from planner.audit.table import DamagedFileError, MissingFileError
from planner.money import from_text

NOISE_NANO = 2 * NANO // 1_000_000  # costs travel in micro-currency
MARKET = "market/settlement"
UNSAID = "what buildings cost without trade stands in their answers alone"


def check_zero(ledger: Ledger, found: Findings) -> None:
    """S4, in every interval and for what is about the whole day."""
    if not len(ledger.t):
        return
    order = np.argsort(ledger.t, kind="stable")
    t, first = np.unique(ledger.t[order], return_index=True)
    amount = ledger.amount[order]
    high, low = (np.add.reduceat(half, first).tolist() for half in (amount >> 32, amount & 0xFFFFFFFF))
    for at, total in zip(t, ((h << 32) + rest for h, rest in zip(high, low, strict=True)), strict=True):
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
    if same_rows(told, booked, mine):
        return
    both = [per_line(told, np.ones(len(told.t), dtype=bool)), per_line(booked, mine)]
    for key in sorted(set(both[0]) | set(both[1])):
        stated, right = (part.get(key, (0, 0)) for part in both)
        if stated != right:
            what = "statement is not the settlement (Wh, nano-currency)"
            found.add("S5", told.file, what, stated, right, name=f"{key[0]} {key[1]}")


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


def _paid(ledger: Ledger, line: str) -> dict[str, int]:
    """What each account receives on one line, nano-currency."""
    of_line = np.array([name == line for name in ledger.lines])[ledger.line]
    return {account: amount for (account, _), (_, amount) in per_line(ledger, of_line).items()}


def check_make_whole(run: Evidence, found: Findings) -> None:
    """S3: a group is paid what its buildings together lose against no trade at the published prices."""
    ledger = read_ledger(run.table(MARKET))
    lost: dict[str, int] = {}
    for b in run.complete():
        if not b.dark:
            lost[f"group:{b.group}"] = lost.get(f"group:{b.group}", 0) + loss_against_no_trade(b)
    received = _paid(ledger, "make_whole")
    for account, loss in sorted(lost.items()):
        _compare_make_whole(received.get(account, 0), loss, ledger.file, account, found)


def _compare_make_whole(paid: int, loss: int, file: str, name: str, found: Findings) -> None:
    if abs(paid - max(0, loss)) > NOISE_NANO:
        what = "worse off than without trade" if paid < loss else "more make-whole than was lost"
        found.add("S3", file, what, paid / NANO, max(0, loss) / NANO, name=name)


def check_no_trade(b: Building, found: Findings) -> None:
    """S3: trading nothing is one of the answers that the proven bound is below of; a dark building does just that."""
    file = b.file("answer.json")
    without, bound, cost = (number(b.answer, key, file) for key in ("no_trade_cost", "proven_bound", "cost"))
    slack = RELATIVE * max(1.0, abs(without))
    if without < bound - slack:
        found.add("S3", file, "the cost without trade is below the proven bound", without, bound, name=b.id)
    if b.dark and abs(without - cost) > slack:
        found.add("S3", file, "a dark building does not trade", without, cost, name=b.id)


def words_alone(run: Evidence) -> dict[str, float]:
    """Cost without trade by group, as said before the rounds began; empty where there were none."""
    rounds = run.table("market/rounds")
    if "kind" not in rounds.columns:
        return {}
    alone = np.flatnonzero(rounds.labels("kind") == "alone")
    cost, group = rounds.numbers("cost"), rounds.labels("group")
    return {str(group[row]): float(cost[row]) for row in alone}


def check_alone(run: Evidence, found: Findings) -> None:
    """S3: what a group that trades costs without trade is what it said before the rounds began, where there were any.

    One that fell silent is dark, and what it does then is not what it said.  Where one problem was solved for all,
    nothing beside the answers says it: a higher cost without trade would raise savings and lower make-whole.
    """
    said = words_alone(run)
    if not said and any(not b.dark for b in run.complete()):
        raise MissingFileError(UNSAID)
    now: dict[str, float] = {}
    for b in (b for b in run.complete() if not b.dark):
        now[b.group] = now.get(b.group, 0.0) + number(b.answer, "no_trade_cost", b.file("answer.json"))
    for name in sorted(set(said) & set(now)):
        if not abs(said[name] - now[name]) <= RELATIVE * max(1.0, abs(said[name])):
            found.add("S3", "market/rounds.csv", "not the cost without trade", now[name], said[name], name=name)


def loss_against_no_trade(b: Building) -> int:
    """c_b + p.q - cost without trade over the horizon, nano-currency; below zero where trading won something."""
    file = b.file("answer.json")
    cost, without = (number(b.answer, key, file) for key in ("cost", "no_trade_cost"))
    paid = sum((b.node_price * b.position).tolist())
    return paid + round((cost - without) * NANO)


def check_own_make_whole(b: Building, found: Findings) -> None:
    """S3 in one building's own ledger: its units receive what it lost, and pay no uplift beyond what it won."""
    if b.dark:
        return
    ledger, units = read_ledger(b.run.table(f"{b.folder}/settlement")), participants(b)[0]
    received, uplift = (sum(ledger.amount[ledger.of(units, line)].tolist()) for line in ("make_whole", "uplift"))
    loss = loss_against_no_trade(b)
    _compare_make_whole(received, loss, ledger.file, b.id, found)
    if -uplift > max(0, -loss) + NOISE_NANO:
        found.add("S3", ledger.file, "more uplift than was won", -uplift / NANO, max(0, -loss) / NANO, name=b.id)
