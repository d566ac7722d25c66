"""Every NEM12, NEM13 and Green Button file at hand, against sums made another way."""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from planner.meters import Metered, ingest
from planner.problems import InvalidInput

pytestmark = pytest.mark.real

SCALE = {"WH": 1e-3, "KWH": 1.0, "MWH": 1e3}
DIRECTION = {"E": "import", "B": "export"}


def nem_text(path: Path) -> str:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.read(archive.namelist()[0]).decode("latin-1")
    return path.read_text(encoding="latin-1")


def nem12_sums(text: str) -> dict[tuple[str, str], float]:
    """Sums of all values that are not null, line by line; days written twice are not expected here."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    values: list[float] = []
    key, scale, count = ("", ""), 0.0, 0
    text = re.sub(r",\s*\n(?=\d\d,)", ",", text)  # one file breaks a day over three lines
    for line in text.splitlines():
        cells = line.strip().split(",")
        if cells[0] == "200":
            key, count = (cells[1], DIRECTION.get(cells[4][0], "")), 1440 // int(cells[8])
            scale = SCALE.get(cells[7].upper(), 0.0)
        elif cells[0] == "300" and key[1]:
            values = [float(cell) * scale for cell in cells[2 : 2 + count]]
            sums[key] += sum(values)
        elif cells[0] == "400" and key[1] and cells[3][0] == "N":
            sums[key] -= sum(values[int(cells[1]) - 1 : int(cells[2])])
    return dict(sums)


def table_sums(metered: Metered) -> dict[tuple[str, str], float]:
    table = metered.table
    sums = table.groupby([table["meter"].astype(str), table["channel"].astype(str)])["energy_kwh"].sum()
    return {(str(meter), str(channel)): float(kwh) for (meter, channel), kwh in sums.items()}  # type: ignore[misc]


def nem_files(shared: Path, kind: str) -> list[Path]:
    files = sorted(p for p in (shared / "meters" / "nem12" / kind).iterdir() if p.is_file())
    assert files
    return files


def test_every_valid_nem12_file(shared: Path) -> None:
    rows = 0
    for path in nem_files(shared, "nem12"):
        metered = ingest([path])
        expected = nem12_sums(nem_text(path))
        found = table_sums(metered)
        assert found.keys() == expected.keys(), path.name
        for key, kwh in expected.items():
            assert found[key] == pytest.approx(kwh, rel=1e-9, abs=1e-9), (path.name, key)
        rows += len(metered.table)
        assert set(metered.table["start"].dt.tz_convert("Etc/GMT-10").dt.minute) <= {0, 15, 30, 45}
    assert len(nem_files(shared, "nem12")) == 94
    assert rows > 20_000


def test_every_valid_nem13_file(shared: Path) -> None:
    periods = 0
    for path in nem_files(shared, "nem13"):
        records = [line.split(",") for line in nem_text(path).splitlines() if line.startswith("250")]
        expected = sum(abs(float(cells[18])) * SCALE[cells[19].upper()] for cells in records)
        table = ingest([path]).table
        assert table["energy_kwh"].sum() == pytest.approx(expected, rel=1e-9), path.name
        periods += len(records)
    assert periods > 50


WRONG = {
    "Example_NEM12_15min_200_30min_300.csv": ("3", "30-minute data"),
    "Example_NEM12_30min_200_15min_300.csv": ("3", "15-minute data"),
    "Example_NEM12_30min_200_15min_400.csv": ("3", "15-minute data"),
    "Example_NEM12_empty.csv": ("1", "no interval records"),
    "Example_NEM12_incomplete_interval.csv": ("3", "incomplete"),
    "Example_NEM12_powercor.csv": ("9", "contradict"),
    "Example_NEM12_powercor_missing_fields.csv": ("9", "contradict"),
    "Example_empty_file.csv": ("", "is empty"),
}


def test_every_invalid_nem12_file(shared: Path) -> None:
    for path in nem_files(shared, "invalid"):
        if path.name in WRONG:
            line, words = WRONG[path.name]
            with pytest.raises(InvalidInput) as caught:
                ingest([path])
            first = str(caught.value.errors[0])
            assert first.startswith(f"{path.name}:{line}"), first
            assert words in first
        else:  # readable, with something to report
            (report,) = ingest([path]).reports
            assert report.notes or any(f.what == "quality_unknown" for f in report.findings), path.name


def test_nemreader_agrees(shared: Path) -> None:
    nemreader = pytest.importorskip("nemreader")
    logging.getLogger("nemreader").setLevel(logging.CRITICAL)
    skip = {"NEM12#Scenario10#ETSAMDP#NEMMCO.zip"}  # the day broken over lines, which nemreader leaves out
    compared = 0
    for path in nem_files(shared, "nem12"):
        if path.name in skip:
            continue
        sums: Counter[tuple[str, str]] = Counter()
        for nmi, channels in nemreader.NEMFile(str(path)).nem_data().readings.items():
            for suffix, readings in channels.items():
                for reading in readings:
                    kept = suffix[0] in DIRECTION and not str(reading.quality_method).startswith("N")
                    if kept:
                        sums[nmi, DIRECTION[suffix[0]]] += reading.read_value * SCALE[reading.uom.upper()]
        found = table_sums(ingest([path]))
        assert found == pytest.approx(dict(sums), rel=1e-9, abs=1e-9), path.name
        compared += len(sums)
    assert compared > 100


def espi_sum(path: Path) -> tuple[int, float]:
    """Count and kWh of all readings that last and belong to interval energy, straight from the tree."""
    root = ET.parse(path).getroot()
    space = "{http://naesb.org/espi}"
    kinds = [{leaf.tag: leaf.text for leaf in kind} for kind in root.iter(f"{space}ReadingType")]
    powers = {int(kind[f"{space}powerOfTenMultiplier"]) for kind in kinds}  # type: ignore[arg-type]
    assert len(powers) <= 1
    count, total = 0, 0
    for reading in root.iter(f"{space}IntervalReading"):
        if reading.findtext(f"{space}timePeriod/{space}duration") != "0":
            count += 1
            total += int(reading.findtext(f"{space}value") or 0)
    return count, total * 10.0 ** next(iter(powers), 0) / 1000


def espi_files(shared: Path) -> list[Path]:
    return sorted(p for p in (shared / "meters" / "green_button").rglob("*") if p.suffix.lower() == ".xml")


def test_every_green_button_file(shared: Path) -> None:
    totals = {}
    for path in espi_files(shared):
        if path.name == "ServiceCategory.xml":
            with pytest.raises(InvalidInput, match="holds no interval readings"):
                ingest([path])
            continue
        table = ingest([path]).table
        count, kwh = espi_sum(path)
        assert len(table) == count, path.name
        assert table["energy_kwh"].sum() == pytest.approx(kwh, rel=1e-12), path.name
        totals[path.name] = round(kwh, 3)
    assert totals["Elexicon_Electricity_NonInterval_2026-02-07_2026-03-09.xml"] == 499.79
    assert totals["test_usage_data.xml"] == 1391.666
    assert len(totals) == 20


def test_green_button_details(shared: Path) -> None:
    folder = shared / "meters" / "green_button"
    elexicon = ingest([next((folder / "elexicon_ontario").glob("*.xml"))]).reports[0]
    assert [(f.what, f.count) for f in elexicon.findings] == [("ignored", 30)]
    spring = ingest([folder / "openespi_fixtures" / "test_usage_data_11.xml"], timezone="America/New_York").reports[0]
    assert [(c.date, c.rows, c.expected) for c in spring.clock_changes] == [("2012-03-11", 92, 92)]
    december = next((folder / "ameren_15min").glob("*12-04*"))
    plain, local = ingest([december]), ingest([december], format="green_button:epoch=local")
    assert any("epoch=local" in note for note in plain.reports[0].notes)
    assert str(plain.table["start"].iloc[0]) == "2023-12-04 00:00:00+00:00"
    assert str(local.table["start"].iloc[0]) == "2023-12-04 06:00:00+00:00"


def test_esb_file_with_two_clock_changes(shared: Path) -> None:
    metered = ingest([shared / "meters" / "ireland_esb" / "HDF_EXAMPLE.csv"])
    report = metered.reports[0]
    assert (report.rows_read, report.rows_used) == (55_691, 55_691)
    changes = {(c.channel, c.date, c.rows) for c in report.clock_changes}
    autumn, spring = "2023-10-29", "2024-03-31"
    assert {("import", autumn, 50), ("export", autumn, 50), ("import", spring, 46), ("export", spring, 46)} <= changes
    text = (shared / "meters" / "ireland_esb" / "HDF_EXAMPLE.csv").read_text().splitlines()[1:]
    kwh = sum(float(line.split(",")[2]) for line in text)
    assert metered.table["energy_kwh"].sum() == pytest.approx(kwh, rel=1e-12)


def test_fluvius_files_with_interleaved_autumns(shared: Path) -> None:
    folder = shared / "meters" / "europe" / "fluvius" / "Sample files"
    for path in sorted(folder.glob("*elek*")) + sorted(folder.glob("*electricity*")):
        metered = ingest([path])
        cells = [line.split(";")[8].replace(",", ".") for line in path.read_text("utf-8-sig").splitlines()[1:]]
        assert metered.table["energy_kwh"].sum() == pytest.approx(sum(float(c or 0) for c in cells), rel=1e-12)
        assert {(c.rows, c.expected) for c in metered.reports[0].clock_changes} == {(100, 100)}
    for path in sorted(folder.glob("*gas*")):
        with pytest.raises(InvalidInput):
            ingest([path])


def test_nothing_at_hand_makes_a_traceback(shared: Path) -> None:
    files = [p for p in (shared / "meters").rglob("*") if p.is_file() and p.stat().st_size < 60_000]
    metered = ingest(files, timezone="Europe/London", keep_going=True)
    assert len(metered.reports) >= len(files)
    assert metered.problems
