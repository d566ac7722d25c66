"""Green Button documents: links, channels, signs, registers and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.meters import Metered, ingest
from planner.problems import InvalidInput

T0 = 1_767_225_600


def kind(name: str, **codes: object) -> str:
    base = {"accumulationBehaviour": 4, "commodity": 1, "flowDirection": 1, "intervalLength": 900, "kind": 12}
    base |= {"powerOfTenMultiplier": 0, "uom": 72, **codes}
    leaves = "".join(f"<e:{key}>{value}</e:{key}>" for key, value in base.items())
    return entry(f"<e:ReadingType>{leaves}</e:ReadingType>", self=f"/ReadingType/{name}")


def entry(content: str, related: tuple[str, ...] = (), **links: str) -> str:
    shown = "".join(f'<link rel="{rel}" href="{href}"/>' for rel, href in links.items())
    shown += "".join(f'<link rel="related" href="{href}"/>' for href in related)
    return f"<entry>{shown}<content>{content}</content></entry>"


def reading(start: float, duration: object, value: object) -> str:
    period = f"<e:timePeriod><e:duration>{duration}</e:duration><e:start>{start}</e:start></e:timePeriod>"
    return f"<e:IntervalReading>{period}<e:value>{value}</e:value></e:IntervalReading>"


def block(series: str, values: list[object], duration: object = 900, start: float = T0) -> str:
    readings = "".join(reading(start + 900 * i, duration, value) for i, value in enumerate(values))
    day = f"<e:interval><e:duration>86400</e:duration><e:start>{T0}</e:start></e:interval>"
    return entry(f"<e:IntervalBlock>{day}{readings}</e:IntervalBlock>", up=f"{series}/IntervalBlock")


def series(name: str, values: list[object], **codes: object) -> str:
    href = f"/UsagePoint/HOUSE1/MeterReading/{name}"
    reading = entry("<e:MeterReading/>", (f"{href}/IntervalBlock", f"/ReadingType/{name}"), self=href)
    shape = {key: codes.pop(key) for key in ("duration", "start") if key in codes}
    return kind(name, **codes) + reading + block(href, values, **shape)  # type: ignore[arg-type]


def feed(*parts: str, before: str = "") -> str:
    spaces = 'xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi"'
    return f'<?xml version="1.0"?>{before}<feed {spaces}>{"".join(parts)}</feed>'


def read(tmp_path: Path, text: str, keep_going: bool = False, format: str | None = None) -> Metered:
    path = tmp_path / "a.xml"
    path.write_text(text)
    return ingest([path], keep_going=keep_going, format=format)


def found(metered: Metered) -> dict[str, int]:
    return {finding.what: finding.count for finding in metered.reports[0].findings}


def test_value_times_power_of_ten(tmp_path: Path) -> None:
    metered = read(tmp_path, feed(series("a", [1_500_000, 500_000], powerOfTenMultiplier=-3)))
    assert metered.table["energy_kwh"].tolist() == [1.5, 0.5]
    assert metered.table["minutes"].tolist() == [15, 15]
    assert str(metered.table["meter"][0]) == "HOUSE1"
    assert metered.table["start"][0].timestamp() == T0


def test_prefixes_do_not_matter(tmp_path: Path) -> None:
    text = feed(series("a", [1000])).replace("<e:", "<zz:").replace("</e:", "</zz:").replace("xmlns:e=", "xmlns:zz=")
    assert read(tmp_path, text).table["energy_kwh"].tolist() == [1.0]


def test_import_export_and_net_are_not_counted_twice(tmp_path: Path) -> None:
    parts = (
        series("a", [72630], flowDirection=1),
        series("b", [-40520], flowDirection=19),
        series("c", [32110], flowDirection=4),
    )
    metered = read(tmp_path, feed(*parts, series("d", [5], uom=38)))
    sums = metered.table.groupby("channel", observed=True)["energy_kwh"].sum().to_dict()
    assert sums == {"import": 72.63, "export": 40.52}
    assert found(metered) == {"sign": 1, "ignored": 1}
    assert any("net left out" in note for note in metered.reports[0].notes)


def test_export_written_positive_stays_positive(tmp_path: Path) -> None:
    metered = read(tmp_path, feed(series("b", [40, 0], flowDirection=19)))
    assert metered.table["energy_kwh"].tolist() == [0.04, 0.0]
    assert found(metered) == {}


def test_net_alone_keeps_its_sign(tmp_path: Path) -> None:
    metered = read(tmp_path, feed(series("c", [100, -200], flowDirection=4)))
    assert metered.table["energy_kwh"].tolist() == [0.1, -0.2]


def test_a_net_that_differs_is_found(tmp_path: Path) -> None:
    parts = series("a", [100], flowDirection=1), series("b", [40], flowDirection=19), series("c", [99], flowDirection=4)
    assert found(read(tmp_path, feed(*parts)))["net_differs"] == 1


def test_negative_import_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"a\.xml:1: energy_kwh is negative"):
        read(tmp_path, feed(series("a", [-1])))


def test_registers_gas_and_zero_durations_are_ignored(tmp_path: Path) -> None:
    parts = [series("a", [1000, 2000])]
    parts += [series("r", [54_000_000], accumulationBehaviour=1), series("g", [3], uom=169, commodity=7)]
    parts += [series("z", [7, 8], duration=0, start=T0 + 9000)]
    metered = read(tmp_path, feed(*parts))
    assert metered.table["energy_kwh"].sum() == 3.0
    assert found(metered)["zero_duration"] == 2
    assert [f.count for f in metered.reports[0].findings if f.what == "ignored"] == [1, 1]


def test_readings_without_usage_point_or_meter_reading(tmp_path: Path) -> None:
    text = feed(kind("a"), block("/somewhere/MeterReading/m7", [1000]))
    assert str(read(tmp_path, text).table["meter"][0]) == "m7"


def test_the_duration_of_the_reading_counts(tmp_path: Path) -> None:
    metered = read(tmp_path, feed(series("a", [1000, 1000], intervalLength=3600)))
    assert metered.table["minutes"].tolist() == [15, 15]
    assert found(metered)["interval_length"] == 2


def test_fractional_starts(tmp_path: Path) -> None:
    metered = read(tmp_path, feed(series("a", [1000], start=T0 + 0.66)))
    assert metered.table["start"][0].timestamp() == T0
    assert any("fractions" in note for note in metered.reports[0].notes)


LOCAL = entry("<e:LocalTimeParameters><e:tzOffset>-21600</e:tzOffset></e:LocalTimeParameters>", self="/L/1")


def test_local_epochs_are_hinted_at_but_only_shifted_when_asked(tmp_path: Path) -> None:
    text = feed(LOCAL, series("a", [1000]))
    plain = read(tmp_path, text)
    assert plain.table["start"][0].timestamp() == T0
    assert any("epoch=local" in note for note in plain.reports[0].notes)
    assert read(tmp_path, text, format="green_button:epoch=local").table["start"][0].timestamp() == T0 + 21600
    with pytest.raises(InvalidInput, match="epoch is not known"):
        read(tmp_path, text, format="green_button:epoch=maybe")
    with pytest.raises(InvalidInput, match="tzOffset"):
        read(tmp_path, feed(series("a", [1])), format="green_button:epoch=local")


@pytest.mark.parametrize(
    "before",
    ["<!DOCTYPE feed>", '<!DOCTYPE f [<!ENTITY x "boom">]>', '<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]>'],
)
def test_dtds_and_entities_are_refused(tmp_path: Path, before: str) -> None:
    with pytest.raises(InvalidInput, match=r"a\.xml:1: declares a DTD or entities"):
        read(tmp_path, feed(series("a", [1]), before=before))


def test_broken_xml_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"a\.xml:2: not well-formed XML"):
        read(tmp_path, feed(series("a", [1])).replace("<entry>", "\n<entry>", 1)[:-30])


@pytest.mark.parametrize("value", ["", "many", "1e999", "nan"])
def test_unusable_readings_are_rejected_with_a_line(tmp_path: Path, value: str) -> None:
    metered = read(tmp_path, feed(series("a", [1000, value])), keep_going=True)
    assert len(metered.table) == 1
    assert [problem.line for problem in metered.problems] == [1]
