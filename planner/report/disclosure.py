"""What left the buildings: groups, what they sent, and how close to the limits of disclosure they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.report.papers import Papers
from planner.security.policy import PRESETS, STAMP, Policy

PER_RATIO = 1_000_000
NESTED = ("findings", "worst", "size")


@dataclass(frozen=True)
class Spoken:
    """One release group; numbers are None where nobody here knows them.  Shares are ratios."""

    group: str
    kind: str
    feeders: str
    envelopes: int | None
    held_back: int | None
    occupants: int | None
    min_active: int | None
    interval_share: float | None
    day_share: float | None
    silent_because: str = ""


@dataclass(frozen=True)
class Released:
    """``known`` says where the findings come from: the gate itself, or a recount from the buildings' files."""

    policy: Policy | None
    speaking: tuple[Spoken, ...]
    dark: tuple[Spoken, ...]
    known: str

    @property
    def stamp(self) -> str:
        """Words for the top of the page where nothing of it may be released."""
        return STAMP if self.policy is not None and not self.policy.gated else ""


def read_released(papers: Papers) -> Released:
    """Groups with the gate's own findings, else with a recount where all buildings are here."""
    policy = PRESETS.get(str(papers.setting("privacy", "preset", "")))
    found, known = _from_gate(papers.privacy), "the release gate"
    if (
        not any("occupants" in facts for facts in found.values())
        and papers.is_whole
        and policy is not None
        and policy.gated
    ):
        found, known = _recounted(papers), "a recount of the buildings' files"
    groups, sent = papers.market("groups"), papers.envelopes()
    if groups.empty:
        return Released(policy, (), (), "")
    rows = groups.fillna("").sort_values("group").to_dict("records")
    every = [(bool(row["dark"]), _spoken(row, sent, found.get(str(row["group"]), {}))) for row in rows]
    speaking, dark = (tuple(group for is_dark, group in every if is_dark == wanted) for wanted in (False, True))
    return Released(policy, speaking, dark, known if any(group.occupants for group in speaking) else "")


def _spoken(row: Mapping[Any, Any], sent: Mapping[str, int], facts: Mapping[str, Any]) -> Spoken:
    name = str(row["group"])
    return Spoken(
        group=name,
        kind=str(row["kind"]),
        feeders=str(row["feeders"]).replace(";", ", "),
        envelopes=sent.get(name, facts.get("envelopes", 0)) if sent else facts.get("envelopes"),
        held_back=facts.get("held_back"),
        occupants=facts.get("occupants"),
        min_active=facts.get("min_active"),
        interval_share=_ratio(facts.get("worst_interval_share_ppm")),
        day_share=_ratio(facts.get("largest_day_share_ppm")),
        silent_because=str(facts.get("silent_because") or ""),
    )


def _ratio(ppm: Any) -> float | None:
    return None if ppm is None else float(ppm) / PER_RATIO


def _from_gate(privacy: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """privacy.json's facts by group, however deep the gate's findings stand in them."""
    groups = privacy.get("groups", {})
    if isinstance(groups, list):
        groups = {str(item.get("group")): item for item in groups if isinstance(item, dict)}
    return {str(name): _flat(item) for name, item in groups.items() if isinstance(item, dict)}


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(item)
    for name in NESTED:
        inner = out.pop(name, None)
        if isinstance(inner, dict):
            out |= _flat(inner)
    return out


def _recounted(papers: Papers) -> dict[str, dict[str, Any]]:
    """The same facts counted again with the audit's own reading of who lives where; only the final positions."""
    import numpy as np

    from planner.audit.disclosure import speaking_groups
    from planner.audit.evidence import Evidence
    from planner.audit.table import DamagedFileError, MissingFileError

    try:
        groups = speaking_groups(Evidence(papers.folder))
    except (MissingFileError, DamagedFileError):
        return {}
    facts: dict[str, dict[str, Any]] = {}
    for name, members in groups.items():
        moved = np.array(list(members.moved.values()))[:, : len(papers.starts)]
        totals = moved.sum(axis=0)
        busy = totals > 0
        facts[name] = {"occupants": len(members.contracted)}
        if busy.any():
            facts[name] |= {
                "min_active": int(np.count_nonzero(moved, axis=0)[busy].min()),
                "worst_interval_share_ppm": int((PER_RATIO * moved.max(axis=0)[busy] // totals[busy]).max()),
                "largest_day_share_ppm": int(PER_RATIO * moved.sum(axis=1).max() // totals.sum()),
            }
    return facts
