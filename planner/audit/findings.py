"""What an audit says: violations, rules checked, rules that could not be checked and why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.audit.rules import RULES, home_rule

SHOWN_PER_RULE = 25


@dataclass(frozen=True, slots=True)
class Where:
    """A file of the run folder, a name in it (unit, asset, zone, account) and an interval from 1; either may lack."""

    file: str
    name: str = ""
    interval: int | None = None

    def __str__(self) -> str:
        parts = (self.file, self.name, "" if self.interval is None else f"interval {self.interval}")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    where: Where
    what: str
    value: Any = None
    expected: Any = None

    def __str__(self) -> str:
        numbers = "" if self.value is None else f" ({self.value}; expected {self.expected})"
        return f"{self.rule}  {self.where}: {self.what}{numbers}"


@dataclass(frozen=True)
class Audit:
    """The result of one audit; ``more`` counts violations beyond the first few listed of a rule.

    ``rules_without_subject`` are about something that is not in the folder at all (lines, blocks, batteries, ...).
    """

    violations: tuple[Violation, ...]
    rules_checked: tuple[str, ...]
    rules_not_checkable: dict[str, str]
    rules_without_subject: tuple[str, ...] = ()
    more: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not self.violations

    @property
    def rules_violated(self) -> tuple[str, ...]:
        broken = {violation.rule for violation in self.violations}
        return tuple(rule for rule in RULES if rule in broken)

    def to_json(self) -> str:
        """The content of audit.json."""
        content = {
            "violations": [asdict(violation) for violation in self.violations],
            "violations_not_listed": self.more,
            "rules_checked": list(self.rules_checked),
            "rules_not_checkable": self.rules_not_checkable,
            "rules_without_subject": list(self.rules_without_subject),
        }
        return json.dumps(content, indent=1, ensure_ascii=False, default=str)

    def __str__(self) -> str:
        """A table for people: one line a rule, then the violations."""
        broken = Counter(violation.rule for violation in self.violations)
        lines = []
        for rule, meaning in RULES.items():
            if rule in broken:
                state = f"{broken[rule] + self.more.get(rule, 0)} violated"
            else:
                state = "not checked" if rule in self.rules_not_checkable else "holds"
                state = "nothing to check" if rule in self.rules_without_subject else state
            lines.append(f"{rule:4} {state:17} {meaning}")
            if rule in self.rules_not_checkable:
                lines.append(f"{'':23}{self.rules_not_checkable[rule]}")
        lines += ["", *(str(violation) for violation in self.violations)] if self.violations else []
        return "\n".join(lines)


class Findings:
    """Collects while the rules run; ``close`` turns it into an Audit."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._count: Counter[str] = Counter()
        self._reasons: dict[str, list[str]] = {}
        self._checked: set[str] = set()
        self._idle: set[str] = set()
        self._damaged: set[str] = set()

    def add(
        self,
        rule: str,
        file: str,
        what: str,
        value: Any = None,
        expected: Any = None,
        *,
        name: str = "",
        interval: int | None = None,
    ) -> None:
        """Note one violation, unless its rule already has as many as are listed."""
        self._count[rule] += 1
        if self._count[rule] <= SHOWN_PER_RULE:
            self._violations.append(Violation(rule, Where(file, name, interval), what, _plain(value), _plain(expected)))

    def flag(
        self,
        rule: str,
        file: str,
        names: tuple[str, ...],
        wrong: npt.NDArray[np.bool_],
        what: str,
        value: npt.NDArray[Any],
        expected: npt.NDArray[Any] | float,
    ) -> None:
        """Note every true cell of ``wrong`` (names x intervals) as a violation."""
        if not wrong.any():
            return
        value, expected = np.broadcast_to(value, wrong.shape), np.broadcast_to(expected, wrong.shape)
        for row, t in zip(*np.nonzero(wrong), strict=True):
            cell = (row, t)
            self.add(rule, file, what, value[cell], expected[cell], name=names[row], interval=int(t) + 1)

    def unchecked(self, rule: str, reason: str) -> None:
        reasons = self._reasons.setdefault(rule, [])
        if reason not in reasons:
            reasons.append(reason)

    def damaged(self, file: str, why: str, rules: tuple[str, ...]) -> None:
        """A file that cannot be read: a violation of the rule it is the evidence for, and no evidence for others."""
        home = home_rule(file)
        if file not in self._damaged:
            self._damaged.add(file)
            self.add(home, file, why)
        for rule in rules:
            if rule != home:
                self.unchecked(rule, f"{file} is damaged")

    def checked(self, *rules: str) -> None:
        self._checked.update(rules)

    def idle(self, *rules: str) -> None:
        """Note that this check met nothing that these rules are about: that they hold would say nothing."""
        self._idle.update(rules)

    def absorb(self, later: Findings, *rules: str) -> None:
        """Note after what is here what one check found; of ``rules`` it checked those that it was not idle about."""
        self.checked(*(rule for rule in rules if rule not in later._idle))
        self._idle |= later._idle
        for violation in later._violations:
            self._count[violation.rule] += 1
            if self._count[violation.rule] <= SHOWN_PER_RULE:
                self._violations.append(violation)
        listed = Counter(violation.rule for violation in later._violations)
        self._count.update(later._count - listed)

    def close(self) -> Audit:
        order = {rule: place for place, rule in enumerate(RULES)}
        missing = {rule: _joined(self._reasons[rule]) for rule in RULES if rule in self._reasons}
        idle = self._idle - self._checked - missing.keys() - self._count.keys()
        for rule in RULES:
            if rule not in self._checked | idle and rule not in missing:
                missing[rule] = "nothing in this folder is subject to it"
        return Audit(
            violations=tuple(sorted(self._violations, key=lambda found: order[found.rule])),
            rules_checked=tuple(rule for rule in RULES if rule in self._checked and rule not in missing),
            rules_not_checkable={rule: missing[rule] for rule in RULES if rule in missing},
            rules_without_subject=tuple(rule for rule in RULES if rule in idle),
            more={r: n - SHOWN_PER_RULE for r, n in sorted(self._count.items()) if n > SHOWN_PER_RULE},
        )


def _joined(reasons: list[str]) -> str:
    shown = "; ".join(reasons[:3])
    return shown if len(reasons) <= 3 else f"{shown}; and {len(reasons) - 3} more"


def _plain(value: Any) -> Any:
    """A number as JSON can carry it, without the noise of binary fractions."""
    if isinstance(value, np.generic):
        value = value.item()
    return float(f"{value:.9g}") if isinstance(value, float) else value
