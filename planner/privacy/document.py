"""privacy.json: what a clear let out of the buildings.

Two versions.  The inside one stays with the site: it says what the gate saw.  The outside one goes to the marketplace
with the run; it is a release itself, so it has no count, no share and no reason in it, only what the envelopes show
anyway and which rules held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from planner.groups import Group
from planner.security.churn import changes
from planner.security.differencing import smallest_difference
from planner.security.gate import Step
from planner.security.policy import STAMP, Policy
from planner.security.strict import is_id

if TYPE_CHECKING:
    from planner.desk import Desk
    from planner.voice import SpeakingGateway

VERSION = 1
UNIT = "occupant"
OF_THE_PAST = frozenset({Step.SUCCESSIVE, Step.DIFFERENCING, Step.ONCE, Step.CHURN})
"""Steps at which earlier releases stand in the way."""
OUTSIDE = ("report", "day", "epoch", "clear", "policy", "policy_sha256", "unit", "rules", "groups")
OUTSIDE_RULES = ("k_active", "max_day_share_percent", "min_occupants", "min_buildings")
OUTSIDE_GROUP = ("group", "kind", "spoke", "envelopes", "bytes", "intervals")
OUTSIDE_FILE = "market/privacy.json"
KINDS = frozenset({"building", "cohort"})


def inside(desk: Desk, clear_id: str, mute: Mapping[str, str]) -> dict[str, Any]:
    """The whole document, for the site's own eyes."""
    groups = [*_speaking(desk, mute), *map(_dark, desk.dark)]
    return document(desk.history.slot.day, clear_id, desk.policy, groups)


def document(day: str, clear_id: str, policy: Policy, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is said of a clear, and of each of ``groups``."""
    return {
        "report": VERSION,
        "day": day,
        "epoch": day[:7],
        "clear": clear_id,
        "policy": policy.name,
        "policy_sha256": policy.sha256,
        "stamp": None if policy.gated else STAMP,
        "unit": UNIT,
        "rules": {name: value for name, value in asdict(policy).items() if name != "name"},
        "groups": list(groups),
    }


def spoken(group: Group, sent: Sequence[bytes], intervals: int, spoke: bool) -> dict[str, Any]:
    """What a group's envelopes show of it."""
    size = {"envelopes": len(sent), "bytes": sum(map(len, sent)), "intervals": intervals}
    return _of_group(group) | {"spoke": spoke, **size}


def _speaking(desk: Desk, mute: Mapping[str, str]) -> list[dict[str, Any]]:
    voices = {voice.group.id: voice for voice in desk.voices}
    rows = []
    for group in desk.bright:
        spoke = group.id not in mute and desk.policy.gated
        row = spoken(group, desk.envelopes.get(group.id, []), len(desk.city.grid), spoke)
        if voice := voices.get(group.id):
            row |= seen(voice)
        if group.id in mute:
            row["silent_because"] = mute[group.id]
            row["because_of_the_past"] = any(Step(step) in OF_THE_PAST for step in row.get("refused", ()))
        rows.append(row)
    return rows


def seen(voice: SpeakingGateway) -> dict[str, Any]:
    """What the gate saw of a group, in all that it tried to say, and who came or went since it last spoke."""
    enrolment, mouth = voice.enrolment, voice.mouth
    last = mouth.ledger.last_roster(enrolment.group, mouth.slot.epoch)
    beside = mouth.ledger.rosters_beside(mouth.slot) - {enrolment.places}
    return {
        "occupants": len({occupant for _, occupant in enrolment.places}),
        "joined_since": int((~enrolment.on_roster).sum()),
        "changed_since_it_spoke": None if last is None else changes(last, enrolment.places),
        "held_back": voice.held_back,
        "refused": dict(sorted(voice.refused.items())),
        "exposure": mouth.ledger.exposure(enrolment.group)._asdict(),
        "compared_with": len(beside),
        "smallest_difference": smallest_difference(sorted(beside, key=sorted), enrolment.places),
        **voice.worst,
    }


def _dark(group: Group) -> dict[str, Any]:
    return spoken(group, (), 0, spoke=False) | {"silent_because": group.why}


def _of_group(group: Group) -> dict[str, Any]:
    return {"group": group.id, "kind": str(group.kind), "buildings": len(group.buildings)}


def outside(document: Mapping[str, Any]) -> dict[str, Any]:
    """The version that may leave: groups that spoke, rules that held; raises ValueError for what may not."""
    told = {name: document[name] for name in OUTSIDE}
    told["rules"] = {name: document["rules"][name] for name in OUTSIDE_RULES}
    spoke = [group for group in document["groups"] if group["spoke"]]
    told["groups"] = [{name: group[name] for name in OUTSIDE_GROUP} for group in spoke]
    if not may_leave(told):
        raise ValueError("the outside version of privacy.json is not of the allowed form")
    return told


def published(document: Mapping[str, Any]) -> dict[str, bytes]:
    """market/privacy.json, where a policy lets anything out."""
    if document["stamp"]:
        return {}
    return {OUTSIDE_FILE: json.dumps(outside(document), indent=2).encode() + b"\n"}


def may_leave(document: Any) -> bool:
    """Whether a document has exactly the fields of the outside version: integers, and ids that everybody knows."""
    if not isinstance(document, dict) or tuple(document) != OUTSIDE:
        return False
    words = [document[name] for name in ("day", "epoch", "clear", "policy", "policy_sha256")]
    fixed = document["unit"] == UNIT and document["report"] == VERSION and all(map(is_id, words))
    rules, groups = document["rules"], document["groups"]
    if not fixed or not isinstance(rules, dict) or tuple(rules) != OUTSIDE_RULES or not isinstance(groups, list):
        return False
    return all(type(value) is int for value in rules.values()) and all(map(_group_may_leave, groups))


def _group_may_leave(group: Any) -> bool:
    if not isinstance(group, dict) or tuple(group) != OUTSIDE_GROUP or group["spoke"] is not True:
        return False
    counts = [group[name] for name in ("envelopes", "bytes", "intervals")]
    return is_id(group["group"]) and group["kind"] in KINDS and all(type(n) is int and n >= 0 for n in counts)
