"""What one clear may be asked for beyond its case, on a small synthetic city, end to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from case_folders import ROOT
from faulty import Faulty

import planner
import planner.desk
from planner.fleet import InProcess
from planner.generate import generate
from planner.problems import InvalidInput
from planner.wishes import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three buildings with eight units each, nothing hidden from anybody."""
    return generate(tmp_path_factory.mktemp("cases") / "lab", 24, 8, seed=3, preset="lab")


@pytest.fixture(scope="module")
def plain(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> planner.ledger.Run:
    return planner.clear(planner.read_case(folder), tmp_path_factory.mktemp("runs") / "plain", gap=0.01)


@pytest.mark.parametrize(
    ("now", "asked", "left"),
    [
        ("2026-03-02T10:15:00+00:00", "11:45", 1800),
        ("2026-03-02T10:45:00+00:00", "11:45", 0),
        ("2026-03-02T10:50:00+00:00", "11:45", -300),
        ("2026-03-02T22:50:00+00:00", "00:10", 1200),
        ("2026-10-24T21:30:00+00:00", "03:30", 5 * 3600),  # the night has an hour more
    ],
)
def test_a_deadline_is_the_nearest_one_by_the_citys_clock(now: str, asked: str, left: float) -> None:
    assert until(asked, "Europe/Stockholm", datetime.fromisoformat(now)) == left


@pytest.mark.parametrize("text", ["24:00", "9:00", "noon", ""])
def test_a_deadline_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no time of day"):
        until(text, "UTC", datetime.now(UTC))


def test_a_deadline_that_has_passed_leaves_no_trade_and_its_gap(folder: Path, tmp_path: Path) -> None:
    """There is no time for a round or a commitment: the run is there all the same, with a proof."""
    case = planner.read_case(folder)
    now = datetime.now(ZoneInfo(case.settings.timezone))
    run = planner.clear(case, tmp_path / "run", deadline=f"{now:%H:%M}")
    found = run.certificate
    assert run.audit["violations"] == []
    assert found["savings"] == pytest.approx(0.0, abs=0.5)
    assert found["gap_relative"] > 0.01
    assert found["bound"] <= found["objective"]


def test_without_a_node_its_units_are_dark_and_the_others_clear(folder: Path, tmp_path: Path) -> None:
    run = planner.clear(planner.read_case(folder), tmp_path / "run", gap=0.01, without=["b02"])
    assert run.audit["violations"] == []
    assert run.certificate["without"] == ["b02"]
    assert (run.certificate["groups_released"], run.certificate["groups_dark"]) == (2, 1)


@pytest.mark.parametrize(("node", "what"), [("nowhere", "is no node"), ("b01-u01", "is a unit")])
def test_without_what_is_none_or_a_unit_is_refused(folder: Path, node: str, what: str) -> None:
    case = planner.read_case(folder)
    if node != "nowhere":
        node = str(case.nodes.loc[case.nodes["kind"] == "unit", "node"].iloc[0])
    with pytest.raises(InvalidInput, match=what):
        planner.clear(case, without=[node])


def test_a_warm_start_begins_with_the_prices_of_the_run(
    folder: Path, plain: planner.ledger.Run, tmp_path: Path
) -> None:
    run = planner.clear(planner.read_case(folder), tmp_path / "run", gap=0.01, warm=plain.folder)
    assert run.audit["violations"] == []
    rounds = run._table("market/rounds.csv")
    first = rounds[rounds["round"] == 1]
    assert set(first["kind"]) == {"price"}
    asked = first[first["group"] == "b01"].sort_values("interval")["price_per_mwh"].to_numpy(dtype=float)
    zone = plain.prices["price_per_mwh"].to_numpy(dtype=float)
    assert np.allclose(asked[: len(zone)], zone, atol=1e-6)
    assert run.certificate["rounds"] <= plain.certificate["rounds"]


def test_sums_need_five_groups_at_one_node(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="needs 5 groups at one node of the network"):
        planner.clear(planner.read_case(folder), disclosure="sum")
    with pytest.raises(InvalidInput, match="is no disclosure"):
        planner.clear(planner.read_case(folder), disclosure="all")


def test_groups_of_one_node_speak_together(tmp_path: Path) -> None:
    """Five buildings, one column: the marketplace hears one position, every building has its own statement."""
    folder = generate(tmp_path / "five", 20, 4, seed=5, preset="lab")
    run = planner.clear(planner.read_case(folder), tmp_path / "run", gap=0.02, disclosure="sum")
    assert run.audit["violations"] == []
    assert run.certificate["groups_released"] == 1
    assert set(run.positions["group"]) == {next(iter(set(run.positions["group"])))}
    assert len(run.buildings) == 5
    assert run.certificate["bound"] <= run.certificate["objective"] + 1e-9


@pytest.mark.parametrize(("kind", "at"), [("dies", 2), ("late", 5), ("nan", 1), ("no papers", 8)])
def test_a_run_with_a_failed_gateway_is_audited_clean(
    kind: str, at: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = [0.0]

    def frail(gateways: list) -> InProcess:
        bad = [Faulty(g, kind if i == 1 else "none", at if i == 1 else 10**9, watch) for i, g in enumerate(gateways)]
        return InProcess(bad, patience_s=50.0, clock=lambda: watch[0])

    monkeypatch.setattr(planner.desk, "Frank", frail)
    run = planner.clear(planner.read_case(folder), tmp_path / "run", gap=0.01)
    assert run.audit["violations"] == []
    assert list(run.certificate["faults"]) == ["b02"]
    assert (run.certificate["groups_released"], run.certificate["groups_dark"]) == (2, 1)
    assert len(run.statements[run.statements["building"] == "b02"])


def test_a_marketplace_that_is_killed_goes_on(folder: Path, tmp_path: Path) -> None:
    """kill -9 between rounds; the same command gives the same digest, and nothing of the log is left."""
    command = [sys.executable, "-c", "from planner.cli import main; main()", "clear", str(folder), "--gap", "0.01"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    subprocess.run([*command, "-o", str(whole)], cwd=ROOT, capture_output=True, check=False)
    first = subprocess.Popen([*command, "-o", str(out)], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    log = tmp_path / "out.partial" / "rounds.jsonl"
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s and (not log.exists() or log.read_bytes().count(b"\n") < 4):
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert log.exists()
    assert not out.exists()
    again = subprocess.run([*command, "-o", str(out)], cwd=ROOT, capture_output=True, check=False, text=True)
    assert "gone on from a clear that was cut off after" in again.stdout
    one, other = (json.loads((p / "certificate.json").read_text()) for p in (whole, out))
    assert one["output_sha256"] == other["output_sha256"]
    assert not list(out.rglob("rounds.jsonl"))
    assert not log.parent.exists()
