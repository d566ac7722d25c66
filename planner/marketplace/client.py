"""Posting to a marketplace: one message a slot, always of the same size, whether there is anything to say or not."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from planner.marketplace.http import PATH
from planner.marketplace.office import MAX_REPLY_BYTES
from planner.problems import InvalidInput, Problem

TIMEOUT_S = 10.0
LIMIT_S = 30.0
REFUSED = HTTPStatus.FORBIDDEN
SLOT_BYTES = 16_384
"""Sizes of messages are whole multiples of this."""


class UnreachableError(Exception):
    """No marketplace took the message: none answers, or it refused."""


class TurnedAwayError(UnreachableError):
    """A marketplace is there and refused the message."""


def padded(lines: Sequence[bytes], blocks: int) -> bytes:
    """A bundle filled up with line feeds to ``blocks`` blocks; one that does not fit would tell its size."""
    data = b"\n".join(lines)
    size = blocks * SLOT_BYTES
    if len(data) > size:
        raise ValueError(f"a bundle of {len(data)} bytes does not fit into {size}")
    return data + b"\n" * (size - len(data))


class Link:
    """The way to the marketplace, or to the first of several that takes messages; keeps its connection.

    ``limit_s`` is for one whole exchange: a reply that trickles in is given up like one that does not come.
    """

    def __init__(self, urls: Sequence[str], tls: ssl.SSLContext | None = None, limit_s: float = LIMIT_S) -> None:
        self.urls = [_checked(url) for url in urls]
        self.tls, self.limit_s = tls, limit_s
        self.sent_bytes = self.received_bytes = self.posts = 0
        self.at = 0
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> list[tuple[int, bytes]]:
        """Post one body; rows that waited (number, envelope).  Raises UnreachableError; the next try goes elsewhere."""
        try:
            status, data = self._post(body)
            rows = [] if status == REFUSED else _rows(status, data)
        except (OSError, http.client.HTTPException) as error:
            self._turn()
            raise UnreachableError(_in_words(error)) from None
        if status == REFUSED:
            self._turn()
            raise TurnedAwayError("refused")
        self.posts += 1
        self.sent_bytes += len(body)
        self.received_bytes += len(data)
        return rows

    def _post(self, body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.timeout = min(TIMEOUT_S, self.limit_s)
        if connection.sock is None:
            connection.connect()
        watch = threading.Timer(self.limit_s, _cut, [connection.sock])
        watch.start()
        try:
            connection.request("POST", PATH, body)
            reply = connection.getresponse()
            data = reply.read(MAX_REPLY_BYTES + 1)
        finally:
            watch.cancel()
        if len(data) > MAX_REPLY_BYTES:
            raise OSError("too long a reply")
        if reply.length:  # what was cut off would be taken for an envelope, and never fetched again
            raise OSError("half a reply")
        return reply.status, data

    def _connect(self) -> http.client.HTTPConnection:
        scheme, host, port = self.urls[self.at]
        if scheme == "https":
            context = self.tls or ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def _turn(self) -> None:
        """Drop the connection and try the next address."""
        self.close()
        self.at = (self.at + 1) % len(self.urls)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None


def _rows(status: int, data: bytes) -> list[tuple[int, bytes]]:
    """Numbers and envelopes of a reply; raises HTTPException for what is none."""
    lines = (line.partition(b" ") for line in data.split(b"\n") if line)
    try:
        if status != HTTPStatus.OK:
            raise ValueError
        return [(int(number), envelope) for number, _, envelope in lines]
    except ValueError:
        raise http.client.HTTPException("no reply of a marketplace") from None


def _cut(line: socket.socket) -> None:
    """End a connection under whoever waits for it."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _in_words(error: Exception) -> str:
    """What went wrong on the way: the system's words, or what kind of reply it was."""
    if not isinstance(error, OSError):
        return "what answers there is no marketplace"
    return str(error.strerror or error or type(error).__name__).lower()


def _checked(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port:
        hint = "write it as https://host:port"
        raise InvalidInput([Problem("command line", 0, "is no address of a marketplace", url, hint)])
    return parts.scheme, parts.hostname, port
