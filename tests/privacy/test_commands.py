"""planner privacy check, calibrate, report, attack; and the same day cleared twice."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from pathlib import Path

import numpy as np
import pytest

import planner
from planner.cli import run as command
from planner.ledger import Run, read_run
from planner.privacy import page
from planner.privacy.profiles import Profiles
from planner.privacy.trial import HELP
from planner.security.gate import Step
from planner.security.releases import ReleaseLedger

Capture = pytest.CaptureFixture[str]
LEDGER = "city-50x24.releases.sqlite"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of two buildings of 25 units, and below runs/ one clear of it."""
    root = tmp_path_factory.mktemp("town")
    planner.generate(root / "case", 50, 25)
    text = (root / "case" / "case.toml").read_text("utf-8")
    (root / "case" / "case.toml").write_text(re.sub(r"max_rounds = \d+", "max_rounds = 4", text), "utf-8")
    planner.clear(planner.read_case(root / "case"), root / "runs" / "first", gap=0.05)
    return root


def said(out: Capture) -> dict:
    return json.loads(out.readouterr().out)


def released(run: Run) -> dict[str, str]:
    """Group -> why it said nothing, '' if it spoke."""
    groups = json.loads((run.folder / "privacy.json").read_text("utf-8"))["groups"]
    return {group["group"]: group.get("silent_because", "") for group in groups}


def test_the_ledger_lies_beside_the_runs(town: Path) -> None:
    ledger = ReleaseLedger.copy_of(town / "runs" / LEDGER)
    spoke = {name for name, why in released(read_run(town / "runs" / "first")).items() if not why}
    assert spoke
    assert {spoken.group for spoken in ledger.all()} == spoke
    assert (town / "runs" / LEDGER).stat().st_mode & 0o077 == 0


def test_the_same_day_and_input_again_is_the_same_release(town: Path) -> None:
    before = len(ReleaseLedger.copy_of(town / "runs" / LEDGER).all())
    again = planner.clear(planner.read_case(town / "case"), town / "runs" / "again", gap=0.05)
    first = read_run(town / "runs" / "first")
    assert again.certificate["output_sha256"] == first.certificate["output_sha256"]
    assert len(ReleaseLedger.copy_of(town / "runs" / LEDGER).all()) == before
    assert "R9" in again.audit["rules_checked"]
    assert again.audit["violations"] == []


def test_one_unit_changed_keeps_its_building_silent_and_says_so(town: Path, tmp_path: Path, capsys: Capture) -> None:
    """The second clear, less the first, would be that unit; with a ledger of its own it is a rehearsal."""
    spoke = {name for name, why in released(read_run(town / "runs" / "first")).items() if not why}
    case = tmp_path / "case"
    (case).mkdir()
    for path in (town / "case").iterdir():
        (case / path.name).write_bytes(path.read_bytes())
    rows = list(csv.DictReader((case / "batteries.csv").open(newline="", encoding="utf-8")))
    changed = next(row for row in rows if row["node"].split("-")[0] in spoke)
    changed["energy_kwh"] = str(float(changed["energy_kwh"]) * 2)
    with (case / "batteries.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    building = changed["node"].split("-")[0]
    command(["clear", str(case), "-o", str(town / "runs" / "second"), "--gap", "0.05"])
    noted = capsys.readouterr().err
    assert released(read_run(town / "runs" / "second"))[building] == "too few occupants changed since an earlier answer"
    assert building in noted
    assert "--ledger" in noted
    fresh = tmp_path / "fresh.sqlite"
    command(["clear", str(case), "-o", str(town / "runs" / "third"), "--gap", "0.05", "--ledger", str(fresh)])
    assert released(read_run(town / "runs" / "third"))[building] == ""


def test_check_of_a_case_and_of_a_run(town: Path, capsys: Capture) -> None:
    ledger = town / "runs" / LEDGER
    before = ledger.read_bytes()
    assert command(["privacy", "check", str(town / "case"), "--ledger", str(ledger), "--json"]) == 0
    of_case = said(capsys)
    assert {v["what"] for v in of_case["verdicts"] if v["what"]} == {"at the import price", "at the export price"}
    assert all(v["occupants"] and v["contract_share_ppm"] for v in of_case["verdicts"])
    assert command(["privacy", "check", str(town / "runs" / "first"), "--json"]) == 0
    of_run = said(capsys)
    spoke = {name for name, why in released(read_run(town / "runs" / "first")).items() if not why}
    assert {v["group"] for v in of_run["verdicts"] if v["released"]} >= spoke
    assert ledger.read_bytes() == before
    assert command(["privacy", "check", str(town / "runs" / "first"), "--preset", "strict"]) == 0
    told = capsys.readouterr().out
    assert "nothing left, nothing was remembered" in told
    assert HELP[Step.SIZE] not in told
    assert HELP[Step.ACTIVE] in told or HELP[Step.CONCENTRATION] in told or HELP[Step.INSIDER] in told
    assert set(HELP) == set(Step)
    assert command(["privacy", "check", str(town / "case"), "--preset", "lab"]) == 2
    assert "no preset with a gate" in capsys.readouterr().err


def test_calibrate_tells_the_rules_apart(town: Path, capsys: Capture) -> None:
    """The weakest rule loses nothing, the strictest everything."""
    assert command(["privacy", "calibrate", str(town / "case"), "--gap", "0.05", "--json"]) == 0
    rules = {rule["rule"]: rule for rule in said(capsys)["rules"]}
    assert list(rules)[:5] == ["15/15", "6/40", "4/80", "k5/p10", "k15/p25"]
    assert rules["4/80"]["surplus_lost"] <= rules["6/40"]["surplus_lost"]
    assert rules["k5/p10"]["surplus_lost"] <= rules["preset exchange"]["surplus_lost"]
    assert rules["preset exchange"]["surplus_lost"] <= rules["preset strict"]["surplus_lost"]
    assert all(rule["groups"] + rule["dark"] == 2 for rule in rules.values())


def test_report(town: Path, capsys: Capture) -> None:
    run = town / "runs" / "first"
    assert command(["privacy", "report", str(run)]) == 0
    assert "Who can read it" in capsys.readouterr().out
    assert command(["privacy", "report", str(run), "--outside", "--json"]) == 0
    assert "stamp" not in said(capsys)
    assert command(["privacy", "report", str(town / "case")]) == 2
    capsys.readouterr()
    assert command(["privacy", "report", str(run), "--case", str(town / "case")]) == 2
    assert "has no meters" in capsys.readouterr().err
    assert command(["privacy", "report", str(run), "--outside", "--case", str(town / "case")]) == 2
    assert "inside version alone" in capsys.readouterr().err


def test_report_measures_leavers_in_groups_of_todays_sizes(town: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, case = read_run(town / "runs" / "first"), planner.read_case(town / "case")
    dates = tuple(dt.date(2026, 6, 1) + dt.timedelta(days=k) for k in range(12))
    use = np.random.default_rng(1).integers(0, 2000, (30, 12, 24))
    profiles = Profiles(tuple(f"u{i}" for i in range(30)), dates, np.zeros(12, dtype=np.int64), use)
    monkeypatch.setattr(page, "metered_days", lambda case: profiles)
    told = page.report(run, case=case)
    sizes = {group["occupants"] for group in told["groups"] if group.get("occupants")}
    assert {one["size"] for one in told["leavers"]} == sizes
    assert f"1 of {min(sizes)} leaving together: skill" in page.page(told)


def test_attack_needs_history(town: Path, capsys: Capture) -> None:
    assert command(["privacy", "attack", str(town / "case")]) == 2
    assert "has no meters" in capsys.readouterr().err
