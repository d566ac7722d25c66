"""Make-whole and uplift (S3): nobody who followed the clear is worse off than without trade, and who pays for it.

All amounts are of the whole horizon, as cost and no-trade cost are, and are paid once for the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pandas as pd

from planner.cleared import NANO, Acceptance, Cleared, ClearedBuilding
from planner.money import nano_up, price_nano, product, total
from planner.settlement.apportion import share_out_capped
from planner.settlement.terms import Terms

NOISE_NANO = NANO // 1_000_000  # costs travel as whole micro-currency: less than one is not a loss


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


def building_parties(cleared: Cleared) -> list[Party]:
    """Buildings that trade, by id: c_b + p.q against the cost without trade."""
    return [_party(b, cleared.settled) for b in sorted(cleared.buildings, key=lambda b: b.building) if not b.dark]


def _party(building: ClearedBuilding, settled: int) -> Party:
    position = building.position_wh
    paid = total(product(position, building.price_nano))
    loss = paid + nano_up(Fraction(building.cost) - Fraction(building.no_trade_cost))
    return Party(building.building, loss, total(abs(position[:settled])))


@dataclass(frozen=True)
class Claim:
    """What a group says of its buildings' day, nano-currency: make-whole they are owed, and the fees they paid.

    ``fees_nano`` is None where they follow from the group's position.
    """

    make_whole_nano: int
    fees_nano: int | None = None


def claimed(party: Party, claim: Claim | None) -> Party:
    """The party with the make-whole it asks for; None leaves it as it is."""
    if claim is None:
        return party
    asked = claim.make_whole_nano
    return replace(party, loss_nano=asked if asked > 0 else min(party.loss_nano, 0))


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
