"""The three parts that a gateway can play in a clear, each a function from a question to what a slot says.

alone    a building that speaks for itself
speaker  the named gateway of a cohort, with its own building among the members
member   another gateway of the cohort: it answers the speaker and never the marketplace
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from planner.groups import Group
from planner.hearing import BOUNDS_NEEDED, HeldBack, Sealed
from planner.history import ledger_beside, slot_of
from planner.ledger import add_file
from planner.marketplace.carrier import Settle, parted
from planner.marketplace.cohort import CohortGateway, Part, part_of
from planner.marketplace.mail import NOBODY, Mail
from planner.marketplace.memory import Said
from planner.marketplace.messages import CLOSE, ENROL, SETTLE
from planner.marketplace.numbers import pack, question_body, read_question, unpack
from planner.marketplace.site import Site, cohort_enrolment
from planner.privacy.document import document, seen, spoken
from planner.questions import Bound, BoundAt, Price, Question, Silence
from planner.security.churn import standing
from planner.security.enrolment import Enrolment
from planner.security.gate import Gate
from planner.security.masking import Masker
from planner.security.opening import message_hash
from planner.security.policy import PRESETS
from planner.security.refusal import Reason, require
from planner.security.releases import ReleaseLedger
from planner.security.reviews import Reviews
from planner.settlement import Dues
from planner.voice import Mouth, SpeakingGateway

Finish = Callable[[Settle], object]
PRIVACY = "privacy.json"
ABSENT = "takes no part today"
"""Why a group is silent whose building is without electricity: that there was an alert is nobody else's business."""
NO_PART: Mapping[str, Any] = {"whole": [], "exact": ""}
"""The part of a member that stays out."""


class MemberAbsentError(Exception):
    """A member stays out: a sum without it, beside one with it, would tell its part, so its cohort is silent."""


def word(name: str, *, about: str = NOBODY, reason: str = NOBODY, value: Sequence[int] = ()) -> dict[str, Any]:
    """The fields of a slot that says something."""
    return {"word": name, "about": about, "reason": reason, "value": list(value)}


@dataclass
class Speaking:
    """A group's voice towards the marketplace."""

    site: Site
    mail: Mail
    voice: SpeakingGateway
    finish: Finish
    masker: Masker | None = None
    turned_away: Callable[[], int] = lambda: 0
    sent: list[bytes] = field(default_factory=list)

    def answer(self, body: Mapping[str, Any]) -> Said:
        """To one question of the marketplace."""
        if body["ask"] == SETTLE:
            settled = read_settle(body, self.site.intervals)
            mouth = self.voice.mouth
            mouth.ledger.note_day(self.voice.group.id, mouth.slot, settled.taken)
            self.finish(settled)
            self.report(settled.taken)
            return Said(slot=word("settled"))
        question = read_question(dict(body), self.site.intervals)
        try:
            uttered = self.voice.answer(question)
        except MemberAbsentError:
            return Said(slot=word("silent", reason=ABSENT), mark=ABSENT)
        match uttered:
            case Sealed(envelope, bound):
                self.sent.append(envelope)
                masked = self._masked(question, body, bound)
                mark = self.voice.said_sha256
                return Said((envelope,), word("said", about=message_hash(envelope), value=masked), mark)
            case HeldBack(bound):
                return Said(slot=word("held", value=self._masked(question, body, bound)))
            case Bound(micro):
                return Said(slot=word("bound", value=self._masked(question, body, micro)))
            case Silence(reason):
                return Said(slot=word("silent", reason=reason))

    def report(self, spoke: bool) -> None:
        """Write privacy.json beside the building's papers: what the gate saw, and what was sent."""
        policy = PRESETS[self.site.case.settings.privacy.preset]
        row = spoken(self.voice.group, self.sent, self.site.intervals, spoke) | seen(self.voice)
        told = document(self.voice.mouth.slot.day, self.mail.clear_id, policy, [row])
        told["turned_away"] = self.turned_away()
        add_file(self.site.out, PRIVACY, json.dumps(told, indent=2) + "\n")

    def close(self) -> None:
        """The day is over: nothing more is remembered."""
        self.voice.mouth.ledger.close()

    def _masked(self, question: Question, body: Mapping[str, Any], bound: int | None) -> list[int]:
        """The group's share in a sum that opens only over all of ``bounds``; nothing where they are too few."""
        members = list(body["bounds"])
        asked = isinstance(question, Price | BoundAt) and bound is not None
        if not asked or len(set(members)) < BOUNDS_NEEDED or self.mail.me.name not in members:
            return []
        if self.masker is None:
            self.masker = masker(self.mail, members)
        unknown = set(members) - self.masker.others.keys() - {self.mail.me.name}
        if unknown or bound is None:
            return []
        label = f"{self.mail.clear_id}/{body['number']}"
        return parted(self.masker.mask(bound, members, label))


def masker(mail: Mail, members: Sequence[str]) -> Masker:
    """Pairwise secrets with the gateways of the roster, by the sealing keys of the day."""
    day = mail.clock() // 86_400 * 86_400
    entities = {name: mail.roster.entity(name) for name in members}
    keys = {
        name: entity.sealing_at(max(day, _begins(entity))) for name, entity in entities.items() if entity is not None
    }
    own = next(key for key in mail.me.sealing if key.public == keys[mail.me.name])
    return Masker(mail.me.name, own, {name: key for name, key in keys.items() if name != mail.me.name})


def _begins(entity: Any) -> int:
    """A key younger than the day counts from its first moment."""
    return min(record.valid_from for record in entity.sealing)


def read_settle(body: Mapping[str, Any], n: int) -> Settle:
    """How the day ended, as told."""
    taken, *prices = body["whole"]
    return Settle(tuple(prices[:n]), tuple(prices[n : 2 * n]), bool(taken))


def settle_body(settled: Settle) -> dict[str, Any]:
    """whole and exact of it."""
    return {"ask": SETTLE, "whole": [int(settled.taken), *settled.node_nano, *settled.contract_nano], "exact": ""}


def read_dues(values: Sequence[int]) -> Dues:
    """What a member tells its cohort's named gateway of its day; raises Refused."""
    require(len(values) == len(Dues._fields) and min(values) >= 0, Reason.SCHEMA)
    return Dues(*values)


def speaking_alone(site: Site, mail: Mail) -> Speaking:
    """A building that speaks for itself."""
    return Speaking(site, mail, _voice(site, mail, site.gateway, site.enrolment()), site.finish)


def _voice(site: Site, mail: Mail, inner: Any, enrolment: Enrolment) -> SpeakingGateway:
    """The group's voice through the release gate, with what this gateway remembers of earlier releases behind it."""
    settings = site.case.settings
    policy = PRESETS[settings.privacy.preset]
    ledger = ReleaseLedger(ledger_beside(site.out, settings.name))
    slot = slot_of(site.city.grid, str(settings.delivery_date))
    gate = Gate(policy, settings.synthetic, Reviews(ledger).all)
    enrolled = standing(ledger, slot, policy, enrolment).known(enrolment)
    mouth = Mouth(mail.me, mail.roster, mail.clear_id, slot, ledger, mail.clock)
    return SpeakingGateway(inner, enrolled, gate, mouth)


@dataclass
class RemoteMembers:
    """The members of a cohort: one's own building here, the others by letter.

    ``send`` posts letters with the next slots, ``await_part`` gives the body of the part that answers a number.
    """

    site: Site
    mail: Mail
    names: Sequence[str]
    send: Callable[[bytes], None]
    await_part: Callable[[str, int], Mapping[str, Any]]
    number: int = 0

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Part]:
        bodies = self.exchange({i: question_body(question) for i, question in questions.items()})
        own = {i: part_of(self.site.gateway, q) for i, q in questions.items() if self.names[i] == self.mail.me.name}
        told = {i: self.collect(i, number) for i, number in bodies.items()}
        if not all(body["whole"] for body in told.values()):
            raise MemberAbsentError
        return own | {i: Part.read(body, self.site.intervals) for i, body in told.items()}

    def exchange(self, bodies: Mapping[int, Mapping[str, Any]]) -> dict[int, int]:
        """Ask the members elsewhere; the number under which each will answer."""
        asked = {}
        for i, body in bodies.items():
            if self.names[i] != self.mail.me.name:
                self.number += 1
                told = {"number": self.number, "group": self.site.told.group.id, **body}
                self.send(self.mail.letter("inquiry", told, self.names[i]))
                asked[i] = self.number
        return asked

    def collect(self, i: int, number: int) -> Mapping[str, Any]:
        return self.await_part(self.names[i], number)

    def told(self, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What every member answers to the same inquiry, one's own answer among them."""
        asked = self.exchange(dict.fromkeys(range(len(self.names)), body))
        own = member_answers(self.site, body)
        return [self.collect(i, asked[i]) if i in asked else own for i in range(len(self.names))]


def speaking_for_cohort(site: Site, mail: Mail, members: RemoteMembers) -> Speaking:
    """The named gateway of a cohort; it learns first who lives with its members, by number."""
    told = site.told
    rows = members.told({"ask": ENROL, "whole": [], "exact": ""})
    shares = [float(unpack(row["exact"])[0]) for row in rows]
    enrolment = cohort_enrolment(told.group.id, told.members, [row["whole"] for row in rows])
    group: Group = replace(told.group, buildings=told.members)
    inner = CohortGateway(group, members, shares, site.intervals, site.gateway.lot_wh)

    def finish(settled: Settle) -> None:
        """What each member pays and is owed goes into the cohort's book, and nowhere else."""
        dues = [read_dues(row["whole"]) for row in members.told(settle_body(settled))]
        if settled.taken:
            site.keep_book(settled, dues, *inner.stands)

    return Speaking(site, mail, _voice(site, mail, inner, enrolment), finish)


def member_answers(site: Site, inquiry: Mapping[str, Any]) -> dict[str, Any]:
    """What a member tells its cohort's named gateway: whole and exact of a part."""
    match inquiry["ask"]:
        case str() as ask if ask == ENROL:
            return {"whole": site.enrolled_numbers(), "exact": pack([site.told.share])}
        case str() as ask if ask == SETTLE:
            return {"whole": list(site.finish(read_settle(inquiry, site.intervals))), "exact": ""}
        case str() as ask if ask == CLOSE:
            return {"whole": [], "exact": ""}
    return part_of(site.gateway, read_question(dict(inquiry), site.intervals)).body()


def digest(body: Mapping[str, Any]) -> str:
    """What makes a question the same question."""
    return marked((body["ask"], body["whole"], body["exact"], body.get("bounds", [])))


def marked(said: object) -> str:
    """A hash of plain values."""
    return hashlib.sha256(repr(said).encode()).hexdigest()


def largest_bundle(site: Site) -> int:
    """Bytes of the largest message this gateway may have to send, so that all of them can have that size."""
    n, units = site.intervals, len(site.building.units)
    answer = envelope_bytes(400 + 12 * n)
    slot = envelope_bytes(400)
    if site.told.members:
        ladder = 8 * n * (1 + 3 * 10)
        return slot + max(answer, envelope_bytes(600 + ladder * 4 // 3))
    if site.told.speaker:
        return slot + envelope_bytes(600 + 11 * n + 9 * n * max(units, 1))
    return slot + answer


def envelope_bytes(body: int) -> int:
    """An upper bound on the size of an envelope around a body of that many bytes."""
    block = int(np.ceil((body + 200) / 4096)) * 4096
    return int((block + 1200) * 1.79) + 2200
