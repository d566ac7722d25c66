"""Small clears by hand: what the marketplace and the gateways would have decided, without any solver."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from planner.cleared import Acceptance, Cleared, ClearedBuilding, ClearedExchange, ClearedUnit, ClearedZone, Flow
from planner.settlement import outflow_wh

DAY = datetime(2026, 6, 1, 22, tzinfo=UTC)  # midnight in Stockholm


def starts(n: int, minutes: int = 60) -> tuple[datetime, ...]:
    return tuple(DAY + timedelta(minutes=minutes * t) for t in range(n))


def whole(values: Sequence[float] | float, n: int, factor: int = 1) -> np.ndarray:
    return np.rint(np.broadcast_to(np.asarray(values, dtype=float), (n,)) * factor).astype(np.int64)


def unit(name: str, use_kwh: Any, allocation_kwh: Any = 0.0, n: int = 1, withheld_kwh: Any = 0.0) -> ClearedUnit:
    return ClearedUnit(
        name, f"o-{name}", whole(use_kwh, n, 1000), whole(allocation_kwh, n, 1000), whole(withheld_kwh, n, 1000)
    )


def building(
    name: str,
    units: Sequence[ClearedUnit],
    *,
    n: int = 1,
    price: Any = 20.0,
    internal: Any = 22.0,
    loss_wh: Any = 0,
    dark: bool = False,
    zone: str = "city",
    group: str = "",
    cost: float = 0.0,
    no_trade_cost: float = 1e6,
    minutes: int = 60,
) -> ClearedBuilding:
    return ClearedBuilding(
        building=name,
        group=group or name,
        zone=zone,
        dark=dark,
        units=tuple(units),
        loss_wh=whole(loss_wh, n),
        price_nano=whole(price, n, 1000),
        internal_price_nano=whole(internal, n, 1000),
        cost=cost,
        no_trade_cost=no_trade_cost,
        proven_bound=0.0,
        dispatch=_dispatch(units, n, minutes),
    )


def _dispatch(units: Sequence[ClearedUnit], n: int, minutes: int) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "unit": u.unit,
                "asset": f"{u.unit}.load",
                "interval": np.arange(1, n + 1),
                "start": pd.DatetimeIndex(starts(n, minutes)),
                "power_kw": u.use_wh / 1000 * 60 / minutes,
                "energy_kwh": u.use_wh / 1000,
                "state_of_charge_kwh": np.nan,
                "on": pd.array([pd.NA] * n, dtype="Int64"),
            }
        )
        for u in units
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def zone(name: str = "city", *, n: int = 1, price: Any = 20.0, contract: Any = 15.0, **wh: Any) -> ClearedZone:
    return ClearedZone(
        zone=name,
        price_nano=whole(price, n, 1000),
        price_low=np.broadcast_to(np.asarray(price, dtype=float), (n,)).copy(),
        price_high=np.broadcast_to(np.asarray(price, dtype=float), (n,)).copy(),
        indicative=np.zeros(n, dtype=bool),
        supply_wh=whole(wh.get("supply_wh", 0), n),
        unserved_wh=whole(wh.get("unserved_wh", 0), n),
        remainder_wh=whole(wh.get("remainder_wh", 0), n),
        contract_price_nano=whole(contract, n, 1000),
    )


def clear_of(
    buildings: Sequence[ClearedBuilding],
    zones: Sequence[ClearedZone],
    *,
    acceptances: Sequence[Acceptance] = (),
    flows: Sequence[Flow] = (),
    n: int = 1,
    settled: int | None = None,
    minutes: int = 60,
) -> Cleared:
    """A clear whose outside brings exactly what is missing in every zone."""
    exchanges = []
    for z in zones:
        need = -(z.supply_wh + z.unserved_wh + z.remainder_wh)
        for b in buildings:
            if b.zone == z.zone and not b.dark:
                need = need + b.position_wh
        for a in acceptances:
            if a.zone == z.zone:
                need[a.interval - 1] += a.accepted_wh if a.side == "buy" else -a.accepted_wh
        for f in flows:
            need = need + outflow_wh(f, z.zone)
        exchanges.append(ClearedExchange(z.zone, need, z.price_nano, z.price_nano))
    return Cleared(
        starts=starts(n, minutes),
        settled=n if settled is None else settled,
        minutes=minutes,
        buildings=tuple(buildings),
        zones=tuple(zones),
        exchanges=tuple(exchanges),
        acceptances=tuple(acceptances),
        flows=tuple(flows),
        certificate={"status": "optimal", "objective": 1.0, "bound": 0.5},
    )


def order(
    order_id: str, side: str, accepted_kwh: float, price: float, *, zone: str = "city", **more: Any
) -> Acceptance:
    quantity = more.get("quantity_kwh", accepted_kwh)
    return Acceptance(
        order_id=order_id,
        row=more.get("row", 1),
        participant=more.get("participant", ""),
        zone=zone,
        side=side,
        interval=more.get("interval", 1),
        price_per_mwh=price,
        quantity_wh=round(quantity * 1000),
        accepted_wh=round(accepted_kwh * 1000),
        reason=more.get("reason", "accepted"),
        kind=more.get("kind", "step"),
    )


def small_city(n: int = 4, settled: int = 3) -> Cleared:
    """Two zones joined by a lossy line, three buildings (one dark, one behind a feeder), orders on both sides."""
    b1 = building(
        "b1",
        [unit("b1.a", 6, 10, n), unit("b1.b", 9, 5, n), unit("b1.c", 7, 5, n), unit("b1.common", 0.5, 0, n)],
        n=n,
        loss_wh=[3, 1, 0, 2][:n] + [0] * (n - 4),
        zone="north",
        price=20,
        internal=28,
        cost=1.0,
        no_trade_cost=0.9,
    )
    b2 = building(
        "b2", [unit("b2.a", 1, 5.333, n), unit("b2.b", -2, 0, n)], n=n, zone="south", price=44, internal=44, group="g2"
    )
    b3 = building("b3", [unit("b3.a", 3, 1, n), unit("b3.b", 0, 1.5, n)], n=n, zone="north", dark=True, internal=170)
    zones = [
        zone("north", n=n, price=20, remainder_wh=-7, supply_wh=100),
        zone("south", n=n, price=40, unserved_wh=11, contract=16),
    ]
    flow = Flow("l1", "north", "south", whole([2.001, 1.5, -0.5, 0][:n] + [0] * (n - 4), n, 1000), 0.05)
    orders = [
        order("s1", "sell", 1.25, 10, zone="north", participant="acme"),
        order("d1", "buy", 2, 90, zone="south", interval=2),
        order("k1", "sell", 2, 45, zone="south", interval=3, kind="block"),
    ]
    return clear_of([b1, b2, b3], zones, acceptances=orders, flows=[flow], n=n, settled=settled)
