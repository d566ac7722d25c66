"""The opened messages of a clear: with them whoever holds the roster re-derives what the marketplace did.

market/payloads.jsonl has a line for every message to the marketplace that counted, in order: the envelope as it was
sent, and salt and body, which open the commitment in its signed header.  No key is needed to check either.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.marketplace.carrier import Carrier, StoppedError
from planner.marketplace.messages import TYPES
from planner.marketplace.store import Row
from planner.security import strict
from planner.security.envelope import commitment, pad
from planner.security.messages import release_types
from planner.security.opening import Opened, verify_envelope
from planner.security.refusal import Reason, require
from planner.security.roster import Roster

FILE = "market/payloads.jsonl"
COUNTED = ("answer", "commit", "slot", "decision")
_LINE = frozenset({"envelope", "salt", "body"})


def payload_lines(carrier: Carrier) -> bytes:
    """The file, from the marketplace's own store."""
    lines = []
    for row in carrier.office.store.rows():
        if row.type in COUNTED:
            opened = carrier.opened(row)
            said = {"envelope": row.envelope.decode(), "salt": strict.b64encode(opened.salt), "body": opened.body}
            lines.append(strict.dumps(said))
    return b"".join(line + b"\n" for line in lines)


def read_payloads(path: Path, roster: Roster, intervals: int) -> Iterator[tuple[Row, Opened]]:
    """Every message with what it says, its signature and commitment verified; raises Refused."""
    types = {**TYPES, **release_types(intervals)}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        said = strict.fields(strict.loads(line, 2 * strict.MAX_BYTES), _LINE)
        require(type(said["envelope"]) is str, Reason.FIELDS)
        envelope = said["envelope"].encode()
        verified = verify_envelope(envelope, roster)
        header, salt = verified.header, strict.b64decode(said["salt"])
        require(commitment(pad(salt, said["body"])) == header.commit, Reason.COMMITMENT)
        require(header.type in COUNTED, Reason.TYPE)
        types[header.type].check(said["body"])
        row = Row(
            number, verified.message_hash, header.type, header.sender, header.recipients[0], header.issued_at, envelope
        )
        yield row, Opened(header, verified.sender, verified.message_hash, salt, said["body"])


class Record(Carrier):
    """A clear that is over: it is asked what was asked then, and answers as it was answered."""

    def load(self, messages: Iterator[tuple[Row, Opened]]) -> None:
        """Take the messages of the clear, in order."""
        self._bodies: dict[str, Opened] = {}
        for row, opened in messages:
            self._bodies[row.hash] = opened
            self._read(row)

    def opened(self, row: Row) -> Opened:
        return self._bodies[row.hash]

    def absorb(self) -> None:
        """Everything is here from the beginning."""

    def _send(self, g: int, body: dict[str, Any]) -> None:
        """Nobody is asked again."""

    def _wait(self, names: Any) -> None:
        """Raises StoppedError where the record does not say how a question ended."""
        if any((n, self.number) not in self._slots and not self._given_up(n) for n in names):
            raise StoppedError

    def _decide(self, number: int, what: str, value: int) -> None:
        raise StoppedError
