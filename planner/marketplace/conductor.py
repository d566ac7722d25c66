"""The marketplace's side of one clear: from its public folder and the words of gateways to its part of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.answered import Answered
from planner.case import Case, read_case
from planner.certifying import certify
from planner.cleared import Cleared
from planner.closing import close, node_price
from planner.contracts import contract_prices
from planner.decentralised import clear_in_rounds
from planner.desk import LOT_WH, Clock
from planner.groups import Group, GroupKind
from planner.ledger import write_market_part
from planner.marketplace.carrier import Carrier, Heard, Settle
from planner.marketplace.clearids import clear_id_for
from planner.preparation import prepare
from planner.privacy.document import OUTSIDE_FILE, document, published, spoken
from planner.problems import InvalidInput, Problem, suggest
from planner.schedule import Schedule
from planner.security.clearlog import clear_log
from planner.security.policy import PRESETS
from planner.security.roster import Roster
from planner.settlement import settle_groups
from planner.wary import Wary
from planner_models.marketplace import build_marketplace
from planner_models.master import Master
from planner_models.solve import Options
from planner_models.words import Building, City, Locality

GROUPS = "groups.csv"
COLUMNS = ("group", "kind", "zone", "feeders", "gateway", "buildings")

Extra = Callable[[Carrier], dict[str, bytes]]


@dataclass(frozen=True)
class Market:
    """A market folder, read: its case and city, all groups, and the gateway that speaks for each lit one."""

    case: Case
    city: City
    groups: tuple[Group, ...]
    gateways: Mapping[str, str]
    groups_csv: bytes
    clear_id: str

    @property
    def lit(self) -> list[Group]:
        return [group for group in self.groups if group.kind is not GroupKind.DARK]

    @property
    def of_groups(self) -> City:
        """The city as the marketplace sees it: groups in the place of buildings."""
        places = tuple(Building(g.id, g.zone, (), None, None, 0.0, g.feeders) for g in self.groups)
        return replace(self.city, buildings=places)


def read_market(
    folder: Path, date: str | None = None, clear_id: str | None = None, without: Sequence[str] = ()
) -> Market:
    """The market folder that ``planner split`` wrote; raises InvalidInput with every problem at once.

    ``clear_id`` names a clear anew of that day (clearids.py); the groups ``without`` are dark in it.
    """
    case = read_case(folder, date)
    path = folder / GROUPS
    if not path.is_file():
        raise InvalidInput([Problem(GROUPS, 0, "is missing", hint="planner split writes a market folder")])
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [Problem(GROUPS, 1, f"column '{name}' is missing") for name in COLUMNS if name not in table]
    problems = missing or [*_wrong(case), *_unknown(table["group"], without)]
    if problems:
        raise InvalidInput(problems)
    dark = table["group"].isin(without)
    table = table.assign(kind=table["kind"].mask(dark, str(GroupKind.DARK)), gateway=table["gateway"].mask(dark, ""))
    groups = [
        Group(r["group"], GroupKind(r["kind"]), (), r["zone"], tuple(filter(None, r["feeders"].split(";"))))
        for r in table.to_dict("records")
    ]
    gateways = dict(zip(table["group"], table["gateway"], strict=True))
    told = table.to_csv(index=False, lineterminator="\n").encode() if without else path.read_bytes()
    named = clear_id_for(str(case.settings.delivery_date), clear_id)
    return Market(case, prepare(case), tuple(sorted(groups, key=lambda g: g.id)), gateways, told, named)


def _unknown(groups: pd.Series, without: Sequence[str]) -> list[Problem]:
    return [
        Problem("--without", 0, "is no group of groups.csv", name, suggest(name, groups))
        for name in without
        if name not in set(groups)
    ]


def _wrong(case: Case) -> list[Problem]:
    settings = case.settings
    found = []
    if not PRESETS[settings.privacy.preset].gated:
        hint = "a clear between processes needs preset exchange or strict"
        found.append(Problem("case.toml", 0, "this preset releases nothing", settings.privacy.preset, hint))
    if settings.settlement.uplift != "operator":
        hint = 'uplift = "operator": sharing it needs what each building won, which the marketplace does not know'
        found.append(Problem("case.toml", 0, "this uplift needs all buildings in one place", "pro_rata", hint))
    if settings.market.pricing != "convex_hull":
        found.append(Problem("case.toml", 0, "the rounds find convex_hull prices", settings.market.pricing, ""))
    return found


def conduct(market: Market, carrier: Carrier, out: Path | None, extra_files: Extra = lambda carrier: {}) -> Cleared:
    """Ask, agree, settle; write the marketplace's part of the run to ``out``.

    ``extra_files`` are written beside it, from what the carrier holds at the end.
    """
    clock = Clock(time.perf_counter(), market.case.settings.solver.time_limit_s)
    heard, answered = agree(market, carrier, lambda: carrier.seconds_left(clock.left))
    cleared = _closed(market, answered)
    certificate = certify(market.case, market.of_groups, cleared, answered, clock)
    cleared = replace(cleared, certificate=certificate, rounds=answered.rounds)
    _tell_end(market, carrier, cleared, answered)
    if out is not None and not (out / "certificate.json").exists():
        settled = settle_groups(cleared, market.case)
        groups = [_as_it_ended(g, answered) for g in market.groups]
        office = carrier.office
        told = published(_privacy(market, groups, heard.sent))
        report = told.get(OUTSIDE_FILE)
        log = clear_log(office.me, office.roster, market.clear_id, heard.sent, office.now(), report)
        extra = {"market/roster.json": office.roster.to_bytes(), "market/log.jsonl": log}
        extra |= {f"market/case/{GROUPS}": market.groups_csv}
        extra |= told
        extra |= extra_files(carrier)
        write_market_part(out, cleared, settled, market.case, market.city, groups, heard.sent, extra)
    return cleared


def agree(market: Market, carrier: Carrier, seconds_left: Callable[[], float]) -> tuple[Heard, Answered]:
    """The rounds."""
    settings, city = market.case.settings, market.of_groups
    solver = settings.solver
    options = Options(solver.gap_relative, solver.time_limit_s, solver.seed, solver.lp_solver)
    model = build_marketplace(city)
    master = Master(model, [(g.zone, g.feeders) for g in market.lit], options)
    heard = Heard(carrier)
    answered = clear_in_rounds(
        master,
        Wary(heard, len(city.grid), LOT_WH),
        LOT_WH,
        solver.gap_relative,
        settings.privacy.max_rounds,
        Locality(settings.allocation.locality),
        settings.market.price_tick_per_mwh,
        seconds_left,
    )
    return heard, _of_groups(market, answered)


def _of_groups(market: Market, answered: Answered) -> Answered:
    """The agreement with a schedule for every group: what it committed to, and nothing inside."""
    places = {b.id: b for b in market.of_groups.buildings}
    made = {
        name: Schedule(places[name], (), c.position_wh, c.cost_micro / 1e6, (), False)
        for name, c in answered.commitments.items()
    }
    alone = {name: answered.alone_micro[name] / 1e6 for name in answered.commitments}
    return replace(answered, schedules=made, without_trade=alone)


def _closed(market: Market, answered: Answered) -> Cleared:
    """Whole Wh and prices, with what the sum of bounds says spread over the groups that trade."""
    city, n = market.of_groups, len(market.city.grid)
    groups = [replace(_as_it_ended(g, answered), buildings=(g.id,)) for g in market.groups]
    nothing = np.zeros(n, dtype=np.int64)
    dark = {b.id: Schedule(b, (), nothing, 0.0, (), False) for b in city.buildings if b.id not in answered.commitments}
    tariff = market.case.settings.default_tariff
    prices = contract_prices(market.case, market.city)
    model = build_marketplace(city)
    cleared = close(city, model, answered, groups, dark, prices, tariff.pair)
    trading = [b for b in cleared.buildings if not b.dark]
    reached = sum(b.cost + int((b.position_wh * b.price_nano).sum()) / 1e9 for b in trading)
    lost = (reached - answered.proven_sum) / max(1, len(trading))
    buildings = tuple(
        b if b.dark else replace(b, proven_bound=b.cost + int((b.position_wh * b.price_nano).sum()) / 1e9 - lost)
        for b in cleared.buildings
    )
    return replace(cleared, buildings=buildings)


def _as_it_ended(group: Group, answered: Answered) -> Group:
    """A group that fell silent is dark."""
    return group if group.id in answered.commitments else replace(group, kind=GroupKind.DARK)


def _tell_end(market: Market, carrier: Carrier, cleared: Cleared, answered: Answered) -> None:
    """Tell every gateway the end.  What a group pays and is owed follows from what it said in the rounds."""
    contract = {zone.zone: zone.contract_price_nano for zone in cleared.zones}
    results = {}
    for g, group in enumerate(carrier.groups):
        place = next(b for b in market.of_groups.buildings if b.id == group.id)
        node = node_price(market.of_groups, place, answered.prices)
        taken = group.id in answered.commitments
        results[g] = Settle(tuple(node.tolist()), tuple(contract[group.zone].tolist()), taken)
    carrier.settle(results)
    carrier.office.watch("settled")
    carrier.close()


def _privacy(market: Market, groups: Sequence[Group], sent: Mapping[str, Sequence[bytes]]) -> dict[str, Any]:
    """The privacy report as far as the marketplace can write it: what reached it."""
    n = len(market.city.grid)
    rows = [spoken(g, sent.get(g.id, ()), n, spoke=g.kind is not GroupKind.DARK) for g in groups]
    day = str(market.case.settings.delivery_date)
    return document(day, market.clear_id, PRESETS[market.case.settings.privacy.preset], rows)


def speakers(market: Market, roster: Roster) -> list[str]:
    """The gateways of the lit groups, in their order; raises InvalidInput where the roster knows one of them not."""
    names = [market.gateways[g.id] for g in market.lit]
    unknown = [name for name in names if roster.entity(name) is None]
    if unknown:
        hint = "enrol it, and give this marketplace the next roster"
        raise InvalidInput(
            [Problem(GROUPS, 0, "a gateway that the roster does not know", name, hint) for name in unknown]
        )
    return names
