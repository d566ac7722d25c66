"""The envelope against honest, clumsy and hostile senders (T-E01 … T-E27, T-K07, T-K16, T-K19)."""

from __future__ import annotations

import base64
import json
import random
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from security_world import NOW, POLICY, YEAR, World, answer

from planner.security import envelope, opening, strict
from planner.security.entities import SigningRecord
from planner.security.envelope import PAYLOAD_TYPE, Header, commitment, frame, hpke_info, pad, pae, unpad
from planner.security.keys import Identity, LocalSigner, signing_key_id
from planner.security.messages import release_types
from planner.security.opening import Verified, open_envelope, verify_envelope
from planner.security.refusal import Reason, Refused
from planner.security.replay import ReplayStore


def payload_of(data: bytes) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(data)["payload"]))


def resign(payload: bytes, identity: Identity) -> bytes:
    """A frame around ``payload`` with an honest signature of ``identity``."""
    signature = identity.signer.sign(pae(PAYLOAD_TYPE, payload))
    return frame(payload, signing_key_id(identity.signer.public), signature)


def edit_header(data: bytes, identity: Identity, **changes: Any) -> bytes:
    """The same ciphertexts under a changed header, signed by ``identity``."""
    document = payload_of(data)
    header = json.loads(base64.b64decode(document["hdr"])) | changes
    document["hdr"] = strict.b64encode(strict.dumps(header))
    return resign(strict.dumps(document), identity)


def edit_outer(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    outer = json.loads(data)
    change(outer)
    return json.dumps(outer, sort_keys=True, separators=(",", ":")).encode()


def seal_inner(world: World, inner: dict[str, bytes], commit: str) -> bytes:
    """A dishonest sender's tool: any padded bytes to each reader, any commitment."""
    header = world.header(recipients=tuple(inner), commit=commit).to_bytes()
    readers = {name: world.roster.entity(name) for name in inner}
    keys = {name: entity.sealing_at(NOW) for name, entity in readers.items() if entity is not None}
    sealed = {k.key_id: strict.b64encode(k.encrypt(inner[name], hpke_info(header))) for name, k in keys.items()}
    payload = strict.dumps({"hdr": strict.b64encode(header), "ct": sealed})
    return resign(payload, world.identities["gateway-1"])


def test_T_E01_the_published_encoding() -> None:
    """T-E01: the vector of the DSSE specification; and lengths count bytes, not characters."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected
    assert pae("é", "é".encode()) == b"DSSEv1 2 \xc3\xa9 2 \xc3\xa9"


def test_T_E02_honest_answer(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E02."""
    opened = world.open(world.seal(honest_answer))
    assert opened.body == honest_answer
    assert opened.sender.name == "gateway-1"
    assert commitment(pad(opened.salt, opened.body)) == opened.header.commit


def test_T_E03_T_E04_replay_and_lower_sequence(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E03, T-E04: the store refuses what it has seen and what comes too late, per round."""
    store = ReplayStore()
    reader = world.reader(round_id=None)
    first, second = world.seal(honest_answer, sequence=1), world.seal(honest_answer, sequence=2)
    opened = open_envelope(second, reader, NOW, store.last_sequence)
    store.act(opened, lambda db: None)
    for late in (second, first):
        with pytest.raises(Refused) as caught:
            open_envelope(late, reader, NOW, store.last_sequence)
        assert caught.value.reason is Reason.REPLAY
    other = world.seal(honest_answer, sequence=1, round="day-2")
    assert open_envelope(other, reader, NOW, store.last_sequence).header.round == "day-2"
    store.close()


def test_T_E05_effect_and_sequence_are_one_transaction(
    world: World, honest_answer: dict[str, Any], tmp_path: Any
) -> None:
    """T-E05: a failure between checking and acting leaves nothing; the resent message acts once."""
    path = tmp_path / "seen.sqlite"
    opened = world.open(world.seal(honest_answer))

    def fail(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE effects (n INTEGER)")
        raise RuntimeError("power cut")

    store = ReplayStore(path)
    with pytest.raises(RuntimeError):
        store.act(opened, fail)
    store.close()
    store = ReplayStore(path)
    assert store.last_sequence("gateway-1", "b1", "day-1") == -1
    store.act(opened, lambda db: db.execute("CREATE TABLE effects (n INTEGER)"))
    with pytest.raises(Refused) as caught:
        store.act(opened, lambda db: db.execute("DROP TABLE effects"))
    assert caught.value.reason is Reason.REPLAY
    assert store.last_sequence("gateway-1", "b1", "day-1") == 1
    store.close()


def test_T_E07_T_E08_exactly_one_signature(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E07, T-E08."""
    data = world.seal(honest_answer)
    for count in (0, 2):
        bad = edit_outer(data, lambda outer, count=count: outer.update(signatures=outer["signatures"] * count))
        assert world.refusal(bad) is Reason.SIGNATURES


def test_T_E09_payload_type(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E09."""
    bad = edit_outer(world.seal(honest_answer), lambda outer: outer.update(payloadType="application/json"))
    assert world.refusal(bad) is Reason.TYPE


def test_T_E10_no_payload_is_parsed_before_its_signature_holds(
    world: World, honest_answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-E10: one bit flipped; the parser sees the outer document and nothing else."""
    data = world.seal(honest_answer)
    payload = bytearray(base64.b64decode(json.loads(data)["payload"]))
    payload[100] ^= 1
    bad = edit_outer(data, lambda outer: outer.update(payload=strict.b64encode(bytes(payload))))
    parsed = []
    genuine = strict.loads
    monkeypatch.setattr(strict, "loads", lambda d, *rest: parsed.append(bytes(d)) or genuine(d, *rest))
    assert world.refusal(bad) is Reason.SIGNATURE
    assert parsed == [bad]


def test_T_E11_re_signed_by_another(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E11: an enrolled thief signs the same payload; ``from`` still names the victim."""
    data = world.seal(honest_answer)
    payload = base64.b64decode(json.loads(data)["payload"])
    assert world.refusal(resign(payload, world.identities["gateway-2"])) is Reason.SENDER


def test_T_E12_ownership_theft(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E12: the thief also replaces ``from``; the header is in the HPKE context, so the body does not follow."""
    stolen = edit_header(world.seal(honest_answer), world.identities["gateway-2"], **{"from": "gateway-2"})
    assert world.refusal(stolen) is Reason.DECRYPT


def test_T_E13_forwarding(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E13: unchanged to a third party, and re-addressed with the old signature."""
    data = world.seal(honest_answer)
    assert world.refusal(data, "service") is Reason.RECIPIENT
    signature = base64.b64decode(json.loads(data)["signatures"][0]["sig"])
    document = payload_of(data)
    header = json.loads(base64.b64decode(document["hdr"])) | {"to": ["service"]}
    document["hdr"] = strict.b64encode(strict.dumps(header))
    moved = frame(strict.dumps(document), json.loads(data)["signatures"][0]["keyid"], signature)
    assert world.refusal(moved, "service") is Reason.SIGNATURE


def test_T_E14_equivocation(world: World) -> None:
    """T-E14: one story for the market, another for the service, one commitment."""
    one, two = pad(bytes(32), answer(lot=1)), pad(bytes(32), answer(lot=2))
    data = seal_inner(world, {"market": one, "service": two}, commitment(one))
    assert world.open(data).body["lots"][0] == 1
    assert world.refusal(data, "service") is Reason.COMMITMENT


@pytest.mark.parametrize("where", ["outer", "signature", "payload", "header", "inner", "body"])
def test_T_E23_unknown_fields(world: World, honest_answer: dict[str, Any], where: str) -> None:
    """T-E23."""
    data, sender = world.seal(honest_answer), world.identities["gateway-1"]
    if where == "outer":
        bad, reason = edit_outer(data, lambda o: o.update(note=1)), Reason.FIELDS
    elif where == "signature":
        bad, reason = edit_outer(data, lambda o: o["signatures"][0].update(note=1)), Reason.FIELDS
    elif where == "payload":
        bad, reason = resign(strict.dumps(payload_of(data) | {"note": 1}), sender), Reason.FIELDS
    elif where == "header":
        bad, reason = edit_header(data, sender, note=True), Reason.FIELDS
    elif where == "inner":
        document = strict.dumps({"salt": strict.b64encode(bytes(32)), "body": honest_answer, "note": 1})
        inner = len(document).to_bytes(4, "big") + document
        inner += bytes(-len(inner) % 4096)
        bad, reason = seal_inner(world, {"market": inner}, commitment(inner)), Reason.FIELDS
    else:
        bad, reason = world.seal(honest_answer | {"note": 1}), Reason.SCHEMA
    assert world.refusal(bad) is reason


@pytest.mark.parametrize("change", [{"lots": [True] * 24}, {"lots": ["5"] * 24}, {"lots": []}, {"cost": None}])
def test_T_E18_wrong_types_in_the_body(world: World, honest_answer: dict[str, Any], change: dict[str, Any]) -> None:
    """T-E18."""
    assert world.refusal(world.seal(honest_answer | change)) is Reason.SCHEMA


def test_T_E24_damaged_ciphertext(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E24: signed by the true sender, and broken all the same."""
    document = payload_of(world.seal(honest_answer))
    (key_id, sealed), sender = next(iter(document["ct"].items())), world.identities["gateway-1"]
    whole = base64.b64decode(sealed)
    for bad in (b"", whole[:10], whole[:-1], whole + b"\0"):
        payload = strict.dumps(document | {"ct": {key_id: strict.b64encode(bad)}})
        assert world.refusal(resign(payload, sender)) is Reason.DECRYPT
    payload = strict.dumps(document | {"ct": {"0" * 32: sealed}})
    assert world.refusal(resign(payload, sender)) is Reason.DECRYPT


def test_T_E25_size_does_not_tell_the_number_of_intervals(world: World) -> None:
    """T-E25."""
    assert len(world.seal(answer(10))) == len(world.seal(answer(300)))


def test_T_E26_padding(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E26: non-zero padding, a length beyond the buffer, a block too many, nothing at all."""
    inner = pad(bytes(32), honest_answer)
    assert unpad(inner)[1] == honest_answer
    too_long = (len(inner)).to_bytes(4, "big") + inner[4:]
    for bad in (inner[:-1] + b"\1", too_long, inner + bytes(4096), inner[:-1], b"", b"\xff" * 4096):
        assert world.refusal(seal_inner(world, {"market": bad}, commitment(bad))) is Reason.PADDING


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"issued_at": NOW + 500, "expires_at": NOW + 900}, Reason.TIME, id="T-K16 500 s ahead"),
        pytest.param({"issued_at": NOW - 900, "expires_at": NOW}, Reason.TIME, id="T-K16 expired now"),
        pytest.param({"issued_at": NOW - 900, "expires_at": NOW - 1}, Reason.TIME, id="T-K16 expired by 1 s"),
        pytest.param({"expires_at": NOW + 1_000_000}, Reason.TIME, id="T-K16 a life of 10^6 s"),
        pytest.param({"issued_at": NOW + 100, "expires_at": NOW + 50}, Reason.TIME, id="T-K16 ends before it begins"),
        pytest.param({"roster": 6}, Reason.ROSTER, id="T-K12 an older roster"),
        pytest.param({"roster": 8}, Reason.ROSTER, id="T-K12 a newer roster"),
        pytest.param({"policy": "6" * 64}, Reason.POLICY, id="T-K12 T-P27 another policy"),
        pytest.param({"round": "day-0"}, Reason.ROUND, id="another round"),
        pytest.param({"type": "market-result"}, Reason.UNAUTHORISED, id="T-K19 a gateway sends a market-result"),
        pytest.param({"stream": "b9"}, Reason.UNAUTHORISED, id="T-K19 a gateway speaks for another group"),
    ],
)
def test_header_rules(world: World, honest_answer: dict[str, Any], change: dict[str, Any], reason: Reason) -> None:
    """T-K16 (time), T-K12, T-P27 (policy), T-K19 (a gateway sends what is not its to send)."""
    assert world.refusal(world.seal(honest_answer, **change)) is reason


def test_T_K16_skew_within_the_limit(world: World, honest_answer: dict[str, Any]) -> None:
    """T-K16: 120 s ahead is accepted, 121 s is not."""
    assert world.open(world.seal(honest_answer, issued_at=NOW + 120)).body == honest_answer
    assert world.refusal(world.seal(honest_answer, issued_at=NOW + 121)) is Reason.TIME


@pytest.mark.parametrize("jump", [-2 * 86400, 2 * 86400])
def test_T_K17_orders_fail_closed_when_the_clock_jumps(world: World, honest_answer: dict[str, Any], jump: int) -> None:
    """The alert's half of this rule is with the alerts."""
    assert world.refusal(world.seal(honest_answer), at=NOW + jump) is Reason.TIME


@pytest.mark.parametrize(("intervals", "sent"), [(92, 96), (100, 96), (96, 95), (96, 97), (96, 100)])
def test_T_K18_the_number_of_intervals_is_that_of_the_day(world: World, intervals: int, sent: int) -> None:
    """A day of 23 or 25 hours has 92 or 100 quarters; nothing else is read, and no second is ever a leap second."""
    reader = replace(world.reader(), types=release_types(intervals))
    with pytest.raises(Refused) as caught:
        open_envelope(world.seal(answer(sent)), reader, NOW, lambda *key: -1)
    assert caught.value.reason is Reason.SCHEMA
    assert open_envelope(world.seal(answer(intervals)), reader, NOW, lambda *key: -1).body["lots"] == [17] * intervals


def test_T_K06_the_roster_decides_whose_key_it_is(world: World, honest_answer: dict[str, Any]) -> None:
    """Another key that claims the name, another key id over an honest signature, an id that begins like another."""
    impostor = Identity.ephemeral("gateway-1")
    payload = base64.b64decode(json.loads(world.seal(honest_answer))["payload"])
    assert world.refusal(resign(payload, impostor)) is Reason.UNKNOWN_KEY
    honest, listed = world.identities["gateway-1"], signing_key_id(world.identities["gateway-2"].signer.public)
    signature = honest.signer.sign(pae(PAYLOAD_TYPE, payload))
    assert world.refusal(frame(payload, listed, signature)) is Reason.SIGNATURE
    for key_id in (signing_key_id(honest.signer.public)[:16], signing_key_id(honest.signer.public) + "0", ""):
        assert world.refusal(frame(payload, key_id, signature)) is Reason.UNKNOWN_KEY


def test_T_K19_rights_are_by_entity_and_type(world: World, honest_answer: dict[str, Any]) -> None:
    """T-K19: the market may not send answers, whatever it signs."""
    data = world.seal(honest_answer, to=("service",), signer="market", sender="market")
    assert world.refusal(data, "service") is Reason.UNAUTHORISED


def with_signing(world: World, *records: SigningRecord) -> World:
    """The world with other signing records for gateway-1."""
    entities = tuple(
        replace(e, signing=records or e.signing) if e.name == "gateway-1" else e for e in world.roster.entities
    )
    return World(world.identities, replace(world.roster, entities=entities))


def test_T_K07_T_K08_key_validity(world: World, honest_answer: dict[str, Any]) -> None:
    """T-K07, T-K08: expired, not yet valid, revoked; and the overlap of two keys."""
    data = world.seal(honest_answer)
    key = world.identities["gateway-1"].signer.public
    new = SigningRecord(LocalSigner.generate().public, NOW - 5, NOW + YEAR)
    assert with_signing(world, SigningRecord(key, NOW - YEAR, NOW)).refusal(data) is Reason.VALIDITY
    assert with_signing(world, SigningRecord(key, NOW + 1, NOW + YEAR)).refusal(data) is Reason.VALIDITY
    assert with_signing(world, new).refusal(data) is Reason.UNKNOWN_KEY
    assert with_signing(world, SigningRecord(key, NOW - YEAR, NOW + 1), new).open(data).body == honest_answer


def test_a_message_issued_before_its_key_is_refused(world: World, honest_answer: dict[str, Any]) -> None:
    key = world.identities["gateway-1"].signer.public
    late = with_signing(world, SigningRecord(key, NOW - 10, NOW + YEAR))
    assert late.refusal(world.seal(honest_answer, issued_at=NOW - 60)) is Reason.VALIDITY


def test_archive_verification_needs_no_private_key(world: World, honest_answer: dict[str, Any]) -> None:
    verified = verify_envelope(world.seal(honest_answer), world.roster)
    assert isinstance(verified, Verified)
    assert (verified.sender.name, verified.header.stream) == ("gateway-1", "b1")


def test_outer_document_has_one_spelling(world: World, honest_answer: dict[str, Any]) -> None:
    data = world.seal(honest_answer)
    for bad in (data + b"\n", b" " + data, data.replace(b'"payload":', b'"payload": ', 1)):
        assert world.refusal(bad) is Reason.CANONICAL


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One random edit: bits, bytes, a cut, a copy, a swap."""
    out, kind = bytearray(data), rng.randrange(6)
    at = rng.randrange(len(out))
    if kind == 0:
        out[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        out[at] = rng.choice(b'{}[]",:0129AZaz+/= \x00\xff')
    elif kind == 2:
        del out[at : at + rng.randrange(1, 40)]
    elif kind == 3:
        out[at:at] = out[at : at + rng.randrange(1, 40)] or b"x"
    elif kind == 4:
        del out[at:]
    else:
        other = rng.randrange(len(out))
        out[at], out[other] = out[other], out[at]
    return bytes(out)


def refused(world: World, data: bytes) -> bool:
    """True if refused; any exception but Refused propagates and fails the test."""
    try:
        world.open(data)
    except Refused:
        return True
    return False


def test_T_E27_random_mutations(world: World, honest_answer: dict[str, Any]) -> None:
    """T-E27: 3,000 mutations of the bytes on the wire; none is accepted and none is anything but Refused."""
    rng, data = random.Random(20260601), world.seal(honest_answer)
    mutants = [m for m in (mutate(data, rng) for _ in range(3000)) if m != data]
    assert len(mutants) > 2500
    assert all(refused(world, mutant) for mutant in mutants)


@pytest.mark.parametrize("layer", ["payload", "header"])
def test_T_E27_random_mutations_signed_by_an_enrolled_thief(
    world: World, honest_answer: dict[str, Any], layer: str
) -> None:
    """T-E27: an insider may sign anything, but gets no other sender's message accepted."""
    rng, thief = random.Random(7), world.identities["gateway-2"]
    data = edit_header(world.seal(honest_answer), thief, **{"from": "gateway-2"})
    payload = base64.b64decode(json.loads(data)["payload"])
    for _ in range(500):
        if layer == "payload":
            mutant = mutate(payload, rng)
        else:
            document = json.loads(payload)
            header = mutate(base64.b64decode(document["hdr"]), rng)
            mutant = strict.dumps(document | {"hdr": strict.b64encode(header)})
        assert refused(world, resign(mutant, thief))


def test_securesystemslib_verifies_our_envelope(world: World, honest_answer: dict[str, Any]) -> None:
    """Another implementation of DSSE accepts our bytes and refuses altered ones."""
    dsse = pytest.importorskip("securesystemslib.dsse")
    signer = pytest.importorskip("securesystemslib.signer")
    exceptions = pytest.importorskip("securesystemslib.exceptions")
    data = world.seal(honest_answer)
    public = world.identities["gateway-1"].signer.public
    key = signer.SSlibKey(signing_key_id(public), "ed25519", "ed25519", {"public": public.hex()})
    assert dsse.Envelope.from_dict(json.loads(data)).verify([key], 1) == {key.keyid: key}
    altered = edit_outer(data, lambda outer: outer.update(payload=strict.b64encode(b"{}")))
    with pytest.raises(exceptions.VerificationError):
        dsse.Envelope.from_dict(json.loads(altered)).verify([key], 1)


def test_sealing_refuses_what_opening_would(world: World, honest_answer: dict[str, Any]) -> None:
    for bad in ({"to": ()}, {"sequence": -1}, {"stream": "a\u200bb"}):
        with pytest.raises(Refused):
            world.seal(honest_answer, **bad)
    with pytest.raises(Refused):
        world.seal({"x": "y" * (1 << 20)})


def test_a_body_sealed_with_an_older_key_still_opens(world: World, honest_answer: dict[str, Any]) -> None:
    old = world.identities["market"]
    new = Identity("market", old.signer, (Identity.ephemeral("market").sealing[0], *old.sealing))
    reader = replace(world.reader(), me=new)
    assert open_envelope(world.seal(honest_answer), reader, NOW, lambda *key: -1).body == honest_answer


def test_constants_are_those_of_the_design() -> None:
    assert PAYLOAD_TYPE == "application/vnd.allotment.msg.v1+json"
    assert hpke_info(b"")[:18] == b"allotment/hpke/v1\0"
    assert (envelope.BLOCK_BYTES, opening.SKEW_S, len(POLICY)) == (4096, 120, 64)
    assert Header.from_bytes(replace(Header("a", "b", ("c",), "d", "e", 1, 2, 3, 4, "f"), commit="0" * 64).to_bytes())


def test_roster_of_two_readers_gives_both_the_body(world: World, honest_answer: dict[str, Any]) -> None:
    data = world.seal(honest_answer, to=("market", "service"))
    assert world.open(data).body == world.open(data, "service").body == honest_answer


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=6)
    | st.sampled_from(["AAAA", "answer"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_LAYERS = {
    "outer": ["payload", "payloadType", "signatures", "keyid", "sig"],
    "payload": ["hdr", "ct"],
    "header": [
        "v",
        "type",
        "from",
        "to",
        "stream",
        "seq",
        "round",
        "iat",
        "exp",
        "roster",
        "policy",
        "drill",
        "commit",
    ],
    "inner": ["salt", "body"],
    "body": ["group", "clear", "round", "lots", "cost", "x"],
}


@pytest.mark.parametrize("layer", _LAYERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_T_E27_any_value_in_any_field_is_accepted_or_refused(
    world: World, honest_answer: dict[str, Any], layer: str, data: st.DataObject
) -> None:
    """A field of one layer exchanged for any JSON value, and signed by the true sender where it can be signed.

    Only a body can still be honest after that, if the value drawn happens to be one of its domain.
    """
    field, value = data.draw(st.sampled_from(_LAYERS[layer])), data.draw(_JSON)
    sealed, sender = world.seal(honest_answer), world.identities["gateway-1"]
    try:
        if layer == "outer":
            message = edit_outer(sealed, lambda outer: outer.update({field: value}))
        elif layer == "payload":
            message = resign(strict.dumps(payload_of(sealed) | {field: value}), sender)
        elif layer == "header":
            message = edit_header(sealed, sender, **{field: value})
        elif layer == "inner":
            document = strict.dumps({"salt": strict.b64encode(bytes(32)), "body": honest_answer} | {field: value})
            inner = len(document).to_bytes(4, "big") + document
            inner += bytes(-len(inner) % 4096)
            message = seal_inner(world, {"market": inner}, commitment(inner))
        else:
            message = world.seal(honest_answer | {field: value})
    except Refused:
        return  # our own writer would not say it
    try:
        opened = world.open(message)
    except Refused:
        return
    assert layer == "body"
    assert opened.body == honest_answer | {field: value}
