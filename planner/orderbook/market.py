"""``planner.market``: a case of orders alone, cleared, written, audited."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planner.case import Case
from planner.hierarchy import BELOW_ZONES
from planner.ledger import add_file, read_table, refuse_taken, rule_folders, write_market_run
from planner.orderbook.clear import Cleared, clear_book
from planner.orderbook.settle import settle_book
from planner.preparation.orderbook import book_grid, read_book
from planner.problems import InvalidInput, Problem, suggest
from planner.validation import validate
from planner_models.orders.rule import Rule
from planner_models.solve import Options
from planner_models.words import IntervalGrid

Tell = Callable[[str], None]


class NoAnswerError(RuntimeError):
    """Time ran out before any answer was found (exit code 5)."""


@dataclass(frozen=True)
class MarketRun:
    """One rule's clear in its folder; tables as floats, the files hold the exact decimals.

    ``run`` is the folder of the whole run, which may hold several rules; ``folder`` this rule's own.
    """

    run: Path
    folder: Path
    rule: str

    @cached_property
    def certificate(self) -> dict[str, Any]:
        import json

        return dict(json.loads((self.folder / "certificate.json").read_text("utf-8")))

    @cached_property
    def prices(self) -> pd.DataFrame:
        return read_table(self.folder / "prices.csv")

    @cached_property
    def acceptances(self) -> pd.DataFrame:
        return read_table(self.folder / "acceptances.csv")

    @cached_property
    def flows(self) -> pd.DataFrame:
        return read_table(self.folder / "flows.csv")

    @cached_property
    def settlement(self) -> pd.DataFrame:
        return read_table(self.folder / "settlement.csv")

    @cached_property
    def exchange(self) -> pd.DataFrame:
        """Net exchange with price-taking neighbours."""
        return read_table(self.folder / "exchange.csv")

    @cached_property
    def opportunity(self) -> pd.DataFrame:
        """Per order what it won, missed and was made whole for; orders with nothing to tell are left out."""
        return read_table(self.folder / "opportunity.csv")

    @cached_property
    def audit(self) -> dict[str, Any]:
        """The audit's findings on the whole run."""
        import json

        path = self.run / "audit.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}

    def table(self) -> pd.DataFrame:
        """A line per zone that a trader reads in a minute."""
        from planner.report.orderbook import table_of

        return table_of(self)

    def plot(self, zone: str, interval: int) -> Any:
        """Supply, demand and price of one zone and interval, and why orders in the money were left out."""
        from planner.report.orderbook import curve

        return curve(self, zone, interval)

    def __repr__(self) -> str:
        told = self.certificate
        return f"<MarketRun {told['delivery_date']}: {self.rule}, {told['status']}, welfare {told['welfare']:,.2f}>"


class MarketRuns(Mapping[str, MarketRun]):
    """Several rules on one book, by rule."""

    def __init__(self, runs: Sequence[MarketRun]) -> None:
        self._runs = {run.rule: run for run in runs}

    def __getitem__(self, rule: str) -> MarketRun:
        return self._runs[rule]

    def __iter__(self) -> Any:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


def market(
    case: Case,
    pricing: str | Sequence[str] | None = None,
    out: Path | str | None = None,
    time_limit: float | None = None,
    gap: float | None = None,
    *,
    force: bool = False,
    tell: Tell = lambda words: None,
) -> MarketRun | MarketRuns:
    """Clear a case of orders alone under one pricing rule (its own if left out), or under several.

    ``out`` is the run folder (a temporary one if left out), ``time_limit`` in seconds for each rule, ``gap`` relative
    (0 if left out: proven).  A sequence of rules gives a mapping of runs by rule.  Raises InvalidInput with every
    problem at once, NoAnswerError where time ran out before there was any answer.
    """
    began = time.perf_counter()
    several = pricing is not None and not isinstance(pricing, str)
    rules = _rules(case, pricing)
    problems = [*validate(case), *_orders_alone(case)]
    if problems:
        raise InvalidInput(problems)
    if out is not None:
        refuse_taken(Path(out), force)
    tell("reading the orders")
    book = read_book(case)
    seconds = case.settings.solver.time_limit_s if time_limit is None else time_limit
    options = Options(gap=gap or 0.0, time_limit_s=seconds, seed=case.settings.solver.seed)
    tell(f"clearing {len(book.steps.row) + len(book.blocks) + len(book.complexes)} orders in {book.places} places")
    cleared = clear_book(book, rules, case.settings.market.price_tick_per_mwh, gap or 0.0, options)
    found = [part for part in cleared if isinstance(part, Cleared)]
    if len(found) < len(cleared):
        raise NoAnswerError(f"no answer within {seconds:g} s; give it more time (--time-limit)")
    folder = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="planner-")) / "run"
    tell("settling, writing, auditing")
    grid = book_grid(case)
    write_market_run(folder, case, grid, [(part, _ledger(part, case, grid)) for part in found], began, force)
    _audit(folder)
    runs = _runs(folder, [str(rule) for rule in rules])
    return MarketRuns(runs) if several else runs[0]


def runs_of(folder: Path) -> list[MarketRun]:
    """Every rule's clear in the folder of a market run, in the order asked for."""
    import json

    told = json.loads((folder / "certificate.json").read_text("utf-8"))
    return _runs(folder, list(told.get("rules", [told.get("pricing")])))


def _runs(folder: Path, rules: Sequence[str]) -> list[MarketRun]:
    return [MarketRun(folder, folder / place, rule) for place, rule in zip(rule_folders(rules), rules, strict=True)]


def _rules(case: Case, pricing: str | Sequence[str] | None) -> list[Rule]:
    wanted = case.settings.market.pricing if pricing is None else pricing
    asked = [wanted] if isinstance(wanted, str) else list(wanted)
    known = [rule.value for rule in Rule]
    wrong = [name for name in asked if name not in known]
    if wrong:
        raise InvalidInput([Problem("pricing", 0, "is no pricing rule", name, suggest(name, known)) for name in wrong])
    return [Rule(name) for name in dict.fromkeys(asked)]


def _orders_alone(case: Case) -> list[Problem]:
    if case.nodes["kind"].isin(BELOW_ZONES).any():
        return [Problem("nodes.csv", 0, "a market case has orders alone", hint="planner clear clears a city")]
    other = sorted({str(name) for name in case.orders["resource"].unique()} - {"electricity"})
    hint = "list it in listings.csv"
    return [Problem("orders.csv", 0, "an order for another resource", name, hint) for name in other]


def _ledger(part: Cleared, case: Case, grid: IntervalGrid) -> pd.DataFrame:
    """Who pays whom; orders of one participant share an account."""
    frame = case.orders
    row = frame["row"].to_numpy(dtype=np.int64) - 1
    names = np.empty(int(row.max(initial=-1)) + 1, dtype=object)
    who = zip(*(frame[name].to_numpy(dtype=object).tolist() for name in ("participant", "order_id")), strict=True)
    names[row] = [f"order:{participant or order}" for participant, order in who]
    accounts = names[part.outcome.energy.rows.row - 1]
    pro_rata = case.settings.settlement.uplift == "pro_rata"
    return settle_book(part.outcome, part.price_nano, part.rule, accounts, pd.DatetimeIndex(grid.starts), pro_rata)


def _audit(folder: Path) -> None:
    from planner.audit import audit

    add_file(folder, "audit.json", audit(folder).to_json())
