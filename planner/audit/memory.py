"""R8 to R10: releases together with earlier ones, from the ledger beside the run, and what is told of them."""

from __future__ import annotations

from planner.audit.disclosure import policy_of, speaking_groups
from planner.audit.evidence import Evidence
from planner.audit.findings import Findings
from planner.audit.release import outbox
from planner.audit.table import DamagedFileError, MissingFileError
from planner.security.churn import waits
from planner.security.differencing import Row, isolated, occupants_of, smallest_difference
from planner.security.releases import NoLedgerError, ReleaseLedger, Said, Spoken

REPORT = "market/privacy.json"
FIELDS = ("report", "day", "epoch", "clear", "policy", "policy_sha256", "unit", "rules", "groups")
RULES = ("k_active", "max_day_share_percent", "min_occupants", "min_buildings")
OF_GROUP = ("group", "kind", "spoke", "envelopes", "bytes", "intervals")
NO_LEDGER = "the site's release ledger is not beside the run"


def ledger_of(run: Evidence) -> tuple[ReleaseLedger, str]:
    """A copy of the ledger beside the run that knows the run's clear, and the clear's id."""
    policy_of(run)
    clear_id = str(run.json(REPORT).get("clear", ""))
    for path in sorted(run.root.resolve().parent.glob("*.releases.sqlite")):
        try:
            ledger = ReleaseLedger.copy_of(path)
        except NoLedgerError:
            continue
        if any(spoken.clear_id == clear_id for spoken in ledger.all()):
            return ledger, clear_id
    raise MissingFileError(NO_LEDGER)


def check_overlap(run: Evidence, found: Findings) -> None:
    """R8: nothing about a few occupants follows from this day's sums, and from what was said beside and before."""
    policy = policy_of(run)
    rows: set[Row] = {frozenset(group.places) for group in speaking_groups(run).values()}
    try:
        ledger, clear_id = ledger_of(run)
        slot = next(spoken.slot for spoken in ledger.all() if spoken.clear_id == clear_id)
        rows = ledger.rosters_beside(slot)
        _check_answers(list(ledger.said_of(slot)), policy.k_active, found)
    except MissingFileError:
        pass  # the groups of the run alone
    smallest = isolated([row for row in rows if row], policy.k_active)
    if smallest is not None:
        what = "released sums together give away a few occupants"
        found.add("R8", "market/groups.csv", what, occupants_of(smallest), policy.k_active)
    nearest = min((n for row in rows if (n := smallest_difference(list(rows), row))), default=policy.k_active)
    if nearest < policy.k_active:
        found.add("R8", "market/groups.csv", "two released sums differ in a few occupants", nearest, policy.k_active)


def _check_answers(said: list[Said], k: int, found: Findings) -> None:
    """Any two answers about the same instants differ in nobody's position or in those of k on the roster."""
    for n, later in enumerate(said):
        for earlier in said[:n]:
            changed = earlier.changed(later)
            if changed and occupants_of(changed & later.roster) < k:
                what = "two answers differ in the positions of a few occupants"
                found.add("R8", "outbox/", what, occupants_of(changed), k, name=later.group)


def check_memory(run: Evidence, found: Findings) -> None:
    """R9: who spoke is remembered and was allowed to: about the month's roster, alike in every clear of the day."""
    policy = policy_of(run)
    ledger, clear_id = ledger_of(run)
    spoken: dict[str, list[Spoken]] = {}
    for entry in ledger.all():
        spoken.setdefault(entry.group, []).append(entry)
    for name in sorted(speaking_groups(run)):
        now = next((entry for entry in spoken.get(name, ()) if entry.clear_id == clear_id), None)
        if now is None:
            found.add("R9", "privacy.json", "a group spoke and the ledger does not know of it", name=name)
            continue
        buildings = {building for building, _ in now.roster}
        if now.roster != ledger.places_of(now.slot.epoch, buildings):
            found.add("R9", "privacy.json", "the roster is not that of the month", name=name)
        if waits(ledger.last_roster(name, now.slot.epoch), now.roster, policy):
            found.add("R9", "privacy.json", "too few occupants changed since the group last spoke", name=name)
        if ledger.flips(name, now.slot.epoch, now.slot.day) >= policy.flips_allowed:
            found.add("R9", "privacy.json", "the group spoke and kept silent by turns before", name=name)
        for entry in spoken[name]:
            same_day = entry.slot.begin < now.slot.settled_until and now.slot.begin < entry.slot.settled_until
            if not same_day or entry.slot.product != now.slot.product:
                continue
            if entry.roster != now.roster:
                found.add("R9", "privacy.json", "the day was released for other occupants as well", name=name)
            if entry.slot != now.slot:
                found.add("R9", "privacy.json", "the day was released over other intervals as well", name=name)


def check_report(run: Evidence, found: Findings) -> None:
    """R10: what is published about a release has its fixed fields and agrees with the outbox."""
    policy = policy_of(run)
    told = run.json(REPORT)
    if tuple(told) != FIELDS or not isinstance(told["rules"], dict) or tuple(told["rules"]) != RULES:
        found.add("R10", REPORT, "fields other than those that may be published")
        return
    if told["policy_sha256"] != policy.sha256:
        found.add("R10", REPORT, "another policy", str(told["policy_sha256"]), policy.sha256)
    rows = [row for row in told["groups"] if isinstance(row, dict) and tuple(row) == OF_GROUP]
    if len(rows) != len(told["groups"]):
        found.add("R10", REPORT, "fields of a group other than those that may be published")
        return
    _agrees_with_outbox(run, {str(row["group"]): row for row in rows}, found)


def _agrees_with_outbox(run: Evidence, rows: dict[str, dict], found: Findings) -> None:
    lines = {path.stem: path.read_bytes().splitlines() for path in outbox(run)}
    for name, row in sorted(rows.items()):
        sent = lines.get(name, [])
        if any(type(row[field]) is not int for field in ("envelopes", "bytes", "intervals")):
            raise DamagedFileError(REPORT, "counts that are not whole numbers")
        if row["envelopes"] != len(sent) or row["bytes"] != sum(map(len, sent)):
            found.add("R10", REPORT, "says more or less than was sent", row["envelopes"], len(sent), name=name)
