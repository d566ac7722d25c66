"""Every malformed order is named at its row, all of them at once; nothing is edited, dropped or written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from case_folders import CASE_TOML

from planner import cli
from planner.case import read_case, validate_folder
from planner.validation import validate

ORDERS = (
    "order_id,participant,zone,side,interval,start,kind,price_per_mwh,quantity_kwh,quantity_mw,min_acceptance_ratio,"
    "min_quantity_kwh,fixed_cost,exclusive_group,parent_order_id,submitted_at"
)
GOOD = (
    "s1,,east,sell,1,,step,10,10,,,,,,,",  # 2
    "s1,,east,sell,2,,step,12,10,,,,,,,",  # 3
    "b1,,west,buy,1,,step,30,15,,,,,,,",  # 4
    "k1,,west,sell,1,,block,15,4,,0.5,,,,,",  # 5
    "k1,,west,sell,2,,block,15,4,,0.5,,,,,",  # 6
    "k2,,west,sell,1,,block,15,4,,,,,,k1,",  # 7
    "k3,,west,buy,1,,block,15,4,,,,,g1,,",  # 8
    "k4,,west,buy,2,,block,15,4,,,,,g1,,",  # 9
    "c1,,east,sell,1,,complex,15,4,,,2,50,,,",  # 10
    "c1,,east,sell,1,,complex,18,4,,,,50,,,",  # 11
    "c1,,east,sell,2,,complex,15,4,,,3,50,,,",  # 12
)
LINES = "line_id,from_zone,to_zone,interval,forward_kwh,reverse_kwh,loss_ratio"
GRID = "zone,interval,import_price_per_mwh,export_price_per_mwh,import_limit_kw,export_limit_kw"


@dataclass(frozen=True)
class Bad:
    """Swaps in rows of the good book (line of the file, old, new), and the one error that must come of it."""

    name: str
    swaps: Sequence[tuple[int, str, str]]
    error: str


def step(old: str, new: str, line: int = 2) -> list[tuple[int, str, str]]:
    return [(line, old, new)]


def differs(line: int, column: str, order: str, new: object, old: object) -> str:
    return f"{line}: {column} differs within order '{order}' ({new} after {old}); all rows of it share one"


def again(line: int, order: str, first: int, words: str = " and price") -> str:
    hint = f"it is already in line {first}; give one row their sum"
    return f"{line}: a second row of the order for the same interval{words} ({order}); {hint}"


BLOCKS = "; leave it empty, or write kind = block"
LIMITS = "price_per_mwh is outside floor and cap, -500 to 4000"
DAY = "interval is outside the day: 2026-06-10 has 24 hours, intervals 1 to 24"
ISO = "2026-10-25T00:00:00+02:00"
BOTH = "2: quantity_kwh and quantity_mw are both given; keep one of the two"
ID = "an id has 1 to 64 of A-Z a-z 0-9 . _ - and is not a path; a name for people goes into label"
NUMBER = "; write 1234.5, without thousands separators or units"
BAD_ORDERS = [
    Bad("price nan", step("step,10", "step,NaN"), f"2: price_per_mwh is not a number (NaN){NUMBER}"),
    Bad("price infinite", step("step,10", "step,inf"), f"2: price_per_mwh is not a number (inf){NUMBER}"),
    Bad("price text", step("step,10", "step,ten"), f"2: price_per_mwh is not a number (ten){NUMBER}"),
    Bad("price missing", step("step,10", "step,"), "2: price_per_mwh is missing"),
    Bad("price below floor", step("step,10", "step,-501"), f"2: {LIMITS} (-501)"),
    Bad("price above cap", step("step,10", "step,4000.01"), f"2: {LIMITS} (4000.01)"),
    Bad("quantity nan", step("10,10,", "10,nan,"), f"2: quantity_kwh is not a number (nan){NUMBER}"),
    Bad("quantity zero", step("10,10,", "10,0,"), "2: quantity_kwh must be above 0 (0)"),
    Bad("quantity negative", step("10,10,", "10,-3,"), "2: quantity_kwh must be above 0 (-3)"),
    Bad("quantity missing", step("10,10,", "10,,"), "2: quantity_kwh is missing (s1)"),
    Bad("power zero", step("10,10,,", "10,,0,"), "2: quantity_mw must be above 0 (0)"),
    Bad("two quantities", step("10,10,,", "10,10,0.01,"), BOTH),
    Bad("kind unknown", step("step", "stp"), "2: unknown kind (stp); did you mean 'step'?"),
    Bad("kind reserved", step("step", "interpolated"), "2: unknown kind (interpolated); known: block, complex, step"),
    Bad("kind missing", step("step", ""), "2: kind is missing"),
    Bad("side unknown", step("sell", "Sell"), "2: unknown side (Sell); did you mean 'sell'?"),
    Bad("side missing", step("sell", ""), "2: side is missing"),
    Bad("zone missing", step("east", ""), "2: zone is missing"),
    Bad("interval 25", step("sell,1", "sell,25"), f"2: {DAY} (25)"),
    Bad("interval 0", step("sell,1", "sell,0"), "2: interval is below 1 (0); intervals are numbered from 1"),
    Bad("interval and a half", step("sell,1", "sell,1.5"), "2: interval is not a whole number (1.5)"),
    Bad("no time", step("sell,1", "sell,"), "2: neither interval nor start is given"),
    Bad(
        "start off the grid",
        step("1,,step", ",2026-06-10T00:30:00+02:00,step"),
        "2: start is not the start of an interval (2026-06-10T00:30:00+02:00); intervals have 60 minutes",
    ),
    Bad(
        "start without offset",
        step("1,,step", ",2026-06-10T00:00:00,step"),
        "2: start has no offset (2026-06-10T00:00:00); write 2026-10-25T00:00:00+02:00, or use the column interval",
    ),
    Bad(
        "step twice",
        step("2,,step,12,10", "1,,step,10,7", 3),
        again(3, "s1", 2),
    ),
    Bad(
        "step twice, by start",
        step("2,,step,12,10", ",2026-06-10T00:00:00+02:00,step,10,7", 3),
        again(3, "s1", 2),
    ),
    Bad(
        "complex step twice",
        step("complex,18", "complex,15", 11),
        again(11, "c1", 10),
    ),
    Bad(
        "block twice in an interval",
        step("sell,2", "sell,1", 6),
        again(6, "k1", 5, ""),
    ),
    Bad("two prices in a block", step("15", "16", 6), differs(6, "price_per_mwh", "k1", "16.0", "15.0")),
    Bad("two zones in a block", step("west", "east", 6), differs(6, "zone", "k1", "east", "west")),
    Bad("two sides in a block", step("sell", "buy", 6), differs(6, "side", "k1", "buy", "sell")),
    Bad("two ratios in a block", step("0.5", "0.6", 6), differs(6, "min_acceptance_ratio", "k1", "0.6", "0.5")),
    Bad("two groups in a block", step("0.5,,,", "0.5,,,g2", 6), differs(6, "exclusive_group", "k1", "g2", "")),
    Bad("two parents of a block", step("0.5,,,,", "0.5,,,,k3", 6), differs(6, "parent_order_id", "k1", "k3", "")),
    Bad("two kinds in an order", step("step", "block", 3), differs(3, "kind", "s1", "block", "step")),
    Bad("two participants", step("s1,,", "s1,anna,", 3), differs(3, "participant", "s1", "anna", "")),
    Bad("ratio above 1", step("4,,,", "4,,1.5,", 7), "7: min_acceptance_ratio is above 1 (1.5)"),
    Bad("ratio below 0", step("4,,,", "4,,-0.1,", 7), "7: min_acceptance_ratio is negative (-0.1)"),
    Bad("ratio nan", step("4,,,", "4,,nan,", 7), f"7: min_acceptance_ratio is not a number (nan){NUMBER}"),
    Bad("ratio of a step", step("10,10,,,", "10,10,,0.5,"), "2: min_acceptance_ratio is for blocks (s1)" + BLOCKS),
    Bad("unknown parent", step("k1", "k9", 7), "7: unknown parent_order_id (k9); known: b1, c1, k1, k2, k3, k4, s1"),
    Bad("a step for a parent", step(",k1,", ",s1,", 7), "7: the parent is not a block (s1)"),
    Bad("a complex order for a parent", step(",k1,", ",c1,", 7), "7: the parent is not a block (c1)"),
    Bad("own parent", step(",k1,", ",k2,", 7), "7: an order is its own ancestor (k2 > k2)"),
    Bad(
        "cycle of parents",
        [(5, "0.5,,,,", "0.5,,,,k2"), (6, "0.5,,,,", "0.5,,,,k2")],
        "5: an order is its own ancestor (k1 > k2 > k1)",
    ),
    Bad("group of a step", step("10,10,,,,,,", "10,10,,,,,g1,"), "2: exclusive_group is for blocks (g1)" + BLOCKS),
    Bad("parent of a step", step("10,10,,,,,,", "10,10,,,,,,k1"), "2: parent_order_id is for blocks (k1)" + BLOCKS),
    Bad("least quantity of a step", step("10,10,,,,", "10,10,,,5,"), "2: min_quantity_kwh is for complex orders (5)"),
    Bad("fixed cost of a block", step("15,4,,,,,", "15,4,,,,9,", 7), "7: fixed_cost is for complex orders (9)"),
    Bad(
        "minimum above the steps",
        step(",2,50", ",8.5,50", 10),
        "10: min_quantity_kwh is above what the order's steps of the interval add up to (8.5)",
    ),
    Bad(
        "two minima in an interval",
        step(",,50", ",3,50", 11),
        "10: min_quantity_kwh differs within an interval of the order (2); it stands for all rows of the interval",
    ),
    Bad("minimum negative", step(",3,50", ",-3,50", 12), "12: min_quantity_kwh is negative (-3)"),
    Bad("two fixed costs", step(",50", ",60", 11), differs(11, "fixed_cost", "c1", "60.0", "50.0")),
    Bad("fixed cost left out once", step(",50", ",", 11), differs(11, "fixed_cost", "c1", "0.0", "50.0")),
    Bad("id", step("b1", "b 1", 4), f"4: order_id is not an id (b 1); {ID}"),
    Bad(
        "submitted when",
        step("15,,,,,,,", "15,,,,,,,noon", 4),
        f"4: submitted_at is not a time (noon); write ISO 8601 with an offset, as {ISO}",
    ),
    Bad(
        "zone that meets nobody",
        [(4, "west", "wst")],
        "4: unknown zone (wst); did you mean 'west'? or name it in lines.csv, with a limit of 0 if it stands alone",
    ),
]


def write(folder: Path, orders: Sequence[str] = GOOD, lines: Sequence[str] = (), grid: Sequence[str] = ()) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "case.toml").write_text(CASE_TOML)
    (folder / "orders.csv").write_text("\n".join([ORDERS, *orders]) + "\n")
    (folder / "lines.csv").write_text("\n".join([LINES, *(lines or ["l,east,west,,10,10,"])]) + "\n")
    if grid:
        (folder / "grid.csv").write_text("\n".join([GRID, *grid]) + "\n")
    return folder


def broken(swaps: Sequence[tuple[int, str, str]]) -> list[str]:
    rows = list(GOOD)
    for line, old, new in swaps:
        assert old in rows[line - 2], (rows[line - 2], old)
        rows[line - 2] = rows[line - 2].replace(old, new, 1)
    return rows


def errors(folder: Path) -> list[str]:
    return [str(problem) for problem in validate_folder(folder)[1]]


def test_the_good_book_is_accepted(tmp_path: Path) -> None:
    assert errors(write(tmp_path / "book")) == []


@pytest.mark.parametrize("bad", BAD_ORDERS, ids=lambda bad: bad.name)
def test_a_malformed_order_is_named_at_its_row_and_nothing_else_is(tmp_path: Path, bad: Bad) -> None:
    found = errors(write(tmp_path / "book", broken(bad.swaps)))
    assert f"orders.csv:{bad.error}" in found
    others = [error for error in found if not error.startswith("orders.csv:3: zone differs")]
    assert others == [f"orders.csv:{bad.error}"]


COMPLEX_BUYS = [(line, "sell", "buy") for line in (10, 11, 12)]


def test_every_row_of_a_complex_order_that_buys_is_named(tmp_path: Path) -> None:
    found = errors(write(tmp_path / "book", broken(COMPLEX_BUYS)))
    assert found == [f"orders.csv:{line}: a complex order sells (c1)" for line in (10, 11, 12)]


def test_a_block_that_reaches_into_the_next_day_is_not_cut(tmp_path: Path) -> None:
    swaps = [(5, "1,,block", ",2026-06-10T23:00:00+02:00,block"), (6, "2,,block", ",2026-06-11T00:00:00+02:00,block")]
    assert errors(write(tmp_path / "book", broken(swaps))) == [
        "orders.csv:6: the order reaches outside the delivery day (2026-06-11T00:00:00+02:00); "
        "an order has one day; give each day's its own order_id"
    ]


def test_rows_of_another_day_are_left_alone(tmp_path: Path) -> None:
    swaps = [(3, "2,,step", ",2026-06-11T00:00:00+02:00,step")]
    assert errors(write(tmp_path / "book", broken(swaps))) == []


BAD_LINES = {
    "negative limit": (["l,east,west,,-1,10,"], "2: forward_kwh is negative (-1)"),
    "limit nan": (["l,east,west,,1,nan,"], f"2: reverse_kwh is not a number (nan){NUMBER}"),
    "limit missing": (["l,east,west,,,1,"], "2: forward_kwh is missing"),
    "to itself": (["l,east,east,,1,1,", "m,east,west,,1,1,"], "2: from_zone and to_zone are the same (l)"),
    "all is lost": (["l,east,west,,1,1,1"], "2: loss_ratio must be below 1 (1)"),
    "negative loss": (["l,east,west,,1,1,-0.1"], "2: loss_ratio is negative (-0.1)"),
    "no zone": (["l,east,,,1,1,", "m,east,west,,1,1,"], "2: to_zone is missing"),
    "zone by case": (["l,east,West,,1,1,"], "2: zone differs from 'west' only in case (West); spell it alike"),
    "hole": (
        [f"l,east,west,{hour},1,1," for hour in range(1, 24)],
        "2: forward_kwh is missing in interval 24 of 'l'; "
        "give all 24 intervals of 2026-06-10; write 0 where nothing is meant",
    ),
    "interval 25": (
        [f"l,east,west,{hour},1,1," for hour in range(1, 26)],
        f"26: {DAY} (25)",
    ),
    "twice": (
        [f"l,east,west,{hour},1,1," for hour in (*range(1, 25), 7)],
        "26: a second row for the same time (l, interval 7); it is already in line 8",
    ),
    "two losses": (
        [f"l,east,west,{hour},1,1,{0.1 if hour == 9 else 0}" for hour in range(1, 25)],
        "10: loss_ratio differs within line 'l'",
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_malformed_line_is_named_at_its_row(tmp_path: Path, name: str) -> None:
    rows, error = BAD_LINES[name]
    assert errors(write(tmp_path / "book", lines=rows)) == [f"lines.csv:{error}"]


def grid_row(hour: int, cells: str = "50,40,,") -> str:
    return f"east,{hour},{cells}"


BAD_GRID = {
    "export above import": ({3: "50,60,,"}, "4: export_price_per_mwh is above import_price_per_mwh (60)"),
    "negative limit": ({3: "50,40,-1,"}, "4: import_limit_kw is negative (-1)"),
    "price nan": ({3: "nan,40,,"}, f"4: import_price_per_mwh is not a number (nan){NUMBER}"),
    "price above the cap": (
        {3: "5000,40,,"},
        "4: import_price_per_mwh is above price_cap 4000 (5000); correct the price, or raise price_cap",
    ),
    "price missing": ({3: "50,,,"}, "4: export_price_per_mwh is missing"),
}


@pytest.mark.parametrize("name", BAD_GRID)
def test_a_malformed_neighbour_is_named_at_its_row(tmp_path: Path, name: str) -> None:
    changed, error = BAD_GRID[name]
    rows = [grid_row(hour, changed.get(hour, "50,40,,")) for hour in range(1, 25)]
    assert errors(write(tmp_path / "book", grid=rows)) == [f"grid.csv:{error}"]


def test_a_neighbour_of_a_zone_that_nobody_names(tmp_path: Path) -> None:
    rows = [grid_row(hour).replace("east", "eats") for hour in range(1, 25)]
    (found,) = errors(write(tmp_path / "book", grid=rows))
    assert found.startswith("grid.csv:2: unknown zone (eats); did you mean 'east'?")


ONE_OF_EACH = [
    (2, "step,10", "step,NaN"),
    (3, "12,10", "12,0"),
    (4, "step,30", "step,9999"),
    (6, "block,15", "block,16"),
    (7, ",k1,", ",k9,"),
    (8, "block", "blok"),
    (9, "buy,2", "buy,25"),
    (10, ",2,50", ",9,50"),
]


COMMANDS = [name for module in cli.MODULES for name in module.COMMANDS if name in ("validate", "market")]


@pytest.mark.parametrize("command", COMMANDS)
def test_all_come_at_once_with_exit_2_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Every bad row of two files is named, no run is written and the input stays as it was."""
    folder = write(tmp_path / "book", broken(ONE_OF_EACH), lines=["l,east,west,,-1,10,"])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    target = [] if command == "validate" else ["-o", str(tmp_path / "run")]
    assert cli.run([command, str(folder), *target]) == 2
    said = capsys.readouterr().err
    for place in [*(f"orders.csv:{line}: " for line, _, _ in ONE_OF_EACH), "lines.csv:2: "]:
        assert place in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_day_of_66_609_rows_is_checked_in_well_under_a_second(tmp_path: Path) -> None:
    """As many rows as a real day, blocks and complex orders among them; CPU time of the checks alone."""
    rng = np.random.default_rng(1)
    priced = zip(rng.uniform(0, 200, 63_009), rng.integers(1, 999, 63_009), strict=True)
    rows = [
        f"s{i},,{('east', 'west')[i % 3 == 0]},{('buy', 'sell')[i % 2]},{i % 24 + 1},,step,{price:.2f},{kwh},,,,,,,"
        for i, (price, kwh) in enumerate(priced)
    ]
    rows += [f"k{i // 24},,east,sell,{i % 24 + 1},,block,50,10,,0.5,,,,," for i in range(240)]
    for i in range(3_360):
        least = 5 if i % 3 == 0 else ""
        rows.append(f"c{i // 72},,west,sell,{i // 3 % 24 + 1},,complex,{20 + i % 3},10,,,{least},50,,,")
    case = read_case(write(tmp_path / "book", rows))
    assert len(case.orders) == 66_609
    begin = time.process_time()
    assert validate(case) == ()
    assert time.process_time() - begin < 0.7
