"""outbox/: the envelopes of a clear as they were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_outbox(root: Path, envelopes: Mapping[str, Sequence[bytes]]) -> None:
    """One file per group, one envelope a line, in the order in which they were sent."""
    root.mkdir()
    for group in sorted(envelopes):
        (root / f"{group}.jsonl").write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in envelopes[group]))
