"""Ladders that the marketplace puts before its groups: slices of its own steps, cut to the room of the network."""

from __future__ import annotations

import numpy as np

from planner.quantise import Floats
from planner_models.answer import Ladder
from planner_models.apart import STEPS
from planner_models.master import Master, supply_curve

_VAST_KWH = 1e9
_FORBIDDING_PER_MWH = 1e5


def zone_ladder(master: Master, zone: str, current: Floats) -> Ladder:
    """The zone's steps around its current net position, kWh per interval, for whoever moves it from there.

    Steps are sorted by price interval by interval; where a step ends, all cheaper sellers deliver and all dearer
    buyers are served.
    """
    steps = supply_curve(master.market, zone)[: STEPS - 2]
    price = np.stack([p for p, _, _ in steps])
    quantity = np.stack([q for _, q, _ in steps])
    sells = np.stack([np.full(len(current), s) for _, _, s in steps])
    order = np.argsort(price, axis=0, kind="stable")
    price, quantity, sells = (np.take_along_axis(a, order, axis=0) for a in (price, quantity, sells))
    quantity = np.minimum(quantity, _VAST_KWH)
    offered = np.cumsum(np.where(sells, quantity, 0), axis=0)
    wanted = np.where(sells, 0, quantity)
    still = wanted.sum(axis=0) - np.cumsum(wanted, axis=0)
    ends = offered - still
    begins = np.vstack([-wanted.sum(axis=0)[None, :], ends[:-1]])
    return Ladder(np.zeros(len(current)), price, begins - current, ends - current)


def share_of(ladder: Ladder, own: Floats, share: float) -> Ladder:
    """One group's share of a zone's ladder, laid around its own position."""
    return Ladder(own, ladder.price, _seen(ladder.begins * share, share), _seen(ladder.ends * share, share))


def within(ladder: Ladder, down: Floats, up: Floats) -> Ladder:
    """Beyond the room that the feeders leave (kWh, down and up; negative: already outside), no order pays enough."""
    if not (np.isfinite(down).any() or np.isfinite(up).any()):
        return ladder
    middle = (up - down) / 2
    low, high = np.where(-down > up, middle, -down)[None, :], np.where(-down > up, middle, up)[None, :]
    beyond = np.full_like(low, np.inf)
    begins, ends = np.clip(ladder.begins, low, high), np.clip(ladder.ends, low, high)
    return Ladder(
        ladder.base,
        np.vstack([np.full_like(low, -_FORBIDDING_PER_MWH), ladder.price, np.full_like(low, _FORBIDDING_PER_MWH)]),
        np.vstack([-beyond, begins, high]),
        np.vstack([low, ends, beyond]),
    )


def _seen(edges: Floats, share: float) -> Floats:
    """Edges in kWh, infinite where they are only a stand-in for unlimited."""
    far = _VAST_KWH * share / 2
    return np.where(edges > far, np.inf, np.where(edges < -far, -np.inf, edges))
