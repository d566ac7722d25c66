"""Make-whole and uplift (S3): nobody who followed the clear is worse off than without trade, and who pays for it.

All amounts are of the whole horizon, as cost and no-trade cost are, and are paid once for the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.cleared import NANO, Acceptance, Cleared, ClearedBuilding
from planner.money import nano_up, price_nano, product, total
from planner.settlement.apportion import share_out_capped
from planner.settlement.terms import Terms

MICRO = 1_000_000
NOISE_NANO = NANO // MICRO  # costs travel as whole micro-currency: less than one is not a loss


@dataclass(frozen=True)
class Party:
    """One who trades: what he lost (> 0) or won (< 0) against no trade, and the energy he traded on the day."""

    name: str
    loss_nano: int
    traded_wh: int

    @property
    def make_whole_nano(self) -> int:
        return self.loss_nano if self.loss_nano > NOISE_NANO else 0


@dataclass(frozen=True)
class Uplift:
    """Who receives make-whole, who funds it by uplift; what nobody funds the operator bears.  Nano-currency."""

    make_whole: Mapping[str, int]
    uplift: Mapping[str, int]
    from_rent: int

    @property
    def borne_by_operator(self) -> int:
        return sum(self.make_whole.values()) - sum(self.uplift.values()) - self.from_rent


def uplift(parties: Sequence[Party], pro_rata: bool, rent_nano: int) -> Uplift:
    """Make-whole of all parties and its funding: first congestion rent, then pro rata on the energy traded,
    nobody beyond what he won; or, where the operator pays, by nobody."""
    owed = {party.name: party.make_whole_nano for party in parties if party.make_whole_nano}
    if not pro_rata:
        return Uplift(owed, {}, 0)
    from_rent = min(sum(owed.values()), max(rent_nano, 0))
    shares = share_out_capped(
        sum(owed.values()) - from_rent,
        [party.traded_wh for party in parties],
        [max(-party.loss_nano, 0) for party in parties],
    )
    paid = {party.name: share for party, share in zip(parties, shares, strict=True) if share}
    return Uplift(owed, paid, from_rent)


def trading_groups(cleared: Cleared) -> dict[str, list[ClearedBuilding]]:
    """The buildings that trade by their group, both in order of their names: each group is one party."""
    groups: dict[str, list[ClearedBuilding]] = {}
    for building in sorted(cleared.buildings, key=lambda b: (b.group, b.building)):
        if not building.dark:
            groups.setdefault(building.group, []).append(building)
    return groups


def group_parties(cleared: Cleared) -> list[Party]:
    """Groups that trade, by id: what all their buildings come to together."""
    return [party_of(name, members, cleared.settled) for name, members in trading_groups(cleared).items()]


def party_of(name: str, buildings: Sequence[ClearedBuilding], settled: int) -> Party:
    """c + p.q against the cost without trade of some buildings together, costs as they travel: in micro-currency.

    So everybody who was told position and costs of a group comes to the same number as the group itself.
    """
    paid = sum(total(product(b.position_wh, b.price_nano)) for b in buildings)
    loss = paid + _told_nano(b.cost for b in buildings) - _told_nano(b.no_trade_cost for b in buildings)
    position = np.sum([b.position_wh[:settled] for b in buildings], axis=0)
    return Party(name, loss, total(np.abs(position)))


def _told_nano(costs: Iterable[float]) -> int:
    """The sum of costs (currency) as an answer tells it, nano-currency."""
    return int(np.rint(sum(costs) * MICRO)) * (NANO // MICRO)


def order_parties(cleared: Cleared, prices: Mapping[str, pd.Series], terms: Terms) -> list[Party]:
    """Orders, by id: a step row by itself; a block or complex order whole, saved by the surplus of its children.

    ``prices`` gives each zone's price by interval (from 1).  The loss is counted without what others save.
    """
    facts = _facts(terms.orders)
    rows: dict[str, list[Acceptance]] = {}
    for taken in cleared.acceptances:
        rows.setdefault(order_name(taken), []).append(taken)
    loss = {name: _order_loss(taken, prices, facts) for name, taken in rows.items()}
    saved = _saved_by_children(loss, {n: facts.get(taken[0].order_id, ("", 0))[0] for n, taken in rows.items()})
    energy = {name: sum(t.accepted_wh for t in taken) for name, taken in rows.items()}
    return [Party(name, saved[name], energy[name]) for name in sorted(rows)]


def order_name(taken: Acceptance) -> str:
    """Step rows stand for themselves, so one row's surplus does not pay for another's loss."""
    return f"{taken.order_id}#{taken.row}" if taken.kind == "step" else taken.order_id


def _order_loss(
    taken: Sequence[Acceptance], prices: Mapping[str, pd.Series], facts: Mapping[str, tuple[str, int]]
) -> int:
    loss = 0
    for row in taken:
        margin = price_nano(row.price_per_mwh) - int(prices[row.zone][row.interval])
        loss += (margin if row.side == "sell" else -margin) * row.accepted_wh
    active = any(row.accepted_wh for row in taken)
    return loss + (facts.get(taken[0].order_id, ("", 0))[1] if active else 0)


def _facts(orders: pd.DataFrame) -> dict[str, tuple[str, int]]:
    """Parent and fixed cost (nano-currency) of every order."""
    if orders.empty:
        return {}
    first = orders.drop_duplicates("order_id").set_index("order_id")
    empty = pd.Series(None, index=first.index, dtype=object)
    parents = first.get("parent_order_id", empty).fillna("")
    costs = first.get("fixed_cost", empty).fillna(0.0)
    return {str(i): (str(parents[i]), nano_up(float(costs[i]))) for i in first.index}


def _saved_by_children(loss: Mapping[str, int], parent: Mapping[str, str]) -> dict[str, int]:
    """Each order's loss after what its accepted descendants win; a descendant's own loss is its own make-whole."""
    children: dict[str, list[str]] = {}
    for name, above in parent.items():
        children.setdefault(above, []).append(name)

    def net(name: str) -> int:
        return loss[name] + sum(min(net(child), 0) for child in children.get(name, ()))

    return {name: net(name) for name in loss}
