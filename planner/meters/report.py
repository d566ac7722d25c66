"""What was found in a meter file: a frozen report, never a silent repair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LINES_SHOWN = 5
VISIBLE = 3


def mask(identifier: str) -> str:
    """A meter id for logs: only its last three characters can be read."""
    return "*" * max(len(identifier) - VISIBLE, 0) + identifier[-VISIBLE:] if len(identifier) > VISIBLE else identifier


@dataclass(frozen=True, slots=True)
class Finding:
    """Something counted in one series of a file.

    ``what`` is one of gap, exact_duplicate, conflicting_duplicate, overlap, estimated, substituted,
    missing, superseded, or a reader's own word; ``lines`` are at most a few examples.
    """

    what: str
    meter: str
    channel: str
    count: int
    lines: tuple[int, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        where = f" (line {', '.join(map(str, self.lines))})" if self.lines else ""
        who = f"{mask(self.meter)} {self.channel}".strip()
        note = f": {self.note}" if self.note else ""
        return f"{who + ': ' if who else ''}{self.count} x {self.what}{where}{note}"


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Rows of one series on a local day of 23 or 25 hours, and the rule that placed them."""

    meter: str
    channel: str
    date: str
    rows: int
    expected: int
    rule: str

    def __str__(self) -> str:
        return f"{mask(self.meter)} {self.channel}: {self.date} has {self.rows} of {self.expected} rows, {self.rule}"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file as it was read.

    ``rows_read`` counts readings (values, not lines); ``convention`` says whether a stamp is the start or
    the end of its interval, ``convention_from`` and ``timezone_from`` who said so.  ``unit`` names the
    conversion applied.  Ids are kept whole here and masked in text.
    """

    file: str
    format: str = ""
    variant: str = ""
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    rows_read: int = 0
    rows_used: int = 0
    rows_rejected: int = 0
    rejected_lines: tuple[int, ...] = ()
    convention: str = ""
    convention_from: str = ""
    timezone: str = ""
    timezone_from: str = ""
    minutes: tuple[int, ...] = ()
    unit: str = ""
    meters: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    quality: tuple[tuple[str, int], ...] = ()
    clock_changes: tuple[ClockChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The report in words, one statement a line."""
        yield f"{self.file}: {' '.join(word for word in (self.format, self.variant) if word) or 'not recognised'}"
        yield f"  rows: {self.rows_read} read, {self.rows_used} used, {self.rows_rejected} rejected"
        facts = {
            "encoding": self.encoding,
            "delimiter": repr(self.delimiter) if self.delimiter else "",
            "decimal mark": repr(self.decimal) if self.decimal else "",
            "stamps": _with_origin(self.convention, self.convention_from),
            "zone": _with_origin(self.timezone, self.timezone_from),
            "minutes": ", ".join(map(str, self.minutes)),
            "unit": self.unit,
            "meters": ", ".join(mask(meter) for meter in self.meters),
            "channels": ", ".join(self.channels),
            "quality": ", ".join(f"{count} {word}" for word, count in self.quality),
        }
        yield from (f"  {name}: {fact}" for name, fact in facts.items() if fact)
        yield from (f"  clock change: {change}" for change in self.clock_changes)
        yield from (f"  found: {finding}" for finding in self.findings)
        yield from (f"  note: {note}" for note in self.notes)

    def __str__(self) -> str:
        return "\n".join(self.lines())


def examples(lines: object) -> tuple[int, ...]:
    """The first few of some line numbers, in order."""
    return tuple(sorted({int(line) for line in lines}))[:LINES_SHOWN]  # type: ignore[attr-defined]


def _with_origin(fact: str, origin: str) -> str:
    return f"{fact} (from {origin})" if fact and origin else fact
