"""What a roster says of one entity: name, role, zones, and its public keys with the time in which each counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.security import strict
from planner.security.hpke import Kem, SealingPublic
from planner.security.keys import Identity, signing_key_id
from planner.security.refusal import Reason, Refused, require

_ENTITY = frozenset({"name", "role", "zones", "signing", "sealing"})
_SIGNING = frozenset({"alg", "key", "from", "until"})
_SEALING = frozenset({"kem", "key", "from", "until"})
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
class SealingRecord:
    """A public sealing key and when to seal to it: epoch seconds, [valid_from, valid_until)."""

    public: SealingPublic
    valid_from: int
    valid_until: int

    def is_valid(self, at: int) -> bool:
        """True if it may be sealed to at epoch second ``at``."""
        return self.valid_from <= at < self.valid_until


@dataclass(frozen=True)
class Entity:
    """One name, its role, its keys, and its zones: the release groups it speaks for or the places it watches.

    Two signing keys overlap while one replaces the other; so do sealing keys, and the newest valid one is used.
    """

    name: str
    role: str
    signing: tuple[SigningRecord, ...]
    sealing: tuple[SealingRecord, ...]
    zones: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "signing", tuple(sorted(self.signing, key=lambda r: (r.valid_from, r.public))))
        object.__setattr__(self, "sealing", tuple(sorted(self.sealing, key=lambda r: (r.valid_from, r.public.raw))))

    @classmethod
    def of(
        cls, identity: Identity, role: str, valid_from: int, valid_until: int, zones: frozenset[str] = frozenset()
    ) -> Entity:
        """The public record of ``identity``."""
        signing = SigningRecord(identity.signer.public, valid_from, valid_until)
        sealing = SealingRecord(identity.sealing[0].public, valid_from, valid_until)
        return cls(identity.name, role, (signing,), (sealing,), zones)

    def sealing_at(self, at: int) -> SealingPublic:
        """The key to seal to at epoch second ``at``, the newest of those that are valid; raises Refused."""
        valid = [record for record in self.sealing if record.is_valid(at)]
        require(bool(valid), Reason.VALIDITY)
        return max(valid, key=lambda record: record.valid_from).public


def entity_document(entity: Entity) -> dict[str, Any]:
    """An entity as it stands in a roster."""
    return {
        "name": entity.name,
        "role": entity.role,
        "zones": sorted(entity.zones),
        "sealing": [sealing_document(record) for record in entity.sealing],
        "signing": [signing_document(record) for record in entity.signing],
    }


def signing_document(record: SigningRecord) -> dict[str, Any]:
    """A signing record as it stands in a roster and in a request to be enrolled."""
    key = strict.b64encode(record.public)
    return {"alg": _ALGORITHM, "key": key, "from": record.valid_from, "until": record.valid_until}


def sealing_document(record: SealingRecord) -> dict[str, Any]:
    """A sealing record as it stands in a roster and in a request to be enrolled."""
    kem, key = record.public.kem.value, strict.b64encode(record.public.raw)
    return {"kem": kem, "key": key, "from": record.valid_from, "until": record.valid_until}


def read_entity(value: Any) -> Entity:
    """An entity from its document; raises Refused, also for a weak sealing key."""
    document = strict.fields(value, _ENTITY)
    return Entity(
        document["name"],
        document["role"],
        tuple(map(read_signing, strict.array(document["signing"]))),
        tuple(map(read_sealing, strict.array(document["sealing"]))),
        frozenset(_texts(document["zones"])),
    )


def read_sealing(value: Any) -> SealingRecord:
    """A sealing record from its document; raises Refused, also for a weak key."""
    document = strict.fields(value, _SEALING)
    try:
        kem = Kem(document["kem"])
    except ValueError:
        raise Refused(Reason.ROSTER) from None
    public = SealingPublic(kem, strict.b64decode(document["key"]))
    return SealingRecord(public, *_times(document))


def read_signing(value: Any) -> SigningRecord:
    """A signing record from its document; raises Refused."""
    document = strict.fields(value, _SIGNING)
    require(document["alg"] == _ALGORITHM, Reason.ROSTER)
    return SigningRecord(strict.b64decode(document["key"]), *_times(document))


def _times(document: dict[str, Any]) -> tuple[int, int]:
    times = document["from"], document["until"]
    require(all(strict.is_integer(time, low=0) for time in times), Reason.FIELDS)
    return times


def _texts(value: Any) -> list[str]:
    require(all(type(part) is str for part in strict.array(value)), Reason.FIELDS)
    return value
