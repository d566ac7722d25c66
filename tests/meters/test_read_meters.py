"""Files of meters.csv: ids, channels and zones as the case gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from planner.meters import read_meters
from planner.problems import InvalidInput

COLUMNS = ["meter", "node", "file", "format", "channel", "timezone", "part_of"]
LONG = "meter,channel,start,minutes,energy_kwh\n"


@dataclass
class Cases:
    folder: Path

    def meters(self, *rows: tuple[str, ...]) -> SimpleNamespace:
        frame = pd.DataFrame([(*row, *[""] * (len(COLUMNS) - len(row))) for row in rows], columns=COLUMNS)
        return SimpleNamespace(folder=self.folder, meters=frame, settings=SimpleNamespace(timezone="Europe/Paris"))

    def file(self, name: str, text: str) -> None:
        (self.folder / "meters").mkdir(exist_ok=True)
        (self.folder / "meters" / name).write_text(text)


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    return Cases(tmp_path)


def reading(meter: str, channel: str = "import", kwh: float = 1, stamp: str = "2026-01-01T00:00:00Z") -> str:
    return f"{meter},{channel},{stamp},15,{kwh}\n"


def test_the_only_meter_of_a_file_takes_the_id_of_the_case(cases: Cases) -> None:
    cases.file("a.csv", LONG + reading("541448"))
    assert read_meters(cases.meters(("house", "n", "a.csv"))).table["meter"].tolist() == ["house"]


def test_a_meter_among_others_is_picked_by_its_id(cases: Cases) -> None:
    cases.file("a.csv", LONG + reading("m1") + reading("m2", kwh=2))
    metered = read_meters(cases.meters(("m2", "n", "a.csv")))
    assert metered.table["energy_kwh"].tolist() == [2.0]
    assert "1 other meters left out" in metered.reports[0].notes
    with pytest.raises(InvalidInput, match="holds other meters"):
        read_meters(cases.meters(("m3", "n", "a.csv")))


def test_a_channel_picks_or_renames(cases: Cases) -> None:
    cases.file("a.csv", LONG + reading("m") + reading("m", "export", 3))
    cases.file("b.csv", LONG + reading("pv", "import", 4))
    picked = read_meters(cases.meters(("m", "n", "a.csv", "", "export"), ("pv", "n", "b.csv", "", "production"))).table
    assert picked["channel"].tolist() == ["export", "production"]
    with pytest.raises(InvalidInput, match="has no channel net"):
        read_meters(cases.meters(("m", "n", "a.csv", "", "net")))


def test_the_zone_of_the_case_serves_naive_stamps(cases: Cases) -> None:
    cases.file("a.csv", LONG + reading("m", stamp="2026-01-01T00:00:00"))
    assert read_meters(cases.meters(("m", "n", "a.csv"))).table["start"][0].hour == 23
    own = read_meters(cases.meters(("m", "n", "a.csv", "", "", "UTC")))
    assert own.table["start"][0].hour == 0
    assert own.reports[0].timezone_from == "option"


def test_all_errors_of_all_files_at_once(cases: Cases) -> None:
    cases.file("a.csv", LONG + reading("m", kwh=-1))
    cases.file("b.csv", "nothing")
    with pytest.raises(InvalidInput) as caught:
        read_meters(cases.meters(("m", "n", "a.csv"), ("o", "n", "b.csv"), ("p", "n", "c.csv", "esb")))
    assert [problem.file for problem in caught.value.errors] == ["meters/a.csv", "meters/b.csv", "meters/c.csv"]


def test_a_case_without_meters_reads_nothing(cases: Cases) -> None:
    assert read_meters(cases.meters()).table.empty
