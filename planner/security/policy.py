"""Disclosure rules as frozen presets; a policy's hash stands in every header and in the roster."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from types import MappingProxyType

from planner.security import strict

STAMP = "internal: not for release"


@dataclass(frozen=True)
class Policy:
    """Thresholds of the release gate.

    ``k_active`` occupants must be active in every non-zero interval and pass the p% rule with ``p_percent``;
    the share limits are inclusive: a share equal to the limit passes.  The interval and day rules must also hold for
    what is left when the ``coalition`` largest occupants are taken out, or the largest building of a cohort.
    A group with fewer than ``settled_occupants`` whose roster changed keeps silent until ``changes_together``
    occupants have changed since it last spoke; one that speaks and keeps silent by turns, ``flips_allowed`` times,
    keeps silent for the rest of the month.  Without ``gated`` nothing may be released.
    """

    name: str
    k_active: int
    p_percent: int
    min_occupants: int = 15
    max_contracted_share_percent: int = 15
    min_buildings: int = 5
    max_building_share_percent: int = 40
    max_day_share_percent: int = 15
    coalition: int = 1
    settled_occupants: int = 60
    changes_together: int = 5
    flips_allowed: int = 2
    gated: bool = True
    synthetic_only: bool = False

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical policy document, hexadecimal."""
        return hashlib.sha256(b"allotment/policy/v1\0" + strict.dumps(asdict(self))).hexdigest()


EXCHANGE = Policy("exchange", k_active=5, p_percent=10)
STRICT = Policy("strict", k_active=15, p_percent=25)
INTERNAL = Policy("internal", k_active=1, p_percent=0, gated=False)
LAB = Policy("lab", k_active=1, p_percent=0, gated=False, synthetic_only=True)

PRESETS = MappingProxyType({policy.name: policy for policy in (EXCHANGE, STRICT, INTERNAL, LAB)})
_UNRELEASABLE = frozenset(policy.sha256 for policy in PRESETS.values() if not policy.gated)


def may_be_released(policy_sha256: str) -> bool:
    """False for the hash of a preset without a gate: whatever it made stays inside, and no marketplace takes it."""
    return policy_sha256 not in _UNRELEASABLE
