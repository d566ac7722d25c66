"""The run folder: whole or not at all, the same bytes twice, read back as it was meant, self-contained."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hand_made_run import hand_made

from planner import read_case
from planner.case import Case
from planner.cleared import Cleared
from planner.ledger import add_file, blocks, output_sha256, read_run, write_run
from planner.ledger.folder import MARKER
from planner.money import from_text
from planner.preparation import prepare
from planner.problems import InvalidInput
from planner.settlement import LedgerNotBalancedError, settle
from planner_models.words import City

World = tuple[Case, City, Cleared]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return hand_made(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(world, tmp_path_factory.mktemp("runs") / "RUN")


def write(world: World, out: Path, *, force: bool = False) -> Path:
    case, city, cleared = world
    envelopes = {"b1": [b'{"payload":"1"}', b'{"payload":"2"}\n']}
    return write_run(
        out, cleared, settle(cleared, case), case, city, envelopes=envelopes, privacy={"n": 1}, force=force
    )


def tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_tree_is_the_contracts(run: Path) -> None:
    names = set(tree(run))
    market = "prices flows acceptances positions rounds offers settlement exchange groups".split()  # noqa: SIM905
    home = "trades.csv dispatch.parquet settlement.csv statements.csv units.csv position.csv answer.json".split()  # noqa: SIM905
    expected = {"certificate.json", "privacy.json", "outbox/b1.jsonl", *(f"market/{name}.csv" for name in market)}
    expected |= {f"buildings/{b}/{name}" for b in ("b1", "b2") for name in home}
    assert expected <= names
    assert not (run / MARKER).exists()
    assert {"market/look_ahead/prices.csv", "buildings/b1/look_ahead/dispatch.parquet"} <= names
    assert (run / "outbox/b1.jsonl").read_bytes() == b'{"payload":"1"}\n{"payload":"2"}\n'


def test_a_buildings_folder_is_nobody_elses(run: Path) -> None:
    for path in (run / "buildings", *(run / "buildings").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_same_clear_gives_the_same_bytes(world: World, run: Path, tmp_path: Path) -> None:
    case, city, cleared = world
    turned = replace(cleared, buildings=tuple(replace(b, units=b.units[::-1]) for b in reversed(cleared.buildings)))
    again = write((case, city, turned), tmp_path / "again")
    assert tree(again) == tree(run)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a large city: one building a block, in two processes."""
    monkeypatch.setattr(blocks, "LARGE", 1)
    monkeypatch.setattr(blocks, "cores", lambda: 2)
    monkeypatch.setattr(blocks, "part_size", lambda things, processes, most: 1)


@pytest.mark.usefixtures("beside")
def test_processes_write_the_same_bytes(world: World, run: Path, tmp_path: Path) -> None:
    again = write(world, tmp_path / "again")
    assert tree(again) == tree(run)
    test_a_buildings_folder_is_nobody_elses(again)


@pytest.mark.usefixtures("beside")
def test_a_ledger_that_does_not_close_beside_leaves_no_run(world: World, tmp_path: Path) -> None:
    """A unit of the first building, which is written beside, is there twice."""
    case, city, cleared = world
    settled = settle(cleared, case)
    first, *others = sorted(cleared.buildings, key=lambda b: b.building)
    wrong = replace(cleared, buildings=(replace(first, units=first.units[:1] * 2), *others))
    with pytest.raises(LedgerNotBalancedError):
        write_run(tmp_path / "out", wrong, settled, case, city)
    assert not (tmp_path / "out").exists()


def test_the_fingerprint_is_of_the_payload_alone(run: Path, world: World, tmp_path: Path) -> None:
    told = json.loads((run / "certificate.json").read_text())
    assert told["output_sha256"] == output_sha256(run)
    again = write(world, tmp_path / "again")
    (again / "outbox/b1.jsonl").write_text("other\n")
    (again / "market/case/nodes.csv").write_text("other\n")
    assert output_sha256(again) == told["output_sha256"]
    path = again / "market/prices.csv"
    path.write_text(path.read_text().replace("61", "62", 1))
    assert output_sha256(again) != told["output_sha256"]


def test_the_certificate_has_every_field(run: Path, world: World) -> None:
    told = read_run(run).certificate
    assert (told["delivery_date"], told["intervals"], told["units"], told["buildings"]) == ("2026-10-25", 25, 4, 2)
    assert told["case_sha256"] == world[0].sha256
    assert (told["status"], told["wall_s"], told["bound"]) == ("optimal", 0.25, None)
    assert (told["groups_released"], told["groups_dark"], told["version"]) == (2, 0, 1)


def test_files_carry_exact_money_and_local_starts(run: Path, world: World) -> None:
    case, _, cleared = world
    written = pd.read_csv(run / "buildings/b1/settlement.csv", dtype=str)
    meant = settle(cleared, case).buildings["b1"].settlement
    assert from_text(written["amount"], 9).tolist() == meant["amount_nano"].tolist()
    assert from_text(written["energy_kwh"], 3).tolist() == meant["energy_wh"].tolist()
    assert "grid_use" in set(written["line"])
    starts = pd.read_csv(run / "market/prices.csv", dtype=str)["start"]
    assert [starts[i] for i in (0, 2, 3)] == [f"2026-10-25T0{h}:00:00+0{o}:00" for h, o in ((0, 2), (2, 2), (2, 1))]


def test_a_run_reads_itself(run: Path) -> None:
    read = read_run(run)
    assert len(read.prices) == 25
    assert read.prices["price_per_mwh"].iloc[0] == 61
    assert read.prices["price_high"].isna().all()
    assert set(read.positions["group"]) == {"b1", "b2"}
    assert set(read.settlement["ledger"]) == {"market", "b1", "b2"}
    assert read.settlement["amount"].sum() == pytest.approx(0, abs=1e-9)
    assert {"building", "seller", "buyer"} <= set(read.trades.columns)
    assert read.statements.groupby("unit")["amount"].sum().lt(0).any()
    energy = read.dispatch.groupby("building")["energy_kwh"].sum()
    used = read.units.groupby("building")["use_kwh"].sum()
    assert energy["b1"] == pytest.approx(used["b1"])
    assert read.acceptances[["order_id", "row", "ratio"]].values.tolist() == [["s1", 1, 1.0], ["d1", 2, 1.0]]
    assert read.audit == {}
    add_file(run, "audit.json", '{"violations": []}')
    assert read_run(run).audit == {"violations": []}
    assert "not audited" in read._repr_html_() or "violations" in read._repr_html_()
    figure = read.plot()
    above, below = figure.axes
    figure.draw_without_rendering()
    first, *_, last = above.lines[0].get_xdata()
    assert last - first == pd.Timedelta(hours=25), "the last hour is drawn as well"
    ticks = below.get_xticklabels()
    assert ticks[0].get_text() == "00:00", "by the clock of the case"


def test_a_buildings_case_is_the_building_again(run: Path, world: World) -> None:
    _, city, _ = world
    for building in city.buildings:
        own = prepare(read_case(run / "buildings" / building.id / "case"), None)
        assert own.grid == city.grid
        again = next(b for b in own.buildings if b.id == building.id)
        assert replace(again, feeders=building.feeders) == building
        assert not own.exchanges, "prices of the outside are the marketplace's"
        assert not own.remainders


def test_a_buildings_case_holds_nothing_of_its_neighbours(run: Path) -> None:
    text = "\n".join(content.decode() for name, content in tree(run / "buildings/b2/case").items())
    assert "b1" not in text
    assert "EAN1" not in text


def test_the_markets_case_holds_the_market_and_no_unit(run: Path, world: World) -> None:
    _, city, _ = world
    folder = run / "market/case"
    text = "\n".join(content.decode() for content in tree(folder).values())
    assert "EAN" not in text
    assert "b1.a" not in text
    assert "o1" not in text
    case = read_case(folder)
    assert case.allocations.groupby("node")["energy_kwh"].sum().to_dict() == {"b1": 27 * 6, "b2": 27 * 2}
    again = prepare(case, None)
    assert (again.exchanges, again.remainders, again.steps) == (city.exchanges, city.remainders, city.steps)
    assert [(f.id, f.import_limit_kwh) for f in again.feeders] == [(f.id, f.import_limit_kwh) for f in city.feeders]


def test_a_taken_folder_is_refused_and_only_a_run_is_replaced(world: World, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    for force in (False, True):
        with pytest.raises(InvalidInput, match="another folder"):
            write(world, mine, force=force)
    assert (mine / "letter.txt").read_text() == "dear"
    out = write(world, tmp_path / "out")
    with pytest.raises(InvalidInput, match="--force"):
        write(world, out)
    (out / "stale.txt").write_text("old")
    write(world, out, force=True)
    assert not (out / "stale.txt").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "out"]


def test_a_partial_folder_of_ours_is_replaced_and_of_others_is_not(world: World, tmp_path: Path) -> None:
    partial = tmp_path / "out.partial"
    partial.mkdir()
    (partial / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="not begun by planner"):
        write(world, tmp_path / "out")
    (partial / MARKER).write_text("")
    write(world, tmp_path / "out")
    assert not partial.exists()


def test_a_failure_while_writing_leaves_no_run(world: World, tmp_path: Path) -> None:
    case, city, cleared = world
    settled = settle(cleared, case)
    with pytest.raises(AttributeError):
        write_run(tmp_path / "out", cleared, replace(settled, buildings=None), case, city)
    assert not (tmp_path / "out").exists()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no run folder"):
        read_run(tmp_path)
