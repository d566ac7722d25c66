"""A round of many gateways through one marketplace on this machine, and how fast it refuses.

    python tests/benchmarks/services.py [gateways] [--intervals 96]

Prints seconds and bytes of one round of a thousand gateways (question out, answer in, over real sockets; the answers
are made beforehand, so that the marketplace alone is measured), and refused messages per second.  Bounded in count and
time, and on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import threading
import time
from pathlib import Path

from planner.groups import Group, GroupKind
from planner.hearing import MARKET
from planner.marketplace.carrier import Carrier
from planner.marketplace.client import padded
from planner.marketplace.http import Server
from planner.marketplace.mail import NOBODY, now
from planner.marketplace.messages import TYPES
from planner.marketplace.office import Office
from planner.marketplace.store import MessageStore
from planner.questions import Alone
from planner.security.entities import Entity
from planner.security.envelope import Header, seal
from planner.security.hpke import Kem
from planner.security.journal import Journal
from planner.security.keys import Identity
from planner.security.messages import release_types
from planner.security.opening import message_hash
from planner.security.outgoing import send_notice
from planner.security.policy import EXCHANGE
from planner.security.roster import Roster

DAY = "2026-10-25"
LIFE_S = 36 * 3600
CONNECTIONS = 50
REFUSALS = 5000
LIMIT_S = 120.0


def names(count: int) -> list[str]:
    return [f"gw-{i:04d}" for i in range(1, count + 1)]


def city(count: int) -> tuple[dict[str, Identity], Roster]:
    """Keys of everybody, and a roster in which every gateway speaks for a group of its own name."""
    at = now()
    identities = {name: Identity.ephemeral(name, Kem.MLKEM768_X25519) for name in (MARKET, *names(count))}
    span = at - LIFE_S, at + LIFE_S
    entities = [Entity.of(identities[MARKET], "marketplace", *span)]
    entities += [Entity.of(identities[n], "gateway", *span, frozenset({f"g-{n}"})) for n in names(count)]
    return identities, Roster(1, EXCHANGE.sha256, tuple(entities))


def bundle(me: Identity, roster: Roster, intervals: int) -> bytes:
    """An answer and the slot that brings it."""
    group, at = f"g-{me.name}", now()
    market = roster.entity(MARKET)
    assert market is not None
    kind = release_types(intervals)["answer"]
    header = Header("answer", me.name, (), group, DAY, 0, at, at + kind.max_life_s, roster.version, roster.policy)
    body = {"group": group, "clear": DAY, "cost": 123456, "round": 0, "lots": [0] * intervals}
    answer = seal(header, body, me.signer, (market,))
    said = {"number": 1, "group": group, "word": "said", "about": message_hash(answer), "reason": NOBODY}
    where = {"stream": "slots", "round_id": DAY}
    slot = send_notice(TYPES["slot"], {**said, "value": [], "seen": 0}, me, [MARKET], roster, at, sequence=1, **where)  # type: ignore[arg-type]
    return padded([answer, slot], 2)


async def post_all(port: int, bodies: list[bytes]) -> tuple[int, int]:
    """Post over CONNECTIONS connections; how many were accepted, and bytes that came back."""
    waiting = list(enumerate(bodies))
    accepted = received = 0

    async def one() -> None:
        nonlocal accepted, received
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            _, body = waiting.pop()
            writer.write(b"POST /v1/messages HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            received += len(await reader.readexactly(length)) + len(head)
            accepted += head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.wait_for(asyncio.gather(*(one() for _ in range(CONNECTIONS))), LIMIT_S)
    return accepted, received


class Listening:
    """The socket side in a thread."""

    def __init__(self, office: Office) -> None:
        self.loop, self.server, self.port = asyncio.new_event_loop(), Server(office.receive, office.refuse), 0
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.port = self.loop.run_until_complete(self.server.start("127.0.0.1", 0))
        self.ready.set()
        self.loop.run_forever()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("gateways", nargs="?", type=int, default=1000)
    parser.add_argument("--intervals", type=int, default=96)
    asked = parser.parse_args()
    began = time.perf_counter()
    identities, roster = city(asked.gateways)
    bodies = [bundle(identities[name], roster, asked.intervals) for name in names(asked.gateways)]
    print(f"keys and answers of {asked.gateways} gateways made in {time.perf_counter() - began:.1f} s")
    with tempfile.TemporaryDirectory(prefix="planner-") as scratch:
        store = MessageStore(Path(scratch) / "messages")
        journal = Journal(Path(scratch) / "node.sqlite", identities[MARKET], DAY, now)
        office = Office(identities[MARKET], roster, store, DAY, asked.intervals, now, journal=journal)
        groups = [Group(f"g-{name}", GroupKind.BUILDING, (), "city") for name in names(asked.gateways)]
        carrier = Carrier(office, groups, names(asked.gateways), LIMIT_S)
        listening = Listening(office)
        began, cpu = time.perf_counter(), time.process_time()
        words: dict[int, object] = {}
        rounds = threading.Thread(
            target=lambda: words.update(carrier.ask(dict.fromkeys(range(asked.gateways), Alone(0))))
        )
        rounds.start()
        accepted, received = asyncio.run(post_all(listening.port, bodies))
        rounds.join(LIMIT_S)
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        sent = sum(map(len, bodies))
        kinds = {type(word).__name__ for word in words.values()}
        print(f"one round: {accepted} accepted, words {kinds}, {seconds:.1f} s wall, {used:.1f} s of CPU")
        print(
            f"           {sent / 1e6:.1f} MB in, {received / 1e6:.1f} MB out, {sent // asked.gateways} bytes a message"
        )
        forged = [body.replace(b"A", b"B", 1) for body in bodies[: min(len(bodies), 500)]]
        began, cpu = time.perf_counter(), time.process_time()
        passed, _ = asyncio.run(post_all(listening.port, (forged * (REFUSALS // len(forged) + 1))[:REFUSALS]))
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        print(
            f"refused:   {REFUSALS - passed} of {REFUSALS} in {seconds:.1f} s: {REFUSALS / seconds:.0f} a second, ",
            end="",
        )
        print(f"{REFUSALS / used:.0f} a CPU second")
        listening.stop()
        store.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
