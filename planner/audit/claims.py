"""C21 and C24: what the certificate says of how it came about: words, rounds, totals, and the bound's evidence."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import numpy as np

from planner.audit.evidence import Evidence
from planner.audit.findings import Findings
from planner.audit.ledgers import read_ledger
from planner.audit.objective import RELATIVE, number
from planner.audit.table import DamagedFileError, MissingFileError

FILE = "certificate.json"
WORDS = {
    "decentralised": ("aggregates", ("rounds",), ("optimal", "stopped")),
    "monolith": ("central", ("monolith", "no_trade"), ("optimal", "incumbent", "no_answer", "stopped")),
    "nobody speaks": ("aggregates", ("no_trade",), ("optimal", "incumbent", "stopped")),
}
"""kind of clear -> what the marketplace knew, where an answer may come from, and how the search may have ended."""


def in_rounds(run: Evidence) -> bool:
    """Whether the answer was found in rounds; where nobody speaks, what is left is one problem of the market's own."""
    return bool(run.certificate.get("mode") == "decentralised" and run.certificate.get("groups_released") != 0)


def _kind(run: Evidence) -> str:
    """Which row of WORDS a run is."""
    if in_rounds(run):
        return "decentralised"
    there, mode = run.certificate.get("buildings"), run.certificate.get("mode")
    return "nobody speaks" if there and mode == "decentralised" else "monolith"


def check_words(run: Evidence, found: Findings) -> None:
    """C24: mode, information, origin and status are those of one kind of clear, and of the case that asked for it."""
    told, asked = run.certificate, _asked(run)
    rounds, kind = run.table("market/rounds"), _kind(run)
    information, origins, ends = WORDS[kind]
    expected: list[tuple[str, tuple[Any, ...]]] = [
        ("mode", (asked.get("mode", "decentralised"),)),
        ("information", (information,)),
        ("answer_from", origins),
        ("status", ends),
        ("seed", (asked.get("seed", 1),)),
        ("rounds", (len(set(rounds.numbers("round").tolist())) if kind == "decentralised" else 0,)),
    ]
    for name, allowed in expected:
        if told.get(name) not in allowed:
            right = " or ".join(map(str, allowed))
            found.add("C24", FILE, "does not fit the case and the rest", told.get(name), right, name=name)
    if kind != "nobody speaks" and (told.get("answer_from") == "no_trade") != (told.get("status") == "no_answer"):
        what = "an answer is no trade exactly where the search found none"
        found.add("C24", FILE, what, told.get("answer_from"), told.get("status"), name="answer_from")
    _check_status(run, kind, float(asked.get("gap_relative", 1e-3)), found)
    _check_version(run, found)


def _asked(run: Evidence) -> dict[str, Any]:
    """[solver] of the marketplace's case."""
    file = "market/case/case.toml"
    if not run.path(file).is_file():
        raise MissingFileError(f"{file} is missing")
    try:
        solver = tomllib.loads(run.path(file).read_text("utf-8")).get("solver", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DamagedFileError(file, str(error)[:120]) from None
    if not isinstance(solver, dict):
        raise DamagedFileError(file, "solver is no table")
    return solver


def _check_status(run: Evidence, kind: str, asked: float, found: Findings) -> None:
    """Rounds are optimal where the proof is as good as asked; one MILP where every piece of it is."""
    status, pieces = run.certificate.get("status"), run.certificate.get("pieces") or []
    ends = {piece.get("status") for piece in pieces if isinstance(piece, dict)}
    gap = run.certificate.get("gap_relative")
    if gap is None:
        raise MissingFileError(f"{FILE} states no gap")
    close = number(run.certificate, "gap_relative", FILE) <= asked
    optimal = close if kind == "decentralised" else ends == {"optimal"}
    if (status == "optimal") != optimal:
        right = "optimal" if optimal else "not optimal"
        found.add("C24", FILE, "the gap says otherwise", status, right, name="status")
    for piece in pieces:
        left = number(piece, "gap", f"{FILE}: pieces")
        if left < 0:
            found.add("C24", FILE, "a gap below zero", left, 0, name="pieces")
        if kind == "decentralised" and (left, piece.get("status")) != (gap, status):
            found.add("C24", FILE, "the one piece is the whole", left, gap, name="pieces")


def _check_version(run: Evidence, found: Findings) -> None:
    """The first version supersedes nothing, a later one does."""
    version, supersedes = run.certificate.get("version"), run.certificate.get("supersedes")
    whole = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    if not whole or (version == 1) != (supersedes is None):
        found.add("C24", FILE, "no version, or not what it supersedes", version, supersedes, name="version")


def check_bound(run: Evidence, found: Findings) -> None:
    """C21: a bound found in rounds is the best of theirs or the one the published prices give; never above both.

    One MILP's bound is the solver's word, and at least what the published prices prove.
    """
    told = run.certificate
    lost = told.get("lost_opportunity_cost")
    forgone = lost if isinstance(lost, dict) else {"total": lost}
    if told.get("bound") is None or ("total" in forgone and forgone["total"] is None):
        raise MissingFileError(f"{FILE} states no bound or no lost opportunity cost")
    objective, bound = number(told, "objective", FILE), number(told, "bound", FILE)
    at_prices = objective - number(forgone, "total", FILE)
    slack = RELATIVE * max(1.0, abs(objective))
    best = max([at_prices, *_bounds_of_rounds(run)])
    if in_rounds(run) and bound > best + slack:
        found.add("C21", FILE, "above every bound that rounds and prices give", bound, best, name="bound")
    if run.terms.locality != "strict" and bound < min(best, objective) - slack:
        found.add("C21", FILE, "below what rounds or prices prove", bound, min(best, objective), name="bound")


def _bounds_of_rounds(run: Evidence) -> list[float]:
    """Of rounds that asked nobody who is dark in the end: what others could do bounds another city."""
    rounds, groups = run.table("market/rounds"), run.table("market/groups")
    dark = {name for name, is_dark in zip(groups.text("group"), groups.flags("dark", False), strict=True) if is_dark}
    number, bound = rounds.numbers("round"), rounds.numbers("bound")
    silenced = np.array([name in dark for name in rounds.text("group")], dtype=np.bool_)
    told = ~np.isnan(bound) & ~np.isin(number, number[silenced])
    return [float(value) for value in np.unique(bound[told])]


def check_totals(run: Evidence, found: Findings) -> None:
    """C24: the sums of the settlement that the certificate repeats are those of the marketplace's ledger."""
    told = run.certificate.get("settlement")
    if told is None:
        raise MissingFileError(f"{FILE} repeats no sums of the settlement")
    if not isinstance(told, dict):
        raise DamagedFileError(FILE, "settlement is no table of sums")
    for name, right in _totals(run):
        if told.get(name) != right:
            found.add("C24", FILE, "not the sum in the ledger", told.get(name), right, name=f"settlement {name}")


def _totals(run: Evidence) -> Iterator[tuple[str, int]]:
    ledger = read_ledger(run.table("market/settlement"))

    def amount(account: str, *lines: str) -> int:
        return sum(ledger.amount[ledger.of((account,), *lines)].tolist())

    yield "fees_nano", amount("marketplace", "fee")
    yield "make_whole_nano", -amount("operator", "make_whole")
    yield "uplift_nano", amount("operator", "uplift")
    yield "borne_by_operator_nano", -amount("operator", "make_whole", "uplift")
    yield "congestion_rent_nano", amount("network", "congestion_rent", "surplus")
    yield "losses_nano", amount("network", "losses")
    yield "remainder_wh", int(np.abs(ledger.energy[ledger.of(ledger.accounts, "remainder")]).sum())
