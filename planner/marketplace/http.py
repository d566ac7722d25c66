"""The socket side of the marketplace: one path, one method, hard limits, and one reply for whatever is wrong.

Plain asyncio of the standard library, no framework: an ASGI server would bring routing that one path does not need,
answers a broken request in its own words (a refusal must look the same for every cause), and sets no time limit for
a header that trickles in.  Requests are HTTP/1.1 with Content-Length; anything else is refused and the connection
closed.  Encryption on the way is TLS, here (``tls``) or in a proxy before it; the messages are sealed either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from planner.problems import place_of
from planner.security import strict
from planner.security.opening import refusal_reply
from planner.security.refusal import Reason, Refused

PATH = "/v1/messages"
MAX_HEAD_BYTES = 8192
HEAD_S = 5.0
BODY_S = 10.0
IDLE_S = 60.0
REFUSAL_S = 0.02
"""A refusal is sent this long after the request came, however soon the cause was found."""
MAX_CONNECTIONS = 4000

Receive = Callable[[bytes], bytes]


class _CrookedError(Exception):
    """A request that is not of the one form served here."""


@dataclass
class Server:
    """Serves ``receive``, which raises Refused for what it does not take; ``on_refused`` learns why and of what."""

    receive: Receive
    on_refused: Callable[[Refused, bytes], None]
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._peers: set[asyncio.StreamWriter] = set()
        self._stopping = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and give the port: that of the system's choice where ``port`` is 0."""
        self._server = await asyncio.start_server(
            self._serve, host, port, limit=MAX_HEAD_BYTES, ssl=self.tls, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more connections, and end those there are."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for writer in list(self._peers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peers.add(writer)
        try:
            if len(self._peers) <= MAX_CONNECTIONS:
                await self._requests(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # gone, or too slow to be told, or we are going ourselves
        finally:
            self._peers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request after another until one is crooked or the peer goes."""
        loop = asyncio.get_running_loop()
        while not self._stopping:
            first = await asyncio.wait_for(reader.read(1), IDLE_S)
            if not first:
                return
            came = loop.time()
            body = b""
            try:
                body = await self._body(first, reader)
                status, reply, goes_on = b"200 OK", self._received(body), True
            except (_CrookedError, Refused) as refused:
                if isinstance(refused, Refused):
                    self._refused(refused, body)
                await asyncio.sleep(max(0.0, came + REFUSAL_S - loop.time()))
                status, reply = b"403 Forbidden", refusal_reply(body)
                goes_on = isinstance(refused, Refused)
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(reply), reply))
            await asyncio.wait_for(writer.drain(), BODY_S)
            if not goes_on:
                return

    def _received(self, body: bytes) -> bytes:
        """The reply to a body; a fault of this side is refused as anything else, since silence would tell it."""
        try:
            return self.receive(body)
        except Refused:
            raise
        except Exception as fault:
            asyncio.get_running_loop().call_exception_handler({"message": f"a fault of this side: {place_of(fault)}"})
            raise Refused(Reason.FAULT) from None

    def _refused(self, refused: Refused, body: bytes) -> None:
        """Tell why; a full disk, which may be the cause, must not become a broken connection here."""
        try:
            self.on_refused(refused, body)
        except Exception as fault:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"a refusal is not logged: {place_of(fault)}"}
            )

    async def _body(self, first: bytes, reader: asyncio.StreamReader) -> bytes:
        """The body of one request of the only form there is."""
        try:
            head = first + await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError):
            raise _CrookedError from None
        length = _length(head)
        try:
            return await asyncio.wait_for(reader.readexactly(length), BODY_S)
        except (asyncio.IncompleteReadError, TimeoutError):
            raise _CrookedError from None


def _length(head: bytes) -> int:
    """Content-Length of a head that asks for the one path with the one method."""
    request, *lines = head[:-4].split(b"\r\n")
    if request not in (b"POST %b HTTP/1.1" % PATH.encode(), b"POST %b HTTP/1.0" % PATH.encode()):
        raise _CrookedError
    fields = [line.partition(b":") for line in lines]
    named = [(name.strip().lower(), value.strip()) for name, _, value in fields]
    lengths = [value for name, value in named if name == b"content-length"]
    if any(name == b"transfer-encoding" for name, _ in named) or len(lengths) != 1 or not lengths[0].isdigit():
        raise _CrookedError
    if len(lengths[0]) > 8 or int(lengths[0]) > strict.MAX_BYTES:
        raise _CrookedError
    return int(lengths[0])
