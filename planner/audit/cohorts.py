"""S3 to S6: the book of a cohort agrees with the ledgers of its buildings and with the marketplace's."""

from __future__ import annotations

import numpy as np

from planner.audit.dues import Key, booked
from planner.audit.evidence import Building, Evidence
from planner.audit.findings import Findings
from planner.audit.ledgers import NANO, Ledger, read_ledger
from planner.audit.money import check_zero
from planner.audit.table import MissingFileError

OUTSIDE = {"fee": "marketplace", "make_whole": "operator", "uplift": "operator"}
"""Who stands outside a cohort, by line."""
ACCOUNT = "cohort"


def check_own_book(b: Building, found: Findings) -> None:
    """A cohort's book closes, and its keeper, the first member, stands in it with what its own ledger says."""
    try:
        book = _book(b)
    except MissingFileError:
        return  # another building keeps it, or there is none
    check_zero(book, found)
    _compare(book, {"1": b}, found)


def check_books(run: Evidence, found: Findings) -> None:
    """Every cohort has a book: its members as their ledgers have them, the outside as the marketplace has it."""
    cohorts: dict[str, list[Building]] = {}
    for b in sorted(run.complete(), key=lambda b: b.id):
        if b.in_cohort:
            cohorts.setdefault(b.group, []).append(b)
    market = booked(read_ledger(run.table("market/settlement")), run.grid.settled)
    for group, members in sorted(cohorts.items()):
        book = _book(members[0])
        _compare(book, {str(i): b for i, b in enumerate(members, 1)}, found)
        stated = booked(book, run.grid.settled).day
        _check_names(book, len(members), found)
        for line, outside in OUTSIDE.items():
            key: Key = (f"group:{group}", line)
            right = -market.day.get(key, 0) - int(sum(market.amount.get(key, ())))
            if (got := stated.get((outside, line), 0)) != right:
                what = "not what the marketplace's ledger says of the cohort"
                found.add("S5", book.file, what, got / NANO, right / NANO, name=f"{outside} {line}")


def _book(keeper: Building) -> Ledger:
    return read_ledger(keeper.run.table(f"{keeper.folder}/cohort"))


def _compare(book: Ledger, members: dict[str, Building], found: Findings) -> None:
    """What members receive is what their own ledgers say the cohort pays."""
    for number, b in members.items():
        account = next((name for name in book.accounts if _number(name) == number), "")
        own = read_ledger(b.run.table(f"{b.folder}/settlement"))
        for line in OUTSIDE:
            stated = sum(book.amount[book.of((account,), line)].tolist())
            right = -sum(own.amount[own.of((ACCOUNT,), line)].tolist())
            if stated != right:
                what = "not what the building's ledger says of the cohort"
                found.add("S5", book.file, what, stated / NANO, right / NANO, name=f"{b.id} {line}")


def _check_names(book: Ledger, members: int, found: Findings) -> None:
    """Nobody else stands in the book, and nothing but the lines it is for."""
    known = {str(i) for i in range(1, members + 1)}
    for account in (book.accounts[code] for code in np.unique(book.account)):
        if account not in (*OUTSIDE.values(), ACCOUNT) and _number(account) not in known:
            found.add("S5", book.file, "no rule books anything on this account", name=account)
    for line in (book.lines[code] for code in np.unique(book.line)):
        if line not in OUTSIDE:
            found.add("S5", book.file, "no rule books this line here", name=line)


def _number(account: str) -> str:
    """The number of a member, '' for any other account."""
    kind, _, number = account.partition(":")
    return number.lstrip("0") if kind == "member" else ""
