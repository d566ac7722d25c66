"""Published prices to grid.csv: ENTSO-E documents with whole and with shortened curves, and plain CSV."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from planner import cli
from planner.prices import COLUMNS, read_prices
from planner.problems import InvalidInput

XMLNS = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<Publication_MarketDocument xmlns="{XMLNS}">'
SERIES = """<TimeSeries><in_Domain.mRID codingScheme="A01">10Y-EXAMPLE-ZONE</in_Domain.mRID>
<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>
<curveType>{curve}</curveType><Period><timeInterval><start>2026-10-24T22:00Z</start><end>2026-10-25T{end}Z</end></timeInterval>
<resolution>{resolution}</resolution>{points}</Period></TimeSeries>"""


def document(prices: dict[int, float], curve: str = "A01", end: str = "02:00", resolution: str = "PT60M") -> str:
    points = "".join(
        f"<Point><position>{n}</position><price.amount>{p}</price.amount></Point>" for n, p in prices.items()
    )
    series = SERIES.format(curve=curve, end=end, resolution=resolution, points=points)
    return f"{HEAD}{series}</Publication_MarketDocument>"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.xml"


def refused(file: Path, text: str, words: str, **options: object) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=words):
        read_prices(file, **options)  # type: ignore[arg-type]


def test_a_whole_curve(file: Path) -> None:
    file.write_text(document({1: 50.5, 2: -3, 3: 0, 4: 70}))
    found = read_prices(file, timezone="Europe/Stockholm")
    assert tuple(found.columns) == COLUMNS
    assert list(found["zone"].unique()) == ["10Y-EXAMPLE-ZONE"]
    assert list(found["import_price_per_mwh"]) == list(found["export_price_per_mwh"]) == [50.5, -3, 0, 70]
    assert [start.isoformat() for start in found["start"]] == [
        "2026-10-25T00:00:00+02:00",
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]


def test_a_shortened_curve_repeats_the_point_before_to_the_end(file: Path) -> None:
    file.write_text(document({1: 50, 3: 70}, curve="A03"))
    assert list(read_prices(file)["import_price_per_mwh"]) == [50, 50, 70, 70]


def test_a_missing_point_of_a_whole_curve_is_refused(file: Path) -> None:
    refused(file, document({1: 50, 3: 70, 4: 70}), "4 intervals has 3 points")


def test_hours_become_quarters(file: Path) -> None:
    file.write_text(document({1: 50, 2: 60, 3: 70, 4: 80}))
    found = read_prices(file, "city", 15)
    assert list(found["zone"].unique()) == ["city"]
    assert list(found["import_price_per_mwh"]) == [price for price in (50, 60, 70, 80) for _ in range(4)]
    assert found["start"].diff().dropna().eq(pd.Timedelta(minutes=15)).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<a/>", "no price document"),
        ("<a", "is not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
        (f"{HEAD}</Publication_MarketDocument>", "no TimeSeries"),
        (document({1: 50, 2: 60}, end="00:00").replace(">MWH<", ">KWH<"), "not MWH"),
        (document({1: 50, 2: 60}, end="00:00", resolution="P1M"), "unknown resolution"),
        (document({1: 50, 2: 60}, end="00:00").replace(">60<", ">sixty<"), "not a number"),
        (document({0: 50, 1: 60}, end="00:00"), "2 intervals has 2 points"),
    ],
)
def test_documents_that_are_refused(file: Path, text: str, words: str) -> None:
    refused(file, text, words)


def test_series_may_repeat_but_not_contradict_each_other(file: Path) -> None:
    one = document({1: 50, 2: 60}, end="00:00")
    series = one.removeprefix(HEAD).removesuffix("</Publication_MarketDocument>")
    file.write_text(f"{HEAD}{series}{series}</Publication_MarketDocument>")
    assert len(read_prices(file)) == 2
    refused(file, f"{HEAD}{series}{series.replace('>60<', '>61<')}</Publication_MarketDocument>", "two prices")


def test_plain_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("start,price_eur_mwh\n2026-10-25T00:30+02:00,2.5\n2026-10-25T00:00+02:00,1\n")
    found = read_prices(path, "city")
    assert list(found["import_price_per_mwh"]) == [1, 2.5]
    refused(path, "start,price\n2026-10-25 00:00,1\n2026-10-25 01:00,1\n", "without offset")
    refused(path, "when,price\n1,1\n", "needs a column start")
    refused(path, "", "needs a column start")
    refused(path, "start,price\n2026-10-25T00:00Z,1\n2026-10-25T02:00Z,1\n", "15, 30 or 60")


def test_the_command(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(document({1: 50, 2: 60, 3: 70, 4: 80}))
    out = tmp_path / "grid.csv"
    assert cli.run(["prices", str(file), "--zone", "city", "-o", str(out)]) == 0
    assert out.read_text().splitlines()[1] == "city,2026-10-24T22:00:00+00:00,50.0,50.0"
    for options in (["--interval-minutes", "7"], ["--timezone", "Nowhere/Land"]):
        assert cli.run(["prices", str(file), "-o", str(tmp_path / "x.csv"), *options]) == 2
    assert cli.run(["prices", str(tmp_path / "absent.xml"), "-o", str(tmp_path / "x.csv")]) == 2
    assert not (tmp_path / "x.csv").exists()


def test_two_prices_of_one_start_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("start,price\n2026-10-25T00:00:00Z,50\n2026-10-25T01:00:00Z,51\n2026-10-25T02:00:00+01:00,52\n")
    with pytest.raises(InvalidInput, match="two prices for one start"):
        read_prices(path, "city")
