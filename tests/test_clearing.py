"""The clear, end to end, on the small case: what must hold whatever the mode, the order of rows or the time."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

import planner


def shuffled(folder, seed: int = 3):
    """The same folder with the rows of every table in another order."""
    for path in sorted(folder.path.glob("*.csv")):
        header, *rows = path.read_text("utf-8").splitlines()
        random.Random(seed).shuffle(rows)
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    from case_folders import write_case

    return planner.read_case(write_case(tmp_path_factory.mktemp("clearing") / "case").path)


@pytest.fixture(scope="module")
def runs(small):
    """The small case cleared in both modes."""
    return {mode: planner.clear(small, mode=mode) for mode in ("decentralised", "monolith")}


@pytest.mark.parametrize("mode", ["decentralised", "monolith"])
def test_audit_finds_nothing(runs, mode):
    assert runs[mode].audit["violations"] == []
    assert {"C14", "C20", "C22", "S4", "S5"} <= set(runs[mode].audit["rules_checked"])
    unsaid = {"C29", "S3"} & set(runs[mode].audit["rules_not_checkable"])
    assert unsaid == ({"C29", "S3"} if mode == "monolith" else set()), "one problem: no word of cost without trade"


def test_a_limit_of_half_a_wh_is_the_same_to_clear_and_audit(small):
    """The feeder is full at a price, so half a Wh of it is worth something."""
    north = small.nodes["node"] == "north"
    tight = small.with_(nodes=small.nodes.assign(import_limit_kw=small.nodes["import_limit_kw"].mask(north, 2.0005)))
    run = planner.clear(tight)
    assert run.certificate["lost_opportunity_cost"]["network"] >= 0
    assert run.audit["violations"] == []


def test_bounds_enclose_the_monolith(runs):
    rounds, whole = runs["decentralised"].certificate, runs["monolith"].certificate
    slack = 1e-3
    assert rounds["bound"] <= whole["objective"] + slack
    assert whole["bound"] <= rounds["objective"] + slack
    assert rounds["gap_relative"] < 0.01
    assert whole["gap_relative"] <= 1e-3


def test_lost_opportunity_is_the_gap_at_the_published_prices(runs):
    certificate = runs["decentralised"].certificate
    lost = certificate["lost_opportunity_cost"]
    assert lost["total"] == pytest.approx(sum(v for k, v in lost.items() if k != "total"), abs=1e-9)
    assert lost["total"] >= certificate["gap_absolute"] - 1e-6


def test_no_trade_is_never_better(runs):
    assert all(run.certificate["savings"] >= -1e-6 for run in runs.values())


def test_every_ledger_sums_to_zero(runs):
    for run in runs.values():
        files = [run.folder / "market" / "settlement.csv", *run.folder.glob("buildings/*/settlement.csv")]
        for file in files:
            amounts = pd.read_csv(file, dtype=str)["amount"]
            nano = sum(round(float(a) * 1e9) for a in amounts)
            exact = sum(int(a.replace(".", "").replace("-", "") or 0) for a in amounts)
            assert exact > 0
            assert nano == 0, file


@pytest.mark.parametrize("mode", ["decentralised", "monolith"])
def test_row_order_changes_nothing(make_case, mode):
    one = planner.clear(make_case("one").read(), mode=mode)
    two = planner.clear(shuffled(make_case("two")).read(), mode=mode)
    assert one.certificate["output_sha256"] == two.certificate["output_sha256"]
    assert one.certificate["case_sha256"] == two.certificate["case_sha256"]


@pytest.mark.parametrize("mode", ["decentralised", "monolith"])
def test_no_time_still_leaves_an_answer(small, mode):
    run = planner.clear(small, mode=mode, time_limit=0.01)
    assert run.audit["violations"] == []
    assert np.isfinite(run.certificate["objective"])
    assert run.certificate["bound"] <= run.certificate["objective"] + 1e-9


def test_too_small_to_speak_is_dark(make_case):
    folder = make_case("dark")
    folder.swap("case.toml", 'preset = "lab"', 'preset = "exchange"')
    run = planner.clear(folder.read())
    assert run.certificate["groups_released"] == 0
    assert run.certificate["groups_dark"] == 2
    assert run.audit["violations"] == []
    assert not list((run.folder / "outbox").iterdir())


def test_limits_of_the_presets_are_refused_at_once(make_case):
    folder = make_case("strict").swap("case.toml", 'preset = "lab"', 'preset = "exchange"')
    with pytest.raises(planner.InvalidInput, match="monolith"):
        planner.clear(folder.read(), mode="monolith")
    with pytest.raises(planner.InvalidInput, match="price_of_locality"):
        planner.clear(folder.read(), price_of_locality=True)


def test_a_run_is_never_overwritten(small, tmp_path):
    planner.clear(small, tmp_path / "run")
    before = (tmp_path / "run" / "certificate.json").read_bytes()
    with pytest.raises(planner.InvalidInput, match="not empty"):
        planner.clear(small, tmp_path / "run")
    assert (tmp_path / "run" / "certificate.json").read_bytes() == before


def test_an_hour_without_coupling_is_a_piece_of_its_own(make_case):
    folder = make_case("pieces")
    for name in ("batteries.csv", "vehicles.csv", "appliances.csv", "flexible.csv", "generators.csv"):
        folder.remove(name)
    run = planner.clear(folder.read(), mode="monolith")
    assert len(run.certificate["pieces"]) == 24
    assert all(p["first_interval"] == p["last_interval"] for p in run.certificate["pieces"])


def test_localities_are_ordered(small):
    """Cost with fees: netting <= strict; without fees neither beats joint (formulation 2.2)."""
    runs = {
        name: planner.clear(small.with_(allocation={"locality": name}), mode="monolith", gap=1e-6)
        for name in ("joint", "netting", "strict")
    }
    cost = {name: run.certificate["objective"] for name, run in runs.items()}
    assert cost["netting"] <= cost["strict"] + 1e-3
    for name in ("netting", "strict"):
        q = runs[name].positions
        fee = (q["requested_kwh"] * 8.0).sum() / 1000
        assert cost[name] - fee >= cost["joint"] - 1e-3
