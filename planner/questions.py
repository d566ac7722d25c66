"""What the marketplace may ask a group, and what a group may say: frozen values, nothing else crosses the wire.

A question goes to one group, which is known by its place in the fleet (0 ..); its answer is a *word*.  Prices are in
currency per MWh, positions in kWh, one value an interval of the horizon.

| question | asked | word |
|---|---|---|
| ``Alone`` | once, first | ``Reply`` with position 0 |
| ``Slice``, ``Price`` | round after round | ``Reply`` |
| ``Commit`` | once, again for a feeder's sake or to polish | ``Commitment`` |
| ``Revert``, ``Refrain`` | after a commitment | ``Commitment`` |
| ``BoundAt`` | once, at the published prices | ``Bound`` |

Anything may be answered by ``Silence``: an earlier commitment stands, a group that has none takes no part.
``Fault`` is the silence of a group that is gone or not to be believed: nothing of it stands.  Either way the group
is asked nothing more, does not trade, and what it needs is settled at the default tariff.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.quantise import Floats, Ints
from planner_models.answer import Ladder

MICRO = 1_000_000


@dataclass(frozen=True)
class Alone:
    """What do you do without trade?  Where it ``binds`` (strict locality), what is served then stands from then on."""

    round: int
    binds: bool = False


@dataclass(frozen=True, eq=False)
class Slice:
    """What do you do if this ladder is your share of the market?"""

    round: int
    ladder: Ladder


@dataclass(frozen=True, eq=False)
class Price:
    """What do you do at this price, whatever the quantity?  ``price`` is that of the group's node.

    ``committed``: with every on and off as in the standing commitment.
    """

    round: int
    price: Floats
    committed: bool = False


@dataclass(frozen=True, eq=False)
class Commit:
    """Settle on a schedule in whole runs and whole Wh.

    ``weights`` blends the group's own answers by round: ``ladder`` starts there.  Without weights it starts where the
    group stands.  ``tolerance`` (currency) is how far from its best the group may stop.
    """

    ladder: Ladder
    tolerance: float
    weights: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Revert:
    """Go back to what stood before your last commitment."""


@dataclass(frozen=True)
class Refrain:
    """Commit to no trade."""


@dataclass(frozen=True, eq=False)
class BoundAt:
    """What is the least your cost plus payments can be at this price?

    From the relaxation; with a ``tolerance`` (currency) from whole runs as well, solved to that distance.
    """

    round: int
    price: Floats
    tolerance: float | None = None


Question = Alone | Slice | Price | Commit | Revert | Refrain | BoundAt


@dataclass(frozen=True, eq=False)
class Reply:
    """What a group says in one round: position in lots per interval, cost in micro-currency.

    ``bound_micro`` is a proven lower bound of ``cost + price . position`` at the price asked; None where the question
    was not a price, or where it is only said in a sum over groups.  ``repeated``: the group's last word, said again.
    """

    round: int
    lots: Ints
    cost_micro: int
    bound_micro: int | None
    repeated: bool = False


@dataclass(frozen=True, eq=False)
class Commitment:
    """A group's final position, whole Wh per interval, and its cost in micro-currency."""

    position_wh: Ints
    cost_micro: int


@dataclass(frozen=True)
class Bound:
    """A proven bound in micro-currency; None where it is only said in a sum over groups."""

    micro: int | None


@dataclass(frozen=True)
class Silence:
    """No answer, now and for the rest of the clear; ``reason`` holds no number of the case."""

    reason: str


@dataclass(frozen=True)
class Fault(Silence):
    """The silence of a gateway that died, came late, or said what cannot be: what it said before does not stand."""


Word = Reply | Commitment | Bound | Silence
