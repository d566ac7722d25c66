"""Formats described as data: units, registers, repeated hours, and what is not electricity."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.meters import Metered, ingest
from planner.meters.layout import layouts
from planner.meters.table import CHANNELS
from planner.problems import InvalidInput


def read(tmp_path: Path, text: str, **options: object) -> Metered:
    path = tmp_path / "a.csv"
    path.write_text(text)
    return ingest([path], **options)  # type: ignore[arg-type]


def test_every_layout_is_complete() -> None:
    for kind in layouts():
        assert kind.shape in ("long", "days")
        assert kind.stamp in ("start", "end")
        assert set(kind.channels.values()) <= set(CHANNELS)
        assert kind.timezone
        assert kind.evidence


ESB = "MPRN,Meter Serial Number,Read Value,Read Type,Read Date and End Time\n"


@pytest.mark.parametrize(("unit", "kwh"), [("kWh", 1.2), ("kW", 0.6)])
def test_esb_stamps_are_ends_and_kw_is_a_mean(tmp_path: Path, unit: str, kwh: float) -> None:
    metered = read(tmp_path, ESB + f"10001,S,1.2,Active Import Interval ({unit}),04-07-2024 01:00\n")
    row = metered.table.iloc[0]
    assert str(row["start"]) == "2024-07-03 23:30:00+00:00"
    assert row["energy_kwh"] == pytest.approx(kwh)


def test_esb_autumn_newest_first(tmp_path: Path) -> None:
    labels = ["02:00", "01:30", "01:00", "01:30", "01:00", "00:30"]
    rows = "".join(f"10001,S,{i},Active Import Interval (kWh),27-10-2024 {label}\n" for i, label in enumerate(labels))
    table = read(tmp_path, ESB + rows).table
    assert table["energy_kwh"].tolist() == [5, 4, 3, 2, 1, 0]
    assert (table["start"].diff().dropna().dt.total_seconds() == 1800).all()


FLUVIUS = "Van datum;Van tijdstip;Tot datum;Tot tijdstip;EAN;Meter;Metertype;Register;Volume;Eenheid;Validatiestatus\n"


def fluvius(start: str, end: str, register: str, volume: str, unit: str = "kWh", status: str = "Gelezen") -> str:
    meter = '="541448820000000001";M;Digitale Meter'
    return f"31-10-2021;{start};31-10-2021;{end};{meter};{register};{volume};{unit};{status}\n"


def test_fluvius_registers_interleaved_hours_and_no_consumption(tmp_path: Path) -> None:
    rows = [("01:45:00", "02:00:00", "1,5"), ("02:00:00", "02:15:00", "2"), ("02:00:00", "02:15:00", "3")]
    rows += [("02:15:00", "02:30:00", "4"), ("02:15:00", "02:30:00", "5"), ("02:30:00", "02:45:00", "6")]
    rows += [("02:30:00", "02:45:00", "7"), ("02:45:00", "02:00:00", "8"), ("02:45:00", "03:00:00", "9")]
    text = FLUVIUS + "".join(fluvius(a, b, "Afname Nacht", v) for a, b, v in rows)
    text += fluvius("03:00:00", "03:15:00", "Afname Dag", "", status="Geen verbruik")
    text += fluvius("03:00:00", "03:15:00", "Injectie Dag", "0,25", status="Geschat")
    table = read(tmp_path, text).table
    taken = table[table["channel"] == "import"]
    assert taken["energy_kwh"].tolist() == [1.5, 2, 4, 6, 8, 3, 5, 7, 9, 0]
    assert (taken["start"].diff().dropna().dt.total_seconds() == 900).all()
    given = table[table["channel"] == "export"].iloc[0]
    assert (given["energy_kwh"], given["quality"], given["meter"]) == (0.25, "estimated", "541448820000000001")


def test_gas_is_not_electricity(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no readings"):
        read(
            tmp_path,
            FLUVIUS
            + fluvius("00:00:00", "01:00:00", "Afname", "1")
            + fluvius("00:00:00", "01:00:00", "Afname", "1", "m³"),
        )


UK = "Site Id,Meter Number,Reading Date," + ",".join(f"{h:02d}:{m:02d}" for h in range(24) for m in (0, 30)) + "\n"


def test_a_row_a_day(tmp_path: Path) -> None:
    metered = read(tmp_path, UK + "S,K0229111D6,12/07/18," + ",".join(["0.5"] * 47) + ",\n")
    assert metered.table["energy_kwh"].sum() == 23.5
    assert str(metered.table["start"].iloc[0]) == "2018-07-11 23:00:00+00:00"
    assert metered.table["quality"].tolist()[-1] == "missing"


def test_a_row_a_day_in_autumn_asks_for_the_repeated_hour(tmp_path: Path) -> None:
    metered = read(tmp_path, UK + "S,K0229111D6,28/10/18," + ",".join(["0.5"] * 48) + "\n", keep_going=True)
    assert len(metered.table) == 46
    assert {problem.what for problem in metered.problems} == {"clock time comes twice"}


def test_what_is_no_meter_file_is_named_without_its_content(tmp_path: Path) -> None:
    for text, words in (
        ("<!DOCTYPE html><html><body>Login</body></html>", "HTML page"),
        ("Name,JANE ROE\nAddress,1 Street\n", "2 columns"),
        ("", "is empty"),
        ("\x89PNG\r\n", "image"),
    ):
        (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
        with pytest.raises(InvalidInput) as caught:
            ingest([tmp_path / "a.csv"])
        assert words in str(caught.value)
        assert "JANE" not in str(caught.value)


def test_archives_that_are_damaged_or_sheets(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "s.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    (tmp_path / "d.zip").write_bytes(b"PK\x03\x04" + bytes(60))
    (tmp_path / "d.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(20))
    with pytest.raises(InvalidInput) as caught:
        ingest([tmp_path / name for name in ("s.xlsx", "d.zip", "d.gz", "absent.csv")])
    assert len(caught.value.errors) == 4
    with pytest.raises(InvalidInput) as caught:
        ingest([tmp_path])
    assert [error.file for error in caught.value.errors] == ["d.gz", "d.zip", "s.xlsx"], "a folder is all its files"
