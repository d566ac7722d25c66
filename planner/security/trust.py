"""Which roster a node trusts: the rules of TUF as functions without files or clock.

    first       the root's fingerprint was told out of band; enough of its keys signed; not expired
    succeeding  signed by the root of the roster held, and by its own root if that is another one; the very next
                version; not expired
    fresh       a node that has not fetched its roster for a day, or whose roster has expired, stops sending

One document holds root, entities, rights and policy hash, so nothing can be mixed from two versions.  Source: The
Update Framework, specification section 5 (rollback, freeze, mix-and-match, fast-forward).
"""

from __future__ import annotations

from planner.security.documents import ROSTER_TYPE, payload_of, verify_document
from planner.security.refusal import Reason, require
from planner.security.roster import Root, Roster

FETCH_S = 24 * 3600
"""A node fetches its roster at least this often."""


def first_roster(data: bytes, root_fingerprint: str, at: int) -> Roster:
    """The first roster that a node trusts, at epoch second ``at``; raises Refused."""
    roster = Roster.from_bytes(payload_of(data, ROSTER_TYPE))
    require(roster.root.fingerprint == root_fingerprint, Reason.ROOT)
    _verify(data, roster.root)
    require(at < roster.expires_at, Reason.FREEZE)
    return roster


def succeeding_roster(held: Roster, data: bytes, at: int) -> Roster:
    """The roster that may take the place of ``held`` at epoch second ``at``; raises Refused."""
    payload = _verify(data, held.root)
    new = Roster.from_bytes(payload)
    if new.root != held.root:
        _verify(data, new.root)
    require(new.version > held.version, Reason.ROLLBACK)
    require(new.version == held.version + 1, Reason.GAP)
    require(at < new.expires_at, Reason.FREEZE)
    return new


def require_fresh(roster: Roster, fetched_at: int, at: int) -> None:
    """Raises Refused where a node may no longer send under ``roster``, last fetched at ``fetched_at``."""
    require(at < roster.expires_at and at <= fetched_at + FETCH_S, Reason.FREEZE)


def require_policy(roster: Roster, policy_sha256: str) -> None:
    """Raises Refused if a node's disclosure rules are not those that the roster was signed with."""
    require(roster.policy == policy_sha256, Reason.POLICY)


def _verify(data: bytes, root: Root) -> bytes:
    root.check()
    return verify_document(data, ROSTER_TYPE, root.by_id, root.threshold)
