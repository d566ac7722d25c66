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
    the share limits are inclusive: a share equal to the limit passes.  Without ``gated`` nothing may be released.
    """

    name: str
    k_active: int
    p_percent: int
    min_occupants: int = 15
    max_contracted_share_percent: int = 15
    min_buildings: int = 5
    max_building_share_percent: int = 40
    max_day_share_percent: int = 15
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
