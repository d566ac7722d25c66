"""What a peer learns from a refusal, and what hostile input costs (T-E19, T-E28), over real sockets and in memory."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from security_world import NOW, World, answer
from test_envelope import edit_outer, payload_of, resign, seal_inner

from planner.marketplace.http import PATH, REFUSAL_S, Server
from planner.security import strict
from planner.security.envelope import commitment, pad
from planner.security.keys import Identity
from planner.security.opening import open_envelope, refusal_reply
from planner.security.refusal import Reason, Refused

TRIES = 4


def causes(world: World) -> dict[Reason, bytes]:
    """A message for each of fourteen causes, from the first check to the last."""
    good, thief = world.seal(answer()), world.identities["gateway-2"]
    payload = strict.dumps(payload_of(good))
    damaged = payload_of(good)
    damaged["ct"] = {key: strict.b64encode(bytes(2000)) for key in damaged["ct"]}
    inner = pad(bytes(32), answer())
    return {
        Reason.SYNTAX: b"x" * len(good),
        Reason.DEPTH: b"[" * 5000,
        Reason.TYPE: edit_outer(good, lambda outer: outer.update(payloadType="application/json")),
        Reason.SIGNATURES: edit_outer(good, lambda outer: outer.update(signatures=[])),
        Reason.UNKNOWN_KEY: resign(payload, Identity.ephemeral("gateway-1")),
        Reason.SENDER: resign(payload, thief),
        Reason.RECIPIENT: world.seal(answer(), to=("service",)),
        Reason.ROSTER: world.seal(answer(), roster=6),
        Reason.TIME: world.seal(answer(), expires_at=NOW, issued_at=NOW - 900),
        Reason.UNAUTHORISED: world.seal(answer(), stream="b9"),
        Reason.DECRYPT: resign(strict.dumps(damaged), world.identities["gateway-1"]),
        Reason.COMMITMENT: seal_inner(world, {"market": inner}, "0" * 64),
        Reason.PADDING: seal_inner(world, {"market": inner + bytes(4096)}, commitment(inner + bytes(4096))),
        Reason.SCHEMA: world.seal(answer() | {"note": 1}),
    }


async def posted(port: int, body: bytes) -> tuple[bytes, float]:
    """The whole reply to one POST, and the seconds it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    writer.write(b"POST %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (PATH.encode(), len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    reply = head + await reader.readexactly(length)
    took = time.perf_counter() - began
    writer.close()
    return reply, took


def test_T_E28_fourteen_causes_one_refusal(world: World) -> None:
    """The same status and length for every cause, and sent at the same moment: the work behind it does not show."""
    messages, reasons = causes(world), []

    def receive(data: bytes) -> bytes:
        world.open(data)
        return b""

    async def ask() -> dict[Reason, tuple[set[bytes], float]]:
        server = Server(receive, lambda refused, body: reasons.append(refused.reason))
        port = await server.start("127.0.0.1", 0)
        found = {}
        for reason, data in messages.items():
            answers = [await posted(port, data) for _ in range(TRIES)]
            assert {reply.split(b"\r\n\r\n")[1] for reply, _ in answers} == {refusal_reply(data)}
            found[reason] = ({reply.split(b"\r\n")[0] for reply, _ in answers}, min(took for _, took in answers))
        await server.stop()
        return found

    found = asyncio.run(ask())
    assert reasons == [reason for reason in messages for _ in range(TRIES)]
    assert {status for statuses, _ in found.values() for status in statuses} == {b"HTTP/1.1 403 Forbidden"}
    assert len({len(refusal_reply(data)) for data in messages.values()}) == 1
    fastest = [took for _, took in found.values()]
    assert min(fastest) >= REFUSAL_S
    assert max(fastest) - min(fastest) < REFUSAL_S


def test_T_E28_a_reply_names_the_message_and_nothing_else() -> None:
    for data in (b"", b"{}", b"x" * 5000):
        assert list(json.loads(refusal_reply(data))) == ["refused"]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "100,000 nested lists": lambda: b"[" * 100_000 + b"]" * 100_000,
    "2 MiB": lambda: b'{"payload":"' + b"A" * (2 << 20) + b'"}',
    "a gzip header": lambda: b"\x1f\x8b\x08\x00" + bytes(1 << 19),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_T_E19_hostile_input_costs_little(world: World, name: str) -> None:
    """Refused within 50 ms of this process's time, and with memory of the order of the message."""
    data, reader = HOSTILE[name](), world.reader()
    best = 1.0
    for _ in range(3):
        began = time.process_time()
        with pytest.raises(Refused):
            open_envelope(data, reader, NOW, lambda *key: -1)
        best = min(best, time.process_time() - began)
    tracemalloc.start()
    with pytest.raises(Refused):
        open_envelope(data, reader, NOW, lambda *key: -1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert best < 0.05
    assert peak < 4 * strict.MAX_BYTES


@pytest.mark.parametrize("clock", [NOW - 1, NOW])
def test_a_key_counts_from_its_first_second(world: World, clock: int) -> None:
    sender = world.roster.entity("gateway-1")
    assert sender is not None
    new = replace(sender, signing=(replace(sender.signing[0], valid_from=NOW),))
    others = tuple(entity for entity in world.roster.entities if entity != sender)
    later = World(world.identities, replace(world.roster, entities=(*others, new)))
    data = later.seal(answer(), issued_at=NOW)
    if clock < NOW:
        assert later.refusal(data, at=clock) is Reason.VALIDITY
    else:
        assert later.open(data, at=clock).body == answer()


def test_T_K15_a_signature_of_another_context_is_none() -> None:
    """ML-DSA, kept for the day when roots sign with it too: the context is part of what is signed."""
    mldsa: Any = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    from cryptography.exceptions import InvalidSignature

    key = mldsa.MLDSA65PrivateKey.generate()
    signature = key.sign(b"roster", b"allotment/roster/v1")
    key.public_key().verify(signature, b"roster", b"allotment/roster/v1")
    for context in (b"allotment/msg/v1", b"", None):
        with pytest.raises(InvalidSignature):
            key.public_key().verify(signature, b"roster", context)
