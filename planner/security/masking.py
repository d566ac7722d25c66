"""A sum that opens only as a whole: every pair of members shares a mask that one adds and the other takes away.

member i sends  x_i + sum_{j > i} m_ij - sum_{j < i} m_ij  (mod 2^64 in each lane);  m_ij from X25519 between i and j,
HKDF-SHA256 per pair, HMAC-SHA256 per label.  All masks cancel in the sum over exactly the set that the label names; any
other set leaves noise.  The second lane carries 1 per member, so that noise is known for what it is.  Source: Kursawe,
Danezis, Kohlweiss 2011, pairwise masks; n-1 colluding members learn the last one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from planner.security.hpke import SealingKey, SealingPublic

LANE = 1 << 64
_X25519_BYTES = 32
_INFO = b"allotment/bound-mask/v1\0"


@dataclass
class Masker:
    """One member: its name, its sealing key, and the public sealing keys of the others by name."""

    name: str
    key: SealingKey
    others: Mapping[str, SealingPublic]
    _shared: dict[str, bytes] = field(default_factory=dict, repr=False)

    def mask(self, value: int, members: Iterable[str], label: str) -> tuple[int, int]:
        """Both lanes of ``value`` (a signed integer below 2^62 in magnitude) masked for the sum over ``members``."""
        names = sorted(members)
        context = _context(names, label)
        lanes = [value, 1]
        for other in names:
            if other != self.name:
                pad = hmac.new(self._secret(other), context, hashlib.sha256).digest()
                sign = 1 if self.name < other else -1
                for lane in (0, 1):
                    lanes[lane] += sign * int.from_bytes(pad[8 * lane : 8 * lane + 8], "big")
        return lanes[0] % LANE, lanes[1] % LANE

    def _secret(self, other: str) -> bytes:
        """What this member and another one share, made once."""
        if other not in self._shared:
            public = X25519PublicKey.from_public_bytes(self.others[other].raw[-_X25519_BYTES:])
            pair = "\0".join(sorted((self.name, other))).encode()
            self._shared[other] = HKDF(SHA256(), 32, None, _INFO + pair).derive(self.key.x25519.exchange(public))
        return self._shared[other]


def unmasked_sum(lanes: Sequence[tuple[int, int]], members: int) -> int | None:
    """The signed sum of ``members`` masked values, None where it does not open."""
    if len(lanes) != members or sum(lane[1] for lane in lanes) % LANE != members % LANE:
        return None
    total = sum(lane[0] for lane in lanes) % LANE
    return total - LANE if total >= LANE // 2 else total


def _context(names: Sequence[str], label: str) -> bytes:
    return hashlib.sha256("\0".join((label, *names)).encode()).digest()
