"""Enrolment, renewal and the operator's folder (T-K01, T-K02, T-K04 … T-K08, T-K11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from security_world import NOW, POLICY
from small_order import FORGED, IDENTITY, SMALL

from planner.security import strict
from planner.security.authority import Authority
from planner.security.cards import DAY_S, SEALING_S, SIGNING_S, Card, signing_record
from planner.security.documents import ROSTER_TYPE, add_signature
from planner.security.entities import SealingRecord
from planner.security.hpke import SealingKey
from planner.security.invites import INVITE_S, Invite, card_in, enrolled, new_invite, renewal, request
from planner.security.keys import LocalSigner
from planner.security.refusal import Reason, Refused
from planner.security.rights import STANDARD
from planner.security.roster import Root
from planner.security.trust import first_roster, succeeding_roster

EXPIRES = NOW + 35 * DAY_S
ROOTS = [LocalSigner.generate() for _ in range(3)]


class Weak:
    """A signer without any private key: what the identity key makes possible."""

    def __init__(self, public: bytes) -> None:
        self.public = public

    def sign(self, message: bytes) -> bytes:
        return FORGED


def card(name: str, signer: Any = None, sealing: SealingKey | None = None) -> tuple[Card, Any]:
    signer = signer or LocalSigner.generate()
    public = (sealing or SealingKey.generate()).public
    keys = (SealingRecord(public, NOW, NOW + SEALING_S),)
    return Card(name, (signing_record(signer.public, NOW),), keys), signer


def invited(name: str = "gateway.1", zones: Iterable[str] = ("b1",)) -> Invite:
    return new_invite("city", "0" * 64, name, "gateway", zones, NOW)


def refusal(data: bytes, invites: Iterable[Invite], at: int = NOW) -> Reason:
    with pytest.raises(Refused) as caught:
        enrolled(data, invites, "city", at)
    return caught.value.reason


def test_an_invited_node_is_listed_with_what_the_invite_says() -> None:
    offer = invited()
    mine, signer = card("gateway.1")
    used, entity = enrolled(request(mine, Invite.from_token(offer.token), signer), [invited(), offer], "city", NOW)
    assert used == offer
    assert (entity.name, entity.role, entity.zones) == ("gateway.1", "gateway", {"b1"})
    assert (entity.signing, entity.sealing) == (mine.signing, mine.sealing)


@pytest.mark.parametrize("weak", SMALL, ids=lambda e: e.hex()[:8] + e.hex()[-2:])
def test_T_K01_weak_keys_are_refused_at_enrolment(weak: bytes) -> None:
    offer = invited()
    mine, signer = card("gateway.1", Weak(weak))
    assert refusal(request(mine, offer, signer), [offer]) is Reason.WEAK_KEY


def test_T_K01_fifty_honest_keys_are_enrolled() -> None:
    sealing = SealingKey.generate()
    for _ in range(50):
        offer = invited()
        mine, signer = card("gateway.1", sealing=sealing)
        assert enrolled(request(mine, offer, signer), [offer], "city", NOW)[1].signing == mine.signing


def test_T_K02_the_identity_key_answers_the_challenge_and_is_refused() -> None:
    """Its signature over name, nonce and operator verifies in the library, though nobody holds a private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    offer = invited()
    mine, signer = card("gateway.1", Weak(IDENTITY))
    Ed25519PublicKey.from_public_bytes(IDENTITY).verify(signer.sign(b"any"), b"whatever the challenge says")
    assert refusal(request(mine, offer, signer), [offer]) is Reason.WEAK_KEY


@pytest.mark.parametrize("u", [0, 1])
def test_T_K04_a_low_order_sealing_key_is_refused_at_enrolment(u: int) -> None:
    offer = invited()
    mine, signer = card("gateway.1")
    document = strict.loads(mine.to_bytes())
    raw = strict.b64decode(document["sealing"][0]["key"])[:-32] + u.to_bytes(32, "little")
    document["sealing"][0]["key"] = strict.b64encode(raw)
    with pytest.raises(Refused) as caught:
        Card.from_bytes(strict.dumps(document))
    assert caught.value.reason is Reason.WEAK_KEY
    body = strict.loads(strict.b64decode(strict.loads(request(mine, offer, signer))["payload"]))
    body["card"] = strict.b64encode(strict.dumps(document))
    from planner.security.documents import REQUEST_TYPE, sign_document

    assert refusal(sign_document(REQUEST_TYPE, strict.dumps(body), [signer]), [offer]) is Reason.WEAK_KEY


def test_an_invite_serves_once_for_a_day_and_for_its_own_name() -> None:
    offer, other = invited(), invited("gateway.2")
    mine, signer = card("gateway.1")
    data = request(mine, offer, signer)
    assert refusal(data, []) is Reason.INVITE
    assert refusal(data, [other]) is Reason.INVITE
    assert refusal(data, [offer], NOW + INVITE_S) is Reason.INVITE
    assert refusal(data, [replace(offer, secret=bytes(16))]) is Reason.INVITE
    assert refusal(data, [replace(offer, role="marketplace")]) is Reason.INVITE
    assert refusal(data, [replace(offer, zones=frozenset({"b1", "b2"}))]) is Reason.INVITE
    assert refusal(data, [replace(offer, operator="elsewhere")]) is Reason.INVITE
    with pytest.raises(Refused):
        request(card("gateway.2")[0], offer, signer)


def test_a_request_signed_by_another_key_is_refused() -> None:
    offer = invited()
    mine, _ = card("gateway.1")
    assert refusal(request(mine, offer, LocalSigner.generate()), [offer]) is Reason.THRESHOLD


def test_keys_that_claim_to_live_too_long_are_refused() -> None:
    offer = invited()
    mine, signer = card("gateway.1")
    long = replace(mine.newest, valid_until=NOW + 2 * SIGNING_S)
    assert refusal(request(replace(mine, signing=(long,)), offer, signer), [offer]) is Reason.VALIDITY
    slow = replace(mine.sealing[0], valid_until=NOW + 3 * SEALING_S)
    assert refusal(request(replace(mine, sealing=(slow,)), offer, signer), [offer]) is Reason.VALIDITY
    assert refusal(request(replace(mine, sealing=()), offer, signer), [offer]) is Reason.VALIDITY


@pytest.mark.parametrize("token", ["", "invite-v1.", "invite-v1.!!", "invite-v2.e30=", "invite-v1.e30="])
def test_damaged_invites(token: str) -> None:
    with pytest.raises(Refused):
        Invite.from_token(token)


# -- the operator's folder


@pytest.fixture
def city(tmp_path: Path) -> Authority:
    city = Authority(tmp_path / "city")
    city.begin("city", Root(tuple(signer.public for signer in ROOTS), 2), POLICY, EXPIRES)
    return city


def join(city: Authority, name: str, signer: Any = None, sealing: SealingKey | None = None) -> tuple[Card, Any]:
    offer = city.invite(name, "gateway", [name[-2:]], NOW)
    mine, signer = card(name, signer, sealing)
    city.enrol(request(mine, offer, signer), NOW, EXPIRES)
    return mine, signer


def published(city: Authority, *signers: LocalSigner) -> bytes:
    for signer in signers:
        city.sign(signer, NOW)
    return (city.folder / "roster.json").read_bytes()


def failing(call: Any) -> Reason:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.reason


def test_a_city_from_the_first_roster_to_a_revocation(city: Authority) -> None:
    join(city, "gateway.b1")
    join(city, "gateway.b2")
    assert not city.sign(ROOTS[0], NOW).complete
    assert city.current is None
    first = first_roster(published(city, ROOTS[2]), Root(tuple(s.public for s in ROOTS), 2).fingerprint, NOW)
    assert [entity.name for entity in first.entities] == ["gateway.b1", "gateway.b2"]
    assert city.draft is None
    city.revoke("gateway.b1", EXPIRES)
    second = succeeding_roster(first, published(city, ROOTS[0], ROOTS[1]), NOW)
    assert [entity.name for entity in second.entities] == ["gateway.b2"]
    assert (city.folder / "rosters" / "000001.json").is_file()
    assert failing(lambda: city.revoke("gateway.b1", EXPIRES)) is Reason.UNKNOWN_KEY


def test_T_K05_one_key_under_two_names(city: Authority) -> None:
    mine, signer = join(city, "gateway.b1")
    before = city.draft
    assert failing(lambda: join(city, "gateway.b2", signer)) is Reason.DUPLICATE
    sealing = SealingKey.generate()
    join(city, "gateway.b3", sealing=sealing)
    assert failing(lambda: join(city, "gateway.b4", sealing=sealing)) is Reason.DUPLICATE
    assert failing(lambda: join(city, "gateway.b5", ROOTS[0])) is Reason.DUPLICATE
    assert before is not None
    assert city.draft is not None
    assert {e.name for e in city.draft.entities} == {"gateway.b1", "gateway.b3"}
    assert mine.signing == before.entities[0].signing


def test_a_change_takes_back_the_signatures(city: Authority) -> None:
    city.sign(ROOTS[0], NOW)
    join(city, "gateway.b1")
    assert city.progress().signed == frozenset()
    assert city.progress().missing_new == 2


def test_only_roots_sign(city: Authority) -> None:
    assert failing(lambda: city.sign(LocalSigner.generate(), NOW)) is Reason.UNKNOWN_KEY
    city.sign(ROOTS[0], NOW)
    assert not city.sign(ROOTS[0], NOW).complete


def test_a_renewal_brings_the_rights_of_this_version(tmp_path: Path) -> None:
    """A roster begun before alerts were relayed lets nobody fetch them; who signs the next one sees what it adds."""
    city = Authority(tmp_path / "city")
    city.begin("city", Root(tuple(signer.public for signer in ROOTS), 2), POLICY, EXPIRES)
    assert city.draft is not None
    city._propose(replace(city.draft, rules=tuple(rule for rule in STANDARD if rule.type != "fetch")))
    assert city.change(EXPIRES).rules == STANDARD


def test_T_K11_a_new_root_is_signed_by_both(city: Authority) -> None:
    first = first_roster(published(city, *ROOTS[:2]), Root(tuple(s.public for s in ROOTS), 2).fingerprint, NOW)
    fresh = [LocalSigner.generate() for _ in range(3)]
    city.change(EXPIRES, root=Root(tuple(signer.public for signer in fresh), 2))
    for signer in fresh:
        progress = city.sign(signer, NOW)
    assert (progress.complete, progress.missing_old, progress.missing_new) == (False, 2, 0)
    data = published(city, ROOTS[0], ROOTS[2])
    assert succeeding_roster(first, data, NOW).root.keys == tuple(sorted(signer.public for signer in fresh))
    assert add_signature(data, ROSTER_TYPE, fresh[0]) == data


def test_T_K08_renewal_keeps_role_and_zones_and_overlaps(city: Authority) -> None:
    mine, old = join(city, "gateway.b1")
    published(city, *ROOTS[:2])
    current = city.current
    assert current is not None
    new = LocalSigner.generate()
    later = NOW + 300 * DAY_S
    ending = replace(mine.signing[0], valid_until=later + 30 * DAY_S)
    sealing = SealingRecord(SealingKey.generate().public, later, later + SEALING_S)
    renewed = replace(mine, signing=(ending, signing_record(new.public, later)), sealing=(sealing,))
    entity = current.entities[0]
    assert (
        failing(lambda: city.enrol(renewal(renewed, entity, "city", [new]), later, later + DAY_S)) is Reason.SIGNATURE
    )
    assert (
        failing(lambda: city.enrol(renewal(renewed, entity, "city", [old]), later, later + DAY_S)) is Reason.THRESHOLD
    )
    greedy = replace(entity, zones=entity.zones | {"b9"})
    assert failing(lambda: city.enrol(renewal(renewed, greedy, "city", [old, new]), later, 0)) is Reason.INVITE
    listed = city.enrol(renewal(renewed, entity, "city", [old, new]), later, later + DAY_S)
    assert listed.zones == entity.zones
    assert [record.is_valid(later + 29 * DAY_S) for record in listed.signing] == [True, True]
    assert [record.is_valid(later + 31 * DAY_S) for record in listed.signing] == [False, True]
    assert listed.sealing == (sealing,)


def test_a_listed_key_never_comes_to_live_longer(city: Authority) -> None:
    mine, old = join(city, "gateway.b1")
    published(city, *ROOTS[:2])
    later = NOW + 100 * DAY_S
    longer = replace(mine.signing[0], valid_until=later + SIGNING_S)
    sealing = SealingRecord(SealingKey.generate().public, later, later + SEALING_S)
    asked = replace(mine, signing=(longer,), sealing=(sealing,))
    current = city.current
    assert current is not None
    listed = city.enrol(renewal(asked, current.entities[0], "city", [old]), later, later + DAY_S)
    assert listed.signing[0].valid_until == mine.signing[0].valid_until


def test_the_operator_keeps_secrets_to_itself(city: Authority) -> None:
    offer = city.invite("gateway.b7", "gateway", ["b7"], NOW)
    assert (city.folder / "operator.json").stat().st_mode & 0o777 == 0o600
    public = (city.folder / "draft.json").read_bytes()
    assert offer.secret.hex().encode() not in public
    assert strict.b64encode(offer.secret).encode() not in public
    assert failing(lambda: city.invite("gateway.b8", "king", ["b8"], NOW)) is Reason.UNAUTHORISED
    assert failing(lambda: city.invite("Anna Berg", "gateway", ["b8"], NOW)) is not None


def test_a_request_names_itself(city: Authority) -> None:
    offer = city.invite("gateway.b1", "gateway", ["b1"], NOW)
    mine, signer = card("gateway.b1")
    assert card_in(request(mine, offer, signer)) == mine
    with pytest.raises(Refused):
        card_in(b"{}")
