"""The operator's folder: invites that are open, the roster in preparation, and the rosters that were signed.

    <folder>/operator.json   the operator's name, and the invites not used yet (with their secrets: 0600)
    <folder>/draft.json      the next roster with the signatures collected so far
    <folder>/roster.json     the last roster that enough root keys signed; every earlier one under rosters/

No private key of a root ever lies here: who signs carries the folder, or the draft, to the key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from planner.security import strict
from planner.security.documents import (
    MAX_DOCUMENT_BYTES,
    ROSTER_TYPE,
    add_signature,
    payload_of,
    sign_document,
    signed_by,
)
from planner.security.entities import Entity
from planner.security.files import PUBLIC, private_folder, write_atomically
from planner.security.invites import Invite, card_in, enrolled, new_invite, renewed
from planner.security.keys import Signer, signing_key_id
from planner.security.refusal import Reason, Refused, require
from planner.security.rights import STANDARD
from planner.security.roster import Root, Roster
from planner.security.trust import first_roster, succeeding_roster

_OPERATOR = frozenset({"operator", "invites"})


@dataclass(frozen=True)
class Progress:
    """How far a draft is: root keys that signed it, how many the old and the new root still want."""

    version: int
    signed: frozenset[str]
    missing_old: int
    missing_new: int
    root_changes: bool = False

    @property
    def complete(self) -> bool:
        return self.missing_old == 0 == self.missing_new


@dataclass(frozen=True)
class Authority:
    """One operator's folder.  Methods raise Refused and leave the folder as it was when they do."""

    folder: Path

    @property
    def name(self) -> str:
        """The operator's name."""
        return self._operator()[0]

    @property
    def current(self) -> Roster | None:
        """The roster in force, None before the first."""
        path = self.folder / "roster.json"
        return Roster.from_bytes(payload_of(_read(path), ROSTER_TYPE)) if path.exists() else None

    @property
    def draft(self) -> Roster | None:
        """The roster in preparation, None if there is none."""
        path = self.folder / "draft.json"
        return Roster.from_bytes(payload_of(_read(path), ROSTER_TYPE)) if path.exists() else None

    def begin(self, operator: str, root: Root, policy: str, expires_at: int) -> Roster:
        """Begin version 1: a root and a policy hash, no entities."""
        require(strict.is_id(operator), Reason.FIELDS)
        require(not (self.folder / "operator.json").exists(), Reason.DUPLICATE)
        root.check()
        first = Roster(1, policy, (), expires_at=expires_at, root=root)
        private_folder(self.folder)
        self._write_operator(operator, ())
        return self._propose(first)

    def invite(self, name: str, role: str, zones: Iterable[str], at: int) -> Invite:
        """Offer a place to one node; open for a day."""
        operator, invites = self._operator()
        base = self._base()
        require(base.entity(name) is None, Reason.DUPLICATE)
        require(any(rule.role == role for rule in base.rules), Reason.UNAUTHORISED)
        invite = new_invite(operator, base.root.fingerprint, name, role, zones, at)
        self._write_operator(operator, (*(i for i in invites if at < i.expires_at and i.name != name), invite))
        return invite

    def enrol(self, data: bytes, at: int, expires_at: int) -> Entity:
        """Take a node's request, or its renewal, into the draft."""
        operator, invites = self._operator()
        base = self._base()
        known = base.entity(card_in(data).name)
        if known is not None:
            entity = renewed(data, base, operator, at)
            self._list(base, entity, expires_at)
            return entity
        invite, entity = enrolled(data, invites, operator, at)
        self._list(base, entity, expires_at)
        self._write_operator(operator, tuple(i for i in invites if i != invite))
        return entity

    def revoke(self, name: str, expires_at: int) -> Roster:
        """Take an entity out of the draft: from the next roster on it has no key and no right."""
        base = self._base()
        require(base.entity(name) is not None, Reason.UNKNOWN_KEY)
        rest = tuple(entity for entity in base.entities if entity.name != name)
        return self._propose(replace(base, entities=rest, expires_at=expires_at))

    def change(self, expires_at: int, root: Root | None = None, policy: str | None = None) -> Roster:
        """A new root, a new policy hash, or a later expiry; and the rights that came with this version."""
        base = self._base()
        if root is not None:
            root.check()
        rules = (*base.rules, *STANDARD)
        kept = replace(base, root=root or base.root, policy=policy or base.policy, expires_at=expires_at, rules=rules)
        return self._propose(kept)

    def progress(self) -> Progress:
        """Who signed the draft, and what it still lacks."""
        data, draft, current = _read(self.folder / "draft.json"), self.draft, self.current
        assert draft is not None
        new = signed_by(data, ROSTER_TYPE, draft.root.by_id)
        missing_new = max(draft.root.threshold - len(new), 0)
        if current is None:
            return Progress(draft.version, new, 0, missing_new)
        old, changes = signed_by(data, ROSTER_TYPE, current.root.by_id), current.root != draft.root
        return Progress(draft.version, old | new, max(current.root.threshold - len(old), 0), missing_new, changes)

    def sign(self, signer: Signer, at: int) -> Progress:
        """Add the signature of one root key; with enough of them the draft becomes the roster."""
        path, draft, current = self.folder / "draft.json", self.draft, self.current
        if draft is None:
            raise Refused(Reason.ROSTER)
        roots = draft.root.by_id.keys() | (current.root.by_id.keys() if current is not None else set())
        require(signing_key_id(signer.public) in roots, Reason.UNKNOWN_KEY)
        data = add_signature(_read(path), ROSTER_TYPE, signer)
        write_atomically(path, data, PUBLIC)
        progress = self.progress()
        if progress.complete:
            self._publish(data, draft, current, at)
        return progress

    def _publish(self, data: bytes, draft: Roster, current: Roster | None, at: int) -> None:
        """Only what every node will take: the same rules decide here."""
        if current is None:
            first_roster(data, draft.root.fingerprint, at)
        else:
            succeeding_roster(current, data, at)
        (self.folder / "rosters").mkdir(exist_ok=True)
        write_atomically(self.folder / "rosters" / f"{draft.version:06d}.json", data, PUBLIC)
        write_atomically(self.folder / "roster.json", data, PUBLIC)
        (self.folder / "draft.json").unlink()

    def _base(self) -> Roster:
        """What the next change starts from: the draft, or the current roster one version on."""
        draft, current = self.draft, self.current
        if draft is not None:
            return draft
        if current is None:
            raise Refused(Reason.ROSTER)
        return replace(current, version=current.version + 1)

    def _list(self, base: Roster, entity: Entity, expires_at: int) -> None:
        others = tuple(e for e in base.entities if e.name != entity.name)
        self._propose(replace(base, entities=(*others, entity), expires_at=expires_at))

    def _propose(self, roster: Roster) -> Roster:
        """Write the draft anew: signatures under another text are worth nothing."""
        write_atomically(self.folder / "draft.json", sign_document(ROSTER_TYPE, roster.to_bytes()), PUBLIC)
        return roster

    def _operator(self) -> tuple[str, tuple[Invite, ...]]:
        told = strict.fields(strict.loads(_read(self.folder / "operator.json")), _OPERATOR)
        require(strict.is_id(told["operator"]), Reason.FIELDS)
        invites = strict.array(told["invites"])
        return told["operator"], tuple(Invite.from_bytes(strict.b64decode(text)) for text in invites)

    def _write_operator(self, operator: str, invites: Iterable[Invite]) -> None:
        kept = {"operator": operator, "invites": [strict.b64encode(invite.to_bytes()) for invite in invites]}
        write_atomically(self.folder / "operator.json", strict.dumps(kept))


def _read(path: Path) -> bytes:
    require(path.is_file() and path.stat().st_size <= MAX_DOCUMENT_BYTES, Reason.ROSTER)
    return path.read_bytes()
