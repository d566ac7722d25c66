"""The public side of an identity: its name and its public keys with their times, as it asks to be enrolled.

signing key   12 months; the next one overlaps it by 30 days
sealing key   30 days; its private half is destroyed 14 days later
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from planner.security import strict
from planner.security.entities import (
    SealingRecord,
    SigningRecord,
    read_sealing,
    read_signing,
    sealing_document,
    signing_document,
)
from planner.security.refusal import Reason, require

DAY_S = 86400
SIGNING_S = 365 * DAY_S
OVERLAP_S = 30 * DAY_S
SEALING_S = 30 * DAY_S
KEEP_S = 14 * DAY_S

_SLACK_S = 2 * DAY_S
_CARD = frozenset({"name", "signing", "sealing"})


@dataclass(frozen=True)
class Card:
    """A name and its keys in the order they were made; the key of a root seals nothing and comes without the second."""

    name: str
    signing: tuple[SigningRecord, ...]
    sealing: tuple[SealingRecord, ...] = ()

    @property
    def newest(self) -> SigningRecord:
        """The signing key that was made last."""
        return self.signing[-1]

    @property
    def fingerprint(self) -> str:
        """What is read aloud: 40 hexadecimal digits in groups of four over name and all public keys."""
        digest = hashlib.sha256(b"allotment/card/v1\0" + self.to_bytes()).hexdigest()[:40]
        return " ".join(digest[i : i + 4] for i in range(0, 40, 4))

    def current(self, at: int) -> Card:
        """The same with the keys that are not yet over; raises Refused if one claims to live too long."""
        signing = tuple(record for record in self.signing if at < record.valid_until)
        sealing = tuple(record for record in self.sealing if at < record.valid_until)
        lives = [record.valid_until - max(record.valid_from, at) - SIGNING_S for record in signing]
        lives += [record.valid_until - max(record.valid_from, at) - SEALING_S for record in sealing]
        require(len(signing) > 0 and all(life <= _SLACK_S for life in lives), Reason.VALIDITY)
        return replace(self, signing=signing, sealing=sealing)

    def to_bytes(self) -> bytes:
        """The canonical document."""
        signing = [signing_document(record) for record in self.signing]
        sealing = [sealing_document(record) for record in self.sealing]
        return strict.dumps({"name": self.name, "signing": signing, "sealing": sealing})

    @classmethod
    def from_bytes(cls, data: bytes) -> Card:
        """Read a document written by ``to_bytes``; raises Refused, also for a weak sealing key."""
        document = strict.fields(strict.loads(data), _CARD)
        require(strict.is_id(document["name"]), Reason.FIELDS)
        signing = tuple(map(read_signing, strict.array(document["signing"])))
        require(len(signing) > 0, Reason.FIELDS)
        return cls(document["name"], signing, tuple(map(read_sealing, strict.array(document["sealing"]))))


def signing_record(public: bytes, at: int) -> SigningRecord:
    """A signing key that begins now; in fact three days earlier, so that no alert fails for a clock that is slow."""
    return SigningRecord(public, max(at - 3 * DAY_S, 0), at + SIGNING_S)
