"""Nomination, setpoints and sharing keys, from a run written by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planner.export import _shares, export, nomination, setpoints, sharing_keys, table_text, write_table
from planner.ledger import Run

STARTS = [f"2026-10-25T{hour}:00{offset}" for hour, offset in (("02", "+02:00"), ("02", "+01:00"), ("03", "+01:00"))]
EXCHANGE = "zone,interval,start,import_kwh,export_kwh,import_price_per_mwh,export_price_per_mwh,supply_kwh\n"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two zones, three hours across the change of the clocks, two buildings with three units."""
    root = tmp_path / "run"
    put(root / "market/case/case.toml", 'timezone = "Europe/Stockholm"\ninterval_minutes = 60\n')
    rows = [("north", 0, 1500.5), ("north", 1, 0), ("north", 2, 20), ("east", 0, 0), ("east", 1, -250), ("east", 2, 0)]
    lines = [f"{z},{t + 1},{STARTS[t]},{max(kwh, 0)},{max(-kwh, 0)},90,60,0" for z, t, kwh in rows]
    put(root / "market/exchange.csv", EXCHANGE + "\n".join(lines) + "\n")
    units = {"b1": ("north", {"a": (1, 0, 2), "b": (2, 0, 1)}), "b2": ("north", {"c": (3, 0, 0)})}
    for building, (zone, allocated) in units.items():
        folder = root / "buildings" / building
        put(folder / "answer.json", json.dumps({"zone": zone}))
        cells = [f"{u},{t + 1},{STARTS[t]},{kwh}" for u, row in allocated.items() for t, kwh in enumerate(row)]
        put(folder / "units.csv", "unit,interval,start,allocation_kwh\n" + "\n".join(cells) + "\n")
    put(root / "buildings/b1/case/loads.csv", "load,node,curtailable_ratio\nfixed,a,0\nplain,a,\nsoft,b,0.2\n")
    frame = pd.DataFrame({"asset": ["soft", "fixed", "plain", "cell"], "unit": "a", "interval": 1, "power_kw": 1.5})
    frame["start"] = pd.Timestamp(STARTS[0])
    frame.to_parquet(root / "buildings/b1/dispatch.parquet", index=False)
    return Run(root)


def test_nomination_is_mean_power_by_zone(run: Run) -> None:
    text = table_text(nomination(run)).splitlines()
    assert text == [
        "zone,start,end,net_import_mw",
        "east,2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,0.0",
        "east,2026-10-25T02:00:00+01:00,2026-10-25T03:00:00+01:00,-0.25",
        "east,2026-10-25T03:00:00+01:00,2026-10-25T04:00:00+01:00,0.0",
        "north,2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,1.5005",
        "north,2026-10-25T02:00:00+01:00,2026-10-25T03:00:00+01:00,0.0",
        "north,2026-10-25T03:00:00+01:00,2026-10-25T04:00:00+01:00,0.02",
    ]


def test_quarter_hours_make_four_times_the_power(run: Run) -> None:
    toml = run.folder / "market/case/case.toml"
    toml.write_text(toml.read_text().replace("60", "15"))
    assert nomination(run)["net_import_mw"].iloc[3] == 6.002


def test_setpoints_leave_out_what_nobody_can_set(run: Run) -> None:
    found = setpoints(run)
    assert list(found.columns) == ["asset", "start", "power_kw"]
    assert list(found["asset"]) == ["cell", "soft"]


def test_sharing_keys_sum_to_one_in_a_zone(run: Run) -> None:
    found = sharing_keys(run)
    assert list(found.columns) == ["unit", "start", "share_ratio"]
    table = found.pivot(index="unit", columns="start", values="share_ratio").to_numpy()
    assert table == pytest.approx(np.array([[1 / 6, 0, 2 / 3], [1 / 3, 0, 1 / 3], [1 / 2, 0, 0]]), abs=1e-6)
    assert [sum(round(share * 1_000_000) for share in column) for column in table.T] == [1_000_000, 0, 1_000_000]


def test_shares_never_lose_a_millionth() -> None:
    rng = np.random.default_rng(1)
    shares = _shares(rng.random((37, 200)))
    assert (np.round(shares * 1_000_000).sum(axis=0) == 1_000_000).all()
    assert (_shares(np.ones((3, 1))) == [[0.333334], [0.333333], [0.333333]]).all()


def test_a_run_without_buildings_has_empty_tables(run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(run.folder / "buildings")
    written = export(run, tmp_path / "out")
    assert [path.name for path in written] == ["nomination.csv", "setpoints.csv", "sharing_keys.csv"]
    assert written[1].read_text() == "asset,start,power_kw\n"
    assert written[2].read_text() == "unit,start,share_ratio\n"


def test_tables_are_written_by_their_ending(tmp_path: Path) -> None:
    table = pd.DataFrame({"start": pd.to_datetime(STARTS, utc=True), "kwh": [1.0, 2.0, 3.0]})
    write_table(table, tmp_path / "new" / "t.csv.gz")
    assert gzip.decompress((tmp_path / "new" / "t.csv.gz").read_bytes()).decode() == table_text(table)
    write_table(table, tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["kwh"].sum() == 6
    with pytest.raises(ValueError, match="unknown ending"):
        write_table(table, tmp_path / "t.xlsx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "t.parquet"]
