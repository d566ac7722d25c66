"""Gaps, duplicates, overlaps and clock-change days are counted, never repaired in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.meters import FileReport, ingest
from planner.problems import InvalidInput

HEAD = "meter,channel,start,minutes,energy_kwh,quality\n"


def row(hour: str, energy: object = 1, quality: str = "actual", minutes: int = 60, meter: str = "m") -> str:
    return f"{meter},import,2026-01-01T{hour}:00Z,{minutes},{energy},{quality}\n"


def read(tmp_path: Path, *rows: str, keep_going: bool = False) -> FileReport:
    (tmp_path / "a.csv").write_text(HEAD + "".join(rows))
    return ingest([tmp_path / "a.csv"], keep_going=keep_going).reports[0]


def counts(report: FileReport) -> dict[str, int]:
    return {finding.what: finding.count for finding in report.findings}


def test_gaps_are_counted_in_intervals(tmp_path: Path) -> None:
    assert counts(read(tmp_path, row("00:00"), row("01:00"), row("05:00"))) == {"gap": 3}


def test_exact_duplicates_are_kept_once(tmp_path: Path) -> None:
    report = read(tmp_path, row("00:00"), row("01:00"), row("00:00"))
    assert counts(report) == {"exact_duplicate": 1}
    assert report.rows_used == 2


def test_a_number_replaces_a_missing_reading(tmp_path: Path) -> None:
    report = read(tmp_path, row("00:00", "", "missing"), row("00:00", 2))
    assert counts(report) == {"superseded": 1}
    assert report.quality == (("actual", 1), ("estimated", 0), ("substituted", 0), ("missing", 0))[:1]


def test_contradictions_are_refused_with_a_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"a\.csv:\d: readings of one interval contradict each other"):
        read(tmp_path, row("00:00", 1), row("00:00", 2))
    report = read(tmp_path, row("00:00", 1), row("00:00", 2), row("01:00"), keep_going=True)
    assert (report.rows_used, report.rows_rejected) == (1, 2)


def test_files_that_contradict_each_other(tmp_path: Path) -> None:
    for name, energy in (("a.csv", 1), ("b.csv", 1), ("c.csv", 9)):
        (tmp_path / name).write_text(HEAD + row("00:00", energy))
    both = ingest([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert len(both.table) == 1
    with pytest.raises(InvalidInput, match="contradict"):
        ingest([tmp_path / "a.csv", tmp_path / "c.csv"])


def test_overlaps_and_qualities(tmp_path: Path) -> None:
    report = read(
        tmp_path, row("00:00", minutes=120), row("01:00", quality="estimated"), row("02:00", quality="substituted")
    )
    assert counts(report) == {"overlap": 1, "estimated": 1, "substituted": 1}


def test_clock_change_days_with_row_counts(tmp_path: Path) -> None:
    hours = [f"m,import,2026-10-{24 + (h + 22) // 24:02d}T{(h + 22) % 24:02d}:00:00Z,60,1,\n" for h in range(25)]
    (tmp_path / "a.csv").write_text(HEAD + "".join(hours))
    (change,) = ingest([tmp_path / "a.csv"], timezone="Europe/Stockholm").reports[0].clock_changes
    assert (change.date, change.rows, change.expected) == ("2026-10-25", 25, 25)
