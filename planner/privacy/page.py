"""The privacy report of a run: one document and one page of text, in an inside and an outside version.

The inside version is for the site and its privacy officer: it has counts, shares and reasons.  The outside version is
what may be handed on: the same page without them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planner.case import Case
from planner.ledger import Run
from planner.privacy.attack import leavers
from planner.privacy.calibration import may_leave as gate_lets_out
from planner.privacy.document import OUTSIDE_FILE, outside
from planner.privacy.processing import in_lines, processing
from planner.privacy.profiles import metered_days
from planner.privacy.recount import groups_of, houses_of
from planner.privacy.rules import RULES
from planner.problems import InvalidInput, Problem
from planner.security.hpke import SealingPublic
from planner.security.log import Kind, Record
from planner.security.logcheck import read_extract
from planner.security.merkle import root_of
from planner.security.messages import release_types
from planner.security.policy import PRESETS
from planner.security.roster import Roster
from planner.summing import LEAST_GROUPS

RESIDUAL_RISK = (
    "A reader with outside knowledge of most members of a group can bound the rest.",
    "Quarter-hour sums can suggest the opening hours of a group.",
    "Days before and after a change of occupants can be compared: planner privacy attack, or --case, says how well.",
    "An answer tells one cost of a group; where nothing costs but fees, it says how much its buildings traded.",
    "A gateway that betrays its own occupants is not stopped by any of this: it sees their limits and answers.",
)
NO_CLAIM = (
    "Sums over groups under stated disclosure rules. No claim is made that nobody can be recognised: inside they are "
    "personal data, outside aggregates of low risk under contract."
)
CHECK_IT = (
    "planner audit RUN re-counts sizes, shares and activity from the files, and compares with the release ledger.",
    "planner log verify RUN checks the log against the outbox and this report.",
)
NO_NOISE = (
    "No noise is added to what the market acts on: it would break the balance or, repaired, protect nobody. For one "
    "day of 96 intervals (1 kWh bound, epsilon 1) it would take about 2,400 occupants before the noise is below 5 %."
)


def report(run: Run, *, for_outside: bool = False, case: Case | None = None) -> dict[str, Any]:
    """The document; raises InvalidInput for a run that says nothing of its releases.

    With ``case`` the inside version says what one who leaves a group of today's sizes would give away (metered days).
    """
    path = run.folder / "privacy.json"
    if for_outside and not path.is_file():
        path = run.folder / OUTSIDE_FILE  # a part that was handed on has this one alone
    written = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if "rules" not in written:
        hint = "only a clear of this version writes all of it"
        raise InvalidInput([Problem("privacy.json", 0, "says nothing of what was released", hint=hint)])
    if for_outside:
        return (_nothing_released(written) if written.get("stamp") else outside(written)) | _fixed(run)
    recounted = _recounted(run, written)
    price = {"price_of_privacy": run.certificate.get("price_of_privacy")}
    refused = {"refused_by_gate": sum(sum(g.get("refused", {}).values()) for g in recounted)}
    attacked = {} if case is None else {"leavers": _leavers(case, recounted)}
    return dict(written) | price | refused | attacked | {"groups": recounted} | _fixed(run)


def _leavers(case: Case, groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The attack on groups as large as today's, drawn from all metered units; sizes beyond these are left out."""
    sizes = sorted({g["occupants"] for g in groups if g.get("occupants")})
    return [found.to_json() for found in leavers(metered_days(case), sizes=sizes)]


def _nothing_released(written: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("report", "day", "epoch", "policy", "policy_sha256", "unit", "stamp")
    return {name: written[name] for name in kept} | {"groups": []}


def _fixed(run: Run) -> dict[str, Any]:
    """What is the same in both versions: who can read, what is claimed, what is left."""
    return {
        "fields": {name: sorted(kind.fields) for name, kind in release_types().items()},
        "readers": _readers(run),
        "security": _security(run),
        "log": _log(run),
        "dp": {"used": False, "why": NO_NOISE},
        "processing": processing(_readers(run)),
        "claim": NO_CLAIM,
        "residual_risk": list(RESIDUAL_RISK),
    }


def _readers(run: Run) -> list[str]:
    return [f"{name} ({key.key_id})" for name, key in _sealing_keys(run)]


def _sealing_keys(run: Run) -> list[tuple[str, SealingPublic]]:
    """(name, key) of everybody to whom a release is sealed."""
    roster = _roster(run)
    readers = [] if roster is None else [e for e in roster.entities if e.role == "marketplace"]
    return [(reader.name, record.public) for reader in readers for record in reader.sealing]


def _roster(run: Run) -> Roster | None:
    path = run.folder / "market" / "roster.json"
    return Roster.from_bytes(path.read_bytes().strip()) if path.is_file() else None


def _security(run: Run) -> dict[str, Any] | None:
    """How the messages are signed and sealed, and under which roster; None where none was sent."""
    roster = _roster(run)
    if roster is None:
        return None
    sealed = sorted({key.kem.value for _, key in _sealing_keys(run)})
    return {"signature": "ed25519", "sealing": sealed, "roster": roster.version}


def _log(run: Run) -> dict[str, Any] | None:
    """Where the log of the clear tells of the published report: entry (None if nowhere), entries, RFC 6962 root."""
    path, report = run.folder / "market" / "log.jsonl", run.folder / OUTSIDE_FILE
    if not path.is_file():
        return None
    read = read_extract(path.read_bytes())
    wanted = hashlib.sha256(report.read_bytes()).hexdigest() if report.is_file() else ""
    records = ((n, Record.from_bytes(document)) for n, (_, document) in read.records.items())
    at = next((n for n, record in records if (record.kind, record.subject) == (Kind.REPORT, wanted)), None)
    return {"entry": at, "entries": len(read.entries), "root": root_of([e.leaf for e in read.entries]).hex()}


def _recounted(run: Run, written: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups as the gate saw them, beside what other rules would say of their committed positions."""
    try:
        groups = groups_of(houses_of(run.folder))
    except InvalidInput:
        return list(written["groups"])
    policy = PRESETS.get(written["policy"])
    rows = []
    for row in written["groups"]:
        if (group := groups.get(row["group"])) is None:
            rows.append(row)
            continue
        table = group.enrolment.contributions(group.delta_wh)
        other = {}
        for rule in RULES:
            failing, cells = rule.failing(table)
            other[rule.name] = {
                "cells_failing": failing,
                "cells": cells,
                "day_total_passes": not rule.fails_on_the_day(table),
            }
        passes = gate_lets_out(group, policy) if policy is not None and policy.gated else None
        rows.append(dict(row) | {"other_rules": other, "commitment_passes_again": passes})
    return rows


def page(document: Mapping[str, Any]) -> str:
    """The document as a page of text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(d: Mapping[str, Any]) -> Iterator[str]:
    yield f"Privacy report, delivery day {d['day']}, rules: preset {d['policy']} ({d['policy_sha256'][:12]})"
    if d.get("stamp"):
        yield ""
        yield str(d["stamp"]).upper() + ": this preset lets nothing out of the site."
    yield from _titled("What left", _what_left(d))
    yield from _titled("Under which rules", _rules(d))
    yield from _titled("How close to the limits", _limits(d))
    yield from _titled("What the gate refused", _refused(d))
    yield from _titled("How much each group has said so far", _exposure(d))
    yield from _titled("What one who leaves would give away", _left(d))
    yield from _titled("Beside other rules (committed positions)", _others(d))
    yield from _titled("Can two outputs be subtracted", _differences(d))
    yield from _titled("Who came and went", _churn(d))
    yield from _titled("Who said nothing, and why", _silent(d))
    yield from _titled("What it cost", _cost(d))
    yield from _titled("Who can read it", d["readers"] or ["nobody: nothing was sealed"])
    yield from _titled("How it is signed and kept", _signed(d))
    yield from _titled("Why no noise", [d["dp"]["why"]])
    yield from _titled("Why, what, for whom and how long", in_lines(d["processing"]))
    yield from _titled("What is claimed", [d["claim"]])
    yield from _titled("What risk is left", d["residual_risk"])
    yield from _titled("Check it", CHECK_IT)


def _titled(title: str, lines: Any) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _what_left(d: Mapping[str, Any]) -> Iterator[str]:
    for group in d["groups"]:
        if group["spoke"]:
            told = f"{group['envelopes']} sealed messages of {group['intervals']} intervals, {group['bytes']:,} bytes"
            yield f"{group['group']} ({group['kind']}): {told}"
    if not d.get("stamp") and (few := sum(group["spoke"] for group in d["groups"])) < LEAST_GROUPS:
        told = f"{few} group{'s' * (few != 1)} spoke, fewer than {LEAST_GROUPS}"
        yield f"{told}: bound, gap and lost opportunity of the certificate stay inside; planner share leaves them out"
    for name, fields in d["fields"].items():
        yield f"fields of {name}: {', '.join(fields)}; whole numbers and ids, nothing else"


def _rules(d: Mapping[str, Any]) -> Iterator[str]:
    rules = d.get("rules", {})
    if not rules or d.get("stamp"):
        return
    yield (
        f"at least {rules['min_occupants']} occupants, in a cohort {rules['min_buildings']} buildings; at least "
        f"{rules['k_active']} active in every interval; none above {rules['max_day_share_percent']} % of a day"
    )
    if "p_percent" in rules:
        yield (
            f"p% rule with p = {rules['p_percent']} in every interval, and all of it again without the "
            f"{rules['coalition']} largest occupant(s) and without the largest building"
        )
    yield "whole days or nothing; any two answers differ in nobody or in enough occupants; rosters stand for a month"


def _limits(d: Mapping[str, Any]) -> Iterator[str]:
    for g in d["groups"]:
        if g.get("min_active") is not None:
            yield (
                f"{g['group']}: {g['occupants']} occupants, at least {g['min_active']} active, the largest "
                f"{_percent(g['worst_interval_share_ppm'])} of an interval and {_percent(g['largest_day_share_ppm'])} "
                f"of the day; {g['held_back']} answers held back"
            )


def _refused(d: Mapping[str, Any]) -> Iterator[str]:
    if "refused_by_gate" in d and not d.get("stamp"):
        yield f"{d['refused_by_gate']} messages were refused and did not leave"
    for g in d["groups"]:
        if steps := g.get("refused"):
            yield f"{g['group']}: " + ", ".join(f"{count} at step {step}" for step, count in steps.items())
    if d.get("turned_away") is not None:
        yield f"{d['turned_away']} messages that arrived were not accepted"


def _exposure(d: Mapping[str, Any]) -> Iterator[str]:
    for g in d["groups"]:
        if told := g.get("exposure"):
            yield (
                f"{g['group']}: {told['intervals']:,} intervals of {told['days']} delivery days, "
                f"{told['answers']} different answers in {told['clears']} clears"
            )


def _left(d: Mapping[str, Any]) -> Iterator[str]:
    found = d.get("leavers")
    if found is None:
        return
    for one in found:
        told = f"{one['skill']:.2f}" if one["skill"] >= 0 else "below 0"
        yield (
            f"{one['together']} of {one['size']} leaving together: skill {told}, named in {one['named']:.0%} "
            f"(by chance {one['chance']:.0%})"
        )
    if found:
        days, trials = found[0]["days"], found[0]["trials"]
        yield f"{days} working days before against as many after, {trials} groups drawn; skill 1 is all, 0 the mean"
    else:
        yield "not measured: too few metered working days, or no group that the metered units could fill"


def _others(d: Mapping[str, Any]) -> Iterator[str]:
    for g in d["groups"]:
        if rules := g.get("other_rules"):
            cells = ", ".join(f"{name} {r['cells_failing']}/{r['cells']}" for name, r in rules.items())
            totals = ", ".join(name for name, r in rules.items() if r["day_total_passes"]) or "none"
            yield f"{g['group']}: intervals failing {cells}; the day's total passes {totals}"


def _differences(d: Mapping[str, Any]) -> Iterator[str]:
    if d.get("stamp") or not d["groups"]:
        return
    if not any("compared_with" in g for g in d["groups"]):
        yield "no sum over fewer occupants than the rules allow follows from this release and earlier ones"
    for g in d["groups"]:
        if "compared_with" in g:
            nearest = g["smallest_difference"]
            told = "none overlaps" if nearest is None else f"the nearest differs in {nearest} occupants"
            yield f"{g['group']}: held against {g['compared_with']} other rosters of the same hours, {told}"


def _churn(d: Mapping[str, Any]) -> Iterator[str]:
    if d.get("stamp"):
        return
    yield f"the roster of {d['epoch']} stands until the month ends"
    for g in d["groups"]:
        if "changed_since_it_spoke" in g:
            changed = g["changed_since_it_spoke"]
            told = "spoke in no earlier month" if changed is None else f"{changed} changed since it spoke in one before"
            yield f"{g['group']}: {told}; {g['joined_since']} joined since and wait"


def _signed(d: Mapping[str, Any]) -> Iterator[str]:
    if (how := d["security"]) is not None:
        sealing = ", ".join(how["sealing"])
        yield f"signed with {how['signature']}, sealed with {sealing}, roster version {how['roster']}"
    if (log := d["log"]) is not None:
        at = "this report is in no entry" if log["entry"] is None else f"this report is entry {log['entry']}"
        yield f"log of {log['entries']} entries, {at}, root {log['root']}"


def _silent(d: Mapping[str, Any]) -> Iterator[str]:
    for g in d["groups"]:
        if g.get("silent_because"):
            yield f"{g['group']}: {g['silent_because']}"


def _cost(d: Mapping[str, Any]) -> Iterator[str]:
    price = d.get("price_of_privacy")
    if price is not None:
        yield f"{price:.2f} of surplus forgone by groups that said nothing, at the day's prices (currency of the case)"


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:.1f} %"
