"""What a site remembers of its releases, and where: the ledger beside its runs.

Every clear of one site into one folder of runs shares one ledger, ``<runs>/<case name>.releases.sqlite``.  It is
private: it goes nowhere, and a holder who loses it must not clear the month anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.case import Case
from planner.groups import Group, GroupKind, enrolment_of_site
from planner.problems import InvalidInput, Problem
from planner.security.churn import Standing, standing
from planner.security.enrolment import Member
from planner.security.gate import Gate
from planner.security.policy import Policy
from planner.security.releases import NoLedgerError, ReleaseLedger
from planner.security.reviews import Reviews
from planner.security.slot import Slot
from planner_models.words import City, IntervalGrid


def ledger_beside(run: Path, site: str) -> Path:
    """The release ledger of the runs in the folder where ``run`` lies."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", site).strip("-.") or "case"
    return run.parent / f"{name}.releases.sqlite"


def copy_of(path: Path, target: Path | None = None) -> ReleaseLedger:
    """What the ledger at ``path`` remembers, in memory or at ``target``; raises InvalidInput if the file is none."""
    try:
        return ReleaseLedger.copy_of(path, target)
    except NoLedgerError:
        raise _no_ledger(path) from None


def _no_ledger(path: Path | None) -> InvalidInput:
    hint = "if anything of this month has left the site, clear with the version that wrote it; else name another file"
    return InvalidInput([Problem(str(path), 0, "is no release ledger, or one of another version", hint=hint)])


def clear_id_of(case: Case) -> str:
    """The name of a clear: its day and its input.  The same input is the same clear, another input a new one."""
    return f"{case.settings.delivery_date}.{case.sha256[:16]}"


def slot_of(grid: IntervalGrid, day: str) -> Slot:
    """What a clear of ``day`` over this horizon speaks of."""
    starts = [int(start.timestamp()) for start in grid.starts]
    length = grid.minutes * 60
    return Slot(day, starts[0], starts[grid.settled - 1] + length, starts[-1] + length, step_s=length)


@dataclass(frozen=True)
class History:
    """One clear's view of a site's past: its slot, the ledger, and what the ledger leaves open to whom."""

    slot: Slot
    ledger: ReleaseLedger
    standing: Standing
    gated: bool

    @classmethod
    def of(cls, city: City, day: str, policy: Policy, ledger: ReleaseLedger) -> History:
        """Open the month for ``city`` if it is not open; a policy without a gate has no past.

        Raises InvalidInput if the ledger's file is none.
        """
        slot = slot_of(city.grid, day)
        if not policy.gated:
            return cls(slot, ledger, Standing(), policy.gated)
        try:
            return cls(slot, ledger, standing(ledger, slot, policy, enrolment_of_site(city)), policy.gated)
        except NoLedgerError:
            raise _no_ledger(ledger.path) from None

    def gate(self, policy: Policy, synthetic: bool) -> Gate:
        """The release gate with this history behind it."""
        return Gate(policy, synthetic, Reviews(self.ledger).all)

    def rosters(self, city: City) -> dict[str, str]:
        """buildings/<id>/roster.csv: who is enrolled this month, for that building's own folder."""
        if self.standing.members is None:
            return {}
        return {f"buildings/{b.id}/roster.csv": _table(self.standing.members.get(b.id, ())) for b in city.buildings}

    def close(self, groups: Iterable[Group], mute: Mapping[str, str], faults: Mapping[str, str]) -> None:
        """Note who of those that may speak did, since a month of taking turns is itself a message; then close.

        A machine that failed says nothing of its people.
        """
        for group in groups:
            if self.gated and group.kind is not GroupKind.DARK and group.id not in faults:
                self.ledger.note_day(group.id, self.slot, group.id not in mute)
        self.ledger.close()


def _table(members: Iterable[Member]) -> str:
    rows = [f"{m.occupant},{m.contracted_wh // 1000}.{m.contracted_wh % 1000:03},{m.units}" for m in members]
    return "\n".join(["occupant,contracted_kwh,units", *rows]) + "\n"
