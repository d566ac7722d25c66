"""Buildings' ledgers: allocated energy, neighbours, the marketplace, the network, to the Wh and nano-currency.

Participants are the units by id.  Losses join the position of the common unit before anything is traded; a building
without one has an account ``building`` that takes them.  A dark building's residual goes to the default supplier; of a
cohort's, fees, make-whole and uplift are between it and the cohort.
Several buildings are settled at once, each for itself: a column of every array is one interval of one building.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.cleared import Cleared, ClearedBuilding, NanoPerWh, Wh
from planner.settlement.apportion import share_out
from planner.settlement.cohort import COHORT
from planner.settlement.internal_trade import InternalTrade, pair_up, trade_inside
from planner.settlement.journal import BlockJournal, LedgerNotBalancedError, check_blocks_closed
from planner.settlement.makewhole import Uplift
from planner.settlement.statements import ROUNDING, rounding_nano
from planner.settlement.tariffs import Use, charge
from planner.settlement.terms import Terms
from planner.stretches import Rows

BUILDING = "building"
ELECTRICITY = "electricity"
THIRD_PARTIES = ("marketplace", "supplier", "network_operator", "default_supplier", "operator", COHORT, "rounding")
LINES_OF_ENERGY = ("allocated_energy", "internal_buy", "internal_sell", "market_buy", "market_sell", "default_supply")


@dataclass(frozen=True)
class Participants:
    """Who trades inside each of B buildings on the T intervals of the delivery day, by id; N is the most of any.

    ``names`` by building; position, use and allocation in Wh (N, B x T), zero where a building has fewer.  ``code``
    (N, B) is each one's account, ``third`` (1, B) that of each third party; ``labels`` are the accounts' names by code
    and ``building`` the place of the building of each.
    """

    names: tuple[tuple[str, ...], ...]
    position_wh: Wh
    use_wh: Wh
    allocation_wh: Wh
    code: Wh
    third: Mapping[str, Wh]
    labels: tuple[str, ...]
    building: Wh


@dataclass(frozen=True)
class BlockLedger:
    """Some buildings: whole ledgers with counterparty kinds, and who traded with whom inside them.

    ``told`` are the rows that are the units' own: their statements.
    """

    ledger: Rows
    told: npt.NDArray[np.bool_]
    trades: Rows

    @property
    def told_lengths(self) -> Wh:
        """Rows of each building's statements."""
        ends = np.cumsum(self.ledger.lengths)
        counted = np.concatenate([[0], np.cumsum(self.told)])
        lengths: Wh = counted[ends] - counted[ends - self.ledger.lengths]
        return lengths


def participants(buildings: Sequence[ClearedBuilding], settled: int, uses: Mapping[str, str]) -> Participants:
    """Participants of some buildings on the delivery day; ``uses`` gives each node's use."""
    units = [sorted(building.units, key=lambda unit: unit.unit) for building in buildings]
    names = [[unit.unit for unit in of_building] for of_building in units]
    common = [_common(building, of, settled, uses) for building, of in zip(buildings, names, strict=True)]
    names = [[*of, BUILDING] if at == len(of) else of for of, at in zip(names, common, strict=True)]
    shape = (max((len(of) for of in names), default=0), len(buildings), settled)
    position, use, allocation = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    for b, (building, of_building, at) in enumerate(zip(buildings, units, common, strict=True)):
        for i, unit in enumerate(of_building):
            position[i, b] = unit.position_wh[:settled]
            use[i, b] = unit.use_wh[:settled]
            allocation[i, b] = unit.allocation_wh[:settled]
        if at is not None:
            position[at, b] += building.loss_wh[:settled]
    code, third, labels, whose = _accounts(names, shape[0])
    flat = (shape[0], shape[1] * settled)
    return Participants(
        names=tuple(map(tuple, names)),
        position_wh=position.reshape(flat),
        use_wh=use.reshape(flat),
        allocation_wh=allocation.reshape(flat),
        code=code,
        third=third,
        labels=labels,
        building=whose,
    )


def _common(building: ClearedBuilding, names: Sequence[str], settled: int, uses: Mapping[str, str]) -> int | None:
    """The row that takes the losses: the common unit's, else one after all units; None where nothing is lost."""
    if not building.loss_wh[:settled].any():
        return None
    if f"{building.building}.common" in names:
        return names.index(f"{building.building}.common")
    return next((i for i, name in enumerate(names) if uses.get(name) == "common"), len(names))


def _accounts(names: Sequence[Sequence[str]], most: int) -> tuple[Wh, dict[str, Wh], tuple[str, ...], Wh]:
    """Codes of participants and of third parties, labels, and the building of each code: by building, then by name."""
    code = np.zeros((most, len(names)), dtype=np.int64)
    third = {party: np.zeros((1, len(names)), dtype=np.int64) for party in THIRD_PARTIES}
    labels: list[str] = []
    sizes = []
    for b, of_building in enumerate(names):
        here = sorted({*of_building, *THIRD_PARTIES})
        place = {name: len(labels) + i for i, name in enumerate(here)}
        code[: len(of_building), b] = [place[name] for name in of_building]
        for party in THIRD_PARTIES:
            third[party][0, b] = place[party]
        labels += here
        sizes.append(len(here))
    return code, third, tuple(labels), np.repeat(np.arange(len(names)), sizes)


def settle_buildings(
    buildings: Sequence[ClearedBuilding],
    cleared: Cleared,
    terms: Terms,
    contract_nano: Mapping[str, NanoPerWh],
    paid: Uplift,
    uses: Mapping[str, str],
) -> BlockLedger:
    """Whole ledgers and trades of some buildings, of the delivery day; contracts are priced by zone."""
    n = cleared.settled
    starts = pd.DatetimeIndex(cleared.starts[:n])
    who = participants(buildings, n, uses)
    trade = trade_inside(who.position_wh)
    free = np.zeros(n, dtype=np.int64)
    contract = np.concatenate([free[:0], *(contract_nano.get(b.zone, free)[:n] for b in buildings)])
    inside = np.concatenate([free[:0], *(b.internal_price_nano[:n] for b in buildings)])
    journal = BlockJournal(n)
    journal.energy(who.code, "allocated_energy", who.allocation_wh, contract, "supplier")
    journal.energy(who.third["supplier"], "allocated_energy", -_column_sums(who.allocation_wh), contract, "unit")
    journal.energy(who.code, "internal_buy", trade.bought, inside, "unit")
    journal.energy(who.code, "internal_sell", -trade.sold, inside, "unit")
    dark = np.repeat([b.dark for b in buildings], n).astype(bool)
    node = np.concatenate([free[:0], *(b.price_nano[:n] for b in buildings)])
    _book_default_supply(journal, who, _only(trade, dark), terms)
    together = np.repeat([b.in_cohort for b in buildings], n).astype(bool)
    _book_market(journal, who, _only(trade, ~dark), node)
    for party, here in (("marketplace", ~dark & ~together), (COHORT, together)):
        _book_fees(journal, who, _only(trade, here), terms, party)
    _book_uplift(journal, buildings, who, trade, paid, n)
    charge(journal, _use(buildings, who, trade, cleared), terms)
    _book_rounding(journal, who)
    frame, account = journal.frame(starts, who.labels)
    names = [b.building for b in buildings]
    check_blocks_closed(frame, who.building[account], names)
    _check_energy(frame, account, who, n)
    third = np.isin(np.array(who.labels, dtype=object), THIRD_PARTIES)
    return BlockLedger(
        Rows(frame, _counts(who.building[account], buildings)),
        ~third[account],
        _trades(who, trade, inside, starts, buildings),
    )


def _only(trade: InternalTrade, columns: npt.NDArray[np.bool_]) -> InternalTrade:
    """Trade with the outside in some columns alone."""
    return InternalTrade(trade.bought, trade.sold, trade.market_buy * columns, trade.market_sell * columns)


def _use(buildings: Sequence[ClearedBuilding], who: Participants, trade: InternalTrade, cleared: Cleared) -> Use:
    return Use(
        buildings=tuple(b.building for b in buildings),
        units=who.names,
        accounts=who.code,
        operators=who.third["network_operator"],
        use_wh=who.use_wh,
        bought_wh=trade.bought,
        sold_wh=trade.sold,
        building_use_wh=who.use_wh.sum(axis=0),
        starts=cleared.starts[: cleared.settled],
        hours=cleared.minutes / 60,
    )


def _book_market(journal: BlockJournal, who: Participants, trade: InternalTrade, price: NanoPerWh) -> None:
    """The market part of every position at the node price."""
    market = who.third["marketplace"]
    for line, taken in (("market_buy", trade.market_buy), ("market_sell", -trade.market_sell)):
        journal.energy(who.code, line, taken, price, "marketplace")
        journal.energy(market, line, -_column_sums(taken), price, "unit")


def _book_fees(journal: BlockJournal, who: Participants, trade: InternalTrade, terms: Terms, party: str) -> None:
    """The fees on the market part, paid to ``party``."""
    for fee, traded in ((terms.buy_fee_nano, trade.market_buy), (terms.sell_fee_nano, trade.market_sell)):
        charged = traded if fee else np.zeros_like(traded)
        each = np.full(charged.shape[1], fee, dtype=np.int64)
        journal.energy(who.code, "fee", charged, each, party)
        journal.energy(who.third[party], "fee", -_column_sums(charged), each, "unit")


def _book_default_supply(journal: BlockJournal, who: Participants, trade: InternalTrade, terms: Terms) -> None:
    for price, taken in (
        (terms.default_import_nano, trade.market_buy),
        (terms.default_export_nano, -trade.market_sell),
    ):
        each = np.full(taken.shape[1], price, dtype=np.int64)
        journal.energy(who.code, "default_supply", taken, each, "default_supplier")
        journal.energy(who.third["default_supplier"], "default_supply", -_column_sums(taken), each, "unit")


def _book_uplift(
    journal: BlockJournal,
    buildings: Sequence[ClearedBuilding],
    who: Participants,
    trade: InternalTrade,
    paid: Uplift,
    n: int,
) -> None:
    """Make-whole and uplift of each building, shared by what each unit traded with the marketplace."""
    traded = (trade.market_buy + trade.market_sell).reshape(len(who.code), len(buildings), n).sum(axis=2)
    for b, building in enumerate(buildings):
        count, name = len(who.names[b]), building.building
        party = COHORT if building.in_cohort else "operator"
        for line, amount in (("make_whole", paid.make_whole.get(name, 0)), ("uplift", -paid.uplift.get(name, 0))):
            if building.dark or not amount:
                continue
            shares = share_out(amount, [int(w) for w in traded[:count, b]])
            journal.money(who.code[:count, b], line, shares, party)
            journal.money(who.third[party][:, b], line, (-amount,), "unit")


def _book_rounding(journal: BlockJournal, who: Participants) -> None:
    """Every bill of a building in whole cents, as near to the exact ones as their sum allows (S5)."""
    balance = journal.balances(len(who.labels))
    for b, names in enumerate(who.names):
        codes = who.code[: len(names), b]
        booked = rounding_nano(dict(zip(names, balance[codes].tolist(), strict=True)))
        journal.money(codes, ROUNDING, [booked[name] for name in names], ROUNDING)
        journal.money(who.third[ROUNDING][:, b], ROUNDING, (booked[ROUNDING],), "unit")


def _trades(
    who: Participants,
    trade: InternalTrade,
    price: NanoPerWh,
    starts: pd.DatetimeIndex,
    buildings: Sequence[ClearedBuilding],
) -> Rows:
    pairs, n = pair_up(trade), len(starts)
    building, interval = pairs.interval // n, pairs.interval % n
    names = pd.Index(sorted({name for of_building in who.names for name in of_building}), dtype=object)
    place = np.zeros(who.code.shape, dtype=np.int64)
    for b, of_building in enumerate(who.names):
        place[: len(of_building), b] = names.get_indexer(pd.Index(of_building, dtype=object))
    frame = pd.DataFrame(
        {
            "seller": pd.Categorical.from_codes(place[pairs.seller, building], names),
            "buyer": pd.Categorical.from_codes(place[pairs.buyer, building], names),
            "resource": pd.Categorical.from_codes(np.zeros(len(building), dtype=np.int8), pd.Index([ELECTRICITY])),
            "interval": interval + 1,
            "start": starts.take(interval),
            "energy_wh": pairs.energy_wh,
            "price_nano": price[pairs.interval],
        }
    )
    return Rows(frame, _counts(building, buildings))


def _counts(whose: Wh, buildings: Sequence[ClearedBuilding]) -> Wh:
    return np.bincount(whose, minlength=len(buildings)).astype(np.int64)


def _column_sums(rows: Wh) -> Wh:
    return rows.sum(axis=0, keepdims=True)


def _check_energy(frame: pd.DataFrame, account: Wh, who: Participants, n: int) -> None:
    """S6: allocated, internal and market energy of the ledgers make up position and allocation, in every interval."""
    lines = frame["line"].cat
    of_energy = np.isin(lines.categories.to_numpy(), LINES_OF_ENERGY)[lines.codes] if len(frame) else np.zeros(0, bool)
    of_units = np.zeros(len(who.labels), dtype=bool)
    for b, names in enumerate(who.names):
        of_units[who.code[: len(names), b]] = True
    rows = np.flatnonzero(of_energy & of_units[account])
    booked = np.zeros(who.position_wh.shape[1], dtype=np.int64)
    at = who.building[account[rows]] * n + frame["interval"].to_numpy(dtype=np.int64, na_value=0)[rows] - 1
    np.add.at(booked, at, frame["energy_wh"].to_numpy()[rows])
    if (booked != (who.position_wh + who.allocation_wh).sum(axis=0)).any():
        raise LedgerNotBalancedError("a building's ledger books other energy than its units use")
