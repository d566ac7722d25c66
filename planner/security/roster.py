"""Who may say what: the frozen list of entities, their keys and their rights.

Everything else asks a Roster two things: whose is this key, and may its owner say this.  Thresholds, expiry and
rollback protection decide which roster a node holds; they come before this module and do not change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from planner.security import strict
from planner.security.hpke import Kem, SealingPublic
from planner.security.keys import Identity, is_weak, signing_key_id
from planner.security.refusal import Reason, Refused, require

_ROSTER = frozenset({"version", "policy", "entities"})
_ENTITY = frozenset({"name", "role", "signing", "sealing", "sends"})
_SIGNING = frozenset({"alg", "key", "from", "until"})
_SEALING = frozenset({"kem", "key"})
_ALGORITHM = "ed25519"


@dataclass(frozen=True)
class SigningRecord:
    """A public signing key and when it counts: epoch seconds, [valid_from, valid_until)."""

    public: bytes
    valid_from: int
    valid_until: int

    @property
    def key_id(self) -> str:
        return signing_key_id(self.public)

    def is_valid(self, at: int) -> bool:
        """True if the key counts at epoch second ``at``."""
        return self.valid_from <= at < self.valid_until


@dataclass(frozen=True)
class Entity:
    """One name, its role, its keys, and the message types it may send.

    Two signing keys overlap while one replaces the other; the sealing key is the one to use now.
    """

    name: str
    role: str
    signing: tuple[SigningRecord, ...]
    sealing: SealingPublic
    sends: frozenset[str] = frozenset()

    @classmethod
    def of(cls, identity: Identity, role: str, sends: Iterable[str], valid_from: int, valid_until: int) -> Entity:
        """The public record of ``identity``."""
        record = SigningRecord(identity.signer.public, valid_from, valid_until)
        return cls(identity.name, role, (record,), identity.sealing[0].public, frozenset(sends))


@dataclass(frozen=True)
class Roster:
    """Version, hash of the policy in force, and entities; raises Refused when two of them contradict each other."""

    version: int
    policy: str
    entities: tuple[Entity, ...]
    _by_name: dict[str, Entity] = field(init=False, repr=False, compare=False)
    _by_key: dict[str, tuple[Entity, SigningRecord]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        records = [(entity, record) for entity in self.entities for record in entity.signing]
        object.__setattr__(self, "_by_name", {entity.name: entity for entity in self.entities})
        object.__setattr__(self, "_by_key", {record.key_id: (entity, record) for entity, record in records})
        self._check(records)

    def _check(self, records: list[tuple[Entity, SigningRecord]]) -> None:
        require(strict.is_integer(self.version, low=1) and strict.is_id(self.policy), Reason.ROSTER)
        require(all(strict.is_id(e.name) and strict.is_id(e.role) for e in self.entities), Reason.ROSTER)
        require(all(strict.is_id(kind) for e in self.entities for kind in e.sends), Reason.ROSTER)
        require(not any(is_weak(record.public) for _, record in records), Reason.WEAK_KEY)
        # A key under two names is two names with one secret; a colliding key id would hide one of two keys.
        sealing = {entity.sealing.raw for entity in self.entities}
        unique = len(self._by_name) == len(sealing) == len(self.entities) and len(self._by_key) == len(records)
        require(unique, Reason.DUPLICATE)

    def owner_of(self, key_id: str) -> tuple[Entity, SigningRecord] | None:
        """The entity and record this key id points to."""
        return self._by_key.get(key_id)

    def entity(self, name: str) -> Entity | None:
        """The entity of that name."""
        return self._by_name.get(name)

    def allows(self, entity: Entity, message_type: str, stream: str, at: int) -> bool:
        """True if ``entity`` may send ``message_type``; whatever is not granted is denied.

        ``stream`` and ``at`` are part of the question, so that rules by stream and date need no new callers.
        """
        return self._by_name.get(entity.name) == entity and message_type in entity.sends

    def to_bytes(self) -> bytes:
        """The canonical document: what is signed, hashed and stored."""
        entities = [_entity_document(entity) for entity in sorted(self.entities, key=lambda e: e.name)]
        return strict.dumps({"version": self.version, "policy": self.policy, "entities": entities})

    @classmethod
    def from_bytes(cls, data: bytes) -> Roster:
        """Read a document written by ``to_bytes``; raises Refused."""
        document = strict.fields(strict.loads(data), _ROSTER)
        require(type(document["entities"]) is list, Reason.FIELDS)
        return cls(document["version"], document["policy"], tuple(map(_read_entity, document["entities"])))


def _entity_document(entity: Entity) -> dict[str, Any]:
    signing = sorted(entity.signing, key=lambda record: (record.valid_from, record.public))
    return {
        "name": entity.name,
        "role": entity.role,
        "sends": sorted(entity.sends),
        "sealing": {"kem": entity.sealing.kem.value, "key": strict.b64encode(entity.sealing.raw)},
        "signing": [
            {"alg": _ALGORITHM, "key": strict.b64encode(r.public), "from": r.valid_from, "until": r.valid_until}
            for r in signing
        ],
    }


def _read_entity(value: Any) -> Entity:
    document = strict.fields(value, _ENTITY)
    sealing = strict.fields(document["sealing"], _SEALING)
    require(type(document["signing"]) is list and type(document["sends"]) is list, Reason.FIELDS)
    require(all(type(kind) is str for kind in document["sends"]), Reason.FIELDS)
    try:
        kem = Kem(sealing["kem"])
    except ValueError:
        raise Refused(Reason.ROSTER) from None
    return Entity(
        document["name"],
        document["role"],
        tuple(map(_read_signing, document["signing"])),
        SealingPublic(kem, strict.b64decode(sealing["key"])),
        frozenset(document["sends"]),
    )


def _read_signing(value: Any) -> SigningRecord:
    document = strict.fields(value, _SIGNING)
    require(document["alg"] == _ALGORITHM, Reason.ROSTER)
    require(strict.is_integer(document["from"]) and strict.is_integer(document["until"]), Reason.FIELDS)
    return SigningRecord(strict.b64decode(document["key"]), document["from"], document["until"])
