"""Who may say what: the frozen list of entities, their keys, the table of rights, and the root that signs it all.

Everything else asks a Roster three things: whose is this key, what may its owner say or read, and which key seals to
a reader.  Which roster a node trusts is decided in trust.py, before this module, and does not change it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from planner.security import strict
from planner.security.entities import Entity, SigningRecord, entity_document, read_entity
from planner.security.keys import is_weak, signing_key_id
from planner.security.refusal import Reason, Refused, require
from planner.security.rights import STANDARD, Action, Rule, may

_ROSTER = frozenset({"version", "policy", "expires", "root", "entities", "rules"})
_ROOT = frozenset({"keys", "threshold"})
_RULE = frozenset({"role", "action", "type", "stream", "from", "until"})
LEAST_THRESHOLD = 2
MAX_ROSTER_BYTES = 24 << 20


@dataclass(frozen=True)
class Root:
    """The offline keys that sign rosters, and how many of them must."""

    keys: tuple[bytes, ...] = ()
    threshold: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(sorted(self.keys)))

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal over keys (sorted) and threshold: what a new node is told out of band."""
        parts = [b"allotment/root/v1\0", self.threshold.to_bytes(2, "big"), *self.keys]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    @property
    def by_id(self) -> dict[str, bytes]:
        return {signing_key_id(key): key for key in self.keys}

    def check(self) -> None:
        """Raises Refused unless the keys are unique and sound and at least two of them must sign."""
        require(not any(map(is_weak, self.keys)), Reason.WEAK_KEY)
        require(len(set(self.keys)) == len(self.keys), Reason.DUPLICATE)
        require(LEAST_THRESHOLD <= self.threshold <= len(self.keys), Reason.THRESHOLD)


@dataclass(frozen=True)
class Roster:
    """Version, hash of the policy in force, entities, rights, expiry (epoch seconds) and root.

    Raises Refused when two entities contradict each other.  A roster without a root serves a clear whose gateways
    all run in one process; nobody else may trust it.
    """

    version: int
    policy: str
    entities: tuple[Entity, ...]
    rules: tuple[Rule, ...] = STANDARD
    expires_at: int = strict.MAX_INTEGER
    root: Root = Root()
    _by_name: dict[str, Entity] = field(init=False, repr=False, compare=False)
    _by_key: dict[str, tuple[Entity, SigningRecord]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "entities", tuple(sorted(self.entities, key=lambda entity: entity.name)))
        object.__setattr__(self, "rules", tuple(sorted(set(self.rules))))
        records = [(entity, record) for entity in self.entities for record in entity.signing]
        object.__setattr__(self, "_by_name", {entity.name: entity for entity in self.entities})
        object.__setattr__(self, "_by_key", {record.key_id: (entity, record) for entity, record in records})
        self._check(records)

    def _check(self, records: list[tuple[Entity, SigningRecord]]) -> None:
        require(strict.is_integer(self.version, low=1) and strict.is_id(self.policy), Reason.ROSTER)
        require(strict.is_integer(self.expires_at, low=0), Reason.ROSTER)
        require(all(strict.is_id(e.name) and strict.is_id(e.role) for e in self.entities), Reason.ROSTER)
        require(all(strict.is_id(zone) for e in self.entities for zone in e.zones), Reason.ROSTER)
        require(all(rule.is_sound for rule in self.rules), Reason.ROSTER)
        require(not any(is_weak(record.public) for _, record in records), Reason.WEAK_KEY)
        # A key under two names is two names with one secret; a colliding key id would hide one of two keys.
        sealing = [record.public.raw for entity in self.entities for record in entity.sealing]
        unique = len(set(sealing)) == len(sealing) and len(self._by_name) == len(self.entities)
        roots = {record.public for _, record in records} & set(self.root.keys)
        require(unique and len(self._by_key) == len(records) and not roots, Reason.DUPLICATE)

    def owner_of(self, key_id: str) -> tuple[Entity, SigningRecord] | None:
        """The entity and record this key id points to."""
        return self._by_key.get(key_id)

    def entity(self, name: str) -> Entity | None:
        """The entity of that name."""
        return self._by_name.get(name)

    def allows(self, entity: Entity, action: Action, message_type: str, stream: str, at: int) -> bool:
        """True if a rule lets ``entity`` send or read ``message_type`` on ``stream``; else it is denied."""
        known = self._by_name.get(entity.name) == entity
        return known and may(self.rules, entity.role, entity.zones, action, message_type, stream, at)

    def readers(self, message_type: str, stream: str, at: int) -> tuple[Entity, ...]:
        """Who subscribes to ``message_type`` on ``stream``, by name."""
        return tuple(e for e in self.entities if self.allows(e, Action.READ, message_type, stream, at))

    def senders(self, message_type: str, stream: str, at: int) -> tuple[Entity, ...]:
        """Who may be heard with ``message_type`` on ``stream``, by name."""
        return tuple(e for e in self.entities if self.allows(e, Action.SEND, message_type, stream, at))

    def to_bytes(self) -> bytes:
        """The canonical document: what is signed, hashed and stored."""
        entities = [entity_document(entity) for entity in self.entities]
        root = {"keys": [strict.b64encode(k) for k in self.root.keys], "threshold": self.root.threshold}
        rules = [_rule_document(rule) for rule in self.rules]
        kept = {"version": self.version, "policy": self.policy, "expires": self.expires_at}
        return strict.dumps(kept | {"root": root, "entities": entities, "rules": rules})

    @classmethod
    def from_bytes(cls, data: bytes) -> Roster:
        """Read a document written by ``to_bytes``; raises Refused."""
        document = strict.fields(strict.loads(data, MAX_ROSTER_BYTES), _ROSTER)
        entities, rules = strict.array(document["entities"]), strict.array(document["rules"])
        return cls(
            document["version"],
            document["policy"],
            tuple(map(read_entity, entities)),
            tuple(map(_read_rule, rules)),
            document["expires"],
            _read_root(document["root"]),
        )


def _rule_document(rule: Rule) -> dict[str, Any]:
    return {
        "role": rule.role,
        "action": rule.action.value,
        "type": rule.type,
        "stream": rule.stream,
        "from": rule.valid_from,
        "until": rule.valid_until,
    }


def _read_root(value: Any) -> Root:
    document = strict.fields(value, _ROOT)
    require(strict.is_integer(document["threshold"], low=0, high=999), Reason.FIELDS)
    return Root(tuple(strict.b64decode(key) for key in strict.array(document["keys"])), document["threshold"])


def _read_rule(value: Any) -> Rule:
    document = strict.fields(value, _RULE)
    require(all(type(document[name]) is str for name in ("role", "action", "type", "stream")), Reason.FIELDS)
    try:
        action = Action(document["action"])
    except ValueError:
        raise Refused(Reason.ROSTER) from None
    return Rule(document["role"], action, document["type"], document["stream"], document["from"], document["until"])
