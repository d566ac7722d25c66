"""The canonical table: both forms, every file type, any order, and what is refused."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planner.meters import ingest
from planner.problems import InvalidInput

LONG = """meter,channel,start,minutes,energy_kwh,quality
m1,import,2026-10-25T02:00:00+02:00,60,1.5,actual
m1,import,2026-10-25T02:00:00+01:00,60,2.5,estimated
m1,export,2026-10-25T02:00:00Z,60,0.25,
m2,net,2026-10-25T02:00:00Z,60,-0.75,actual
"""


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path, **options: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        ingest([path], **options)
    return [str(problem) for problem in caught.value.errors]


def values(table: pd.DataFrame) -> list[tuple[str, str, str, int, float]]:
    return [
        (str(r.meter), str(r.channel), f"{r.start:%Y-%m-%dT%H:%M}", r.minutes, r.energy_kwh) for r in table.itertuples()
    ]


def test_long_form(tmp_path: Path) -> None:
    metered = ingest([write(tmp_path, "a.csv", LONG)])
    assert values(metered.table) == [
        ("m1", "import", "2026-10-25T00:00", 60, 1.5),
        ("m1", "import", "2026-10-25T01:00", 60, 2.5),
        ("m1", "export", "2026-10-25T02:00", 60, 0.25),
        ("m2", "net", "2026-10-25T02:00", 60, -0.75),
    ]
    assert list(metered.table["quality"]) == ["actual", "estimated", "actual", "actual"]
    (report,) = metered.reports
    assert (report.rows_read, report.rows_used, report.rows_rejected) == (4, 4, 0)


def test_row_order_and_column_order_do_not_matter(tmp_path: Path) -> None:
    head, *rows = LONG.splitlines()
    expected = ingest([write(tmp_path, "a.csv", LONG)]).table
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        again = ingest([write(tmp_path, "b.csv", "\n".join([head, *rows]) + "\n")]).table
        pd.testing.assert_frame_equal(again, expected)
    frame = pd.read_csv(tmp_path / "a.csv").iloc[:, ::-1]
    frame.to_csv(tmp_path / "c.csv", index=False)
    pd.testing.assert_frame_equal(ingest([tmp_path / "c.csv"]).table, expected)


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.csv.gz"])
def test_what_is_written_reads_back(tmp_path: Path, name: str) -> None:
    first = ingest([write(tmp_path, "a.csv", LONG)], out=tmp_path / name).table
    pd.testing.assert_frame_equal(ingest([tmp_path / name]).table, first)


def test_end_instead_of_start(tmp_path: Path) -> None:
    text = "meter,channel,end,minutes,energy_kwh\nm,import,2026-01-01T00:15:00Z,15,1\n"
    assert values(ingest([write(tmp_path, "a.csv", text)]).table)[0][2] == "2026-01-01T00:00"


def test_start_and_end_give_the_minutes(tmp_path: Path) -> None:
    text = "meter,channel,start,end,energy_kwh\nm,import,2026-01-01T00:00:00Z,2026-01-01T00:30:00Z,1\n"
    assert values(ingest([write(tmp_path, "a.csv", text)]).table)[0][3] == 30


def test_wide_form(tmp_path: Path) -> None:
    text = "start,m1:import,m1:export\n2026-01-01T00:00:00Z,1,0\n2026-01-01T00:15:00Z,,2\n"
    metered = ingest([write(tmp_path, "a.csv", text)])
    assert values(metered.table)[0] == ("m1", "import", "2026-01-01T00:00", 15, 1.0)
    assert list(metered.table["quality"]) == ["actual", "missing", "actual", "actual"]
    assert "minutes taken from the smallest step: 15" in metered.reports[0].notes


def test_semicolon_decimal_comma_bom_and_gzip(tmp_path: Path) -> None:
    text = "\ufeffmeter;channel;start;minutes;energy_kwh\r\nm;import;2026-01-01T00:00:00Z;15;0,125\r\n"
    metered = ingest([write(tmp_path, "a.csv.gz", gzip.compress(text.encode()))])
    assert values(metered.table)[0][4] == 0.125
    report = metered.reports[0]
    assert (report.encoding, report.delimiter, report.decimal) == ("UTF-8 with BOM", ";", ",")


def test_every_error_at_once_with_its_line(tmp_path: Path) -> None:
    rows = [
        "m,import,2026-01-01T00:00:00Z,15,-1,actual",
        "m,import,soon,15,1,actual",
        "m,sideways,2026-01-01T00:15:00Z,15,1,",
    ]
    rows += ["m,import,2026-01-01T00:30:00Z,15,many,actual", "m,import,2026-01-01T00:45:00Z,0,1,actual"]
    rows += ["m,import,2026-01-01T01:00:00Z,15,1,guessed", ",import,2026-01-01T01:15:00Z,15,1,actual"]
    text = "meter,channel,start,minutes,energy_kwh,quality\n" + "\n".join(rows) + "\n"
    found = refused(write(tmp_path, "a.csv", text))
    expected = ["negative", "not a time", "not known", "not a number", "not positive", "not known", "meter is empty"]
    assert [f"a.csv:{n}:" for n in range(2, 9)] == [problem.split(" ")[0] for problem in found]
    assert all(word in problem for word, problem in zip(expected, found, strict=True))
    kept = ingest([tmp_path / "a.csv"], keep_going=True)
    assert (kept.reports[0].rows_read, kept.reports[0].rows_used, kept.reports[0].rows_rejected) == (7, 0, 7)


def test_unknown_and_missing_columns(tmp_path: Path) -> None:
    found = refused(
        write(tmp_path, "a.csv", "meter,chanel,start,minutes,energy_kwh\nm,import,2026-01-01T00:00:00Z,15,1\n")
    )
    assert found == ["a.csv:1: unknown column (chanel); did you mean channel?"]
    text = "meter,start,energy_kwh,note,x_mine\nm,2026-01-01T00:00:00Z,1,a,b\n"
    assert len(refused(write(tmp_path, "b.csv", text))) == 2


def test_blank_lines_do_not_shift_line_numbers(tmp_path: Path) -> None:
    text = "meter,channel,start,minutes,energy_kwh\n\n\nm,import,2026-01-01T00:00:00Z,15,-1\n"
    assert refused(write(tmp_path, "a.csv", text))[0].startswith("a.csv:4:")


def test_an_empty_value_is_missing_not_zero(tmp_path: Path) -> None:
    text = "meter,channel,start,minutes,energy_kwh\nm,import,2026-01-01T00:00:00Z,15,\n"
    table = ingest([write(tmp_path, "a.csv", text)]).table
    assert np.isnan(table["energy_kwh"][0])
    assert table["quality"][0] == "missing"


def test_stamps_without_offset_ask_for_a_zone(tmp_path: Path) -> None:
    text = "meter,channel,start,minutes,energy_kwh\nm,import,2026-01-01T00:00:00,15,1\n"
    path = write(tmp_path, "a.csv", text)
    assert "stamps have no offset" in refused(path)[0]
    assert "no such time zone" in refused(path, timezone="Mars/Olympus")[0]
    assert values(ingest([path], timezone="Europe/Paris").table)[0][2] == "2025-12-31T23:00"


def test_meter_ids_are_masked_in_words(tmp_path: Path) -> None:
    text = "meter,channel,start,minutes,energy_kwh\n871234567890123456,import,2026-01-01T00:00:00Z,15,1\n"
    metered = ingest([write(tmp_path, "a.csv", text)])
    assert "871234567890123456" not in str(metered.reports[0])
    assert "456" in str(metered.reports[0])


@pytest.mark.parametrize("seed", range(30))
def test_damaged_files_never_raise_anything_else(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(LONG.encode() * 3)
    for _ in range(rng.randrange(1, 40)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path = write(tmp_path, "a.csv", bytes(data))
    str(ingest([path], timezone="Europe/Paris", keep_going=True).reports)
    str(ingest([write(tmp_path, "b", rng.randbytes(rng.randrange(500)))], keep_going=True).problems)
