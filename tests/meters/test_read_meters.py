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
NEM12 = f"""100,NEM12,202601011200,MDP,Retailer
200,NMI0000001,E1B1,1,E1,N1,SERIAL,kWh,30,
300,20260115,{",".join(["0.5"] * 48)},A,,,20260116120000,
900
"""
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


def test_the_only_meter_of_an_export_takes_the_id_of_the_case(cases: Cases) -> None:
    cases.file("a.csv", NEM12)
    metered = read_meters(cases.meters(("house", "n", "a.csv")))
    assert metered.table["meter"].unique().tolist() == ["house"]
    assert "its only meter *******001 is read as **use" in metered.reports[0].notes


@pytest.mark.parametrize(
    "text",
    [
        "meter,channel,start,minutes,energy_kwh\nzz,import,2026-01-01T00:00:00Z,15,1\n",
        "start,minutes,zz:import\n2026-01-01T00:00:00Z,15,1\n",
    ],
    ids=["long", "wide"],
)
def test_a_canonical_file_names_its_meters(cases: Cases, text: str) -> None:
    cases.file("a.csv", text)
    with pytest.raises(InvalidInput) as caught:
        read_meters(cases.meters(("m1", "n", "a.csv")))
    assert str(caught.value) == "meters/a.csv: no meter m1; the file names zz"


def test_a_header_alone_is_refused(cases: Cases) -> None:
    cases.file("a.csv", LONG)
    with pytest.raises(InvalidInput, match="holds no readings"):
        read_meters(cases.meters(("m1", "n", "a.csv")))


@pytest.mark.parametrize(("kwh", "channel"), [(1.01e8, "import"), (1e300, "export"), (-1e12, "net")])
def test_a_reading_of_no_city_is_refused(cases: Cases, kwh: float, channel: str) -> None:
    cases.file("a.csv", LONG + reading("m1", channel) + reading("m1", channel, kwh, "2026-01-01T00:15:00Z"))
    with pytest.raises(InvalidInput, match="not plausible: beyond 100,000,000") as caught:
        read_meters(cases.meters(("m1", "n", "a.csv")))
    assert [(problem.file, problem.line) for problem in caught.value.errors] == [("meters/a.csv", 3)]


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
