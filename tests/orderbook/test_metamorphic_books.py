"""What must not change, or change in a known way, when a book is written otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from books import Book, Row, write_book
from judging import RULES, clear, shuffled
from random_books import random_book

import planner

SEEDS = (1, 4, 7, 11, 12, 20)
CLOSE = 1e-6


def told(run: Any) -> tuple[list[Any], list[Any]]:
    """Prices, and acceptances by order instead of by row."""
    prices = run.prices.sort_values(["zone", "interval"]).fillna("").astype(str).to_numpy().tolist()
    key = ["order_id", "interval", "price_per_mwh"]
    accepted = run.acceptances.drop(columns="row").sort_values(key).astype(str).to_numpy().tolist()
    return prices, accepted


def welfare(runs: dict[str, Any]) -> dict[str, float]:
    return {rule: run.certificate["welfare"] for rule, run in runs.items()}


def published(run: Any) -> dict[tuple[str, int], float]:
    return run.prices.dropna().set_index(["zone", "interval"])["price_per_mwh"].to_dict()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_changes_nothing(seed: int, tmp_path: Path) -> None:
    book = random_book(seed)
    first, second = (clear(shuffled(book, k), RULES, tmp_path / str(k)) for k in (1, 2))
    for rule in RULES:
        assert told(first[rule]) == told(second[rule])


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_ten_times_the_energy_is_ten_times_the_welfare_at_the_same_prices(seed: int, tmp_path: Path) -> None:
    book = random_book(seed)

    def larger(row: Any) -> Any:
        names = ("quantity_kwh", "min_quantity_kwh", "fixed_cost", "forward_kwh", "reverse_kwh")
        names += ("import_limit_kw", "export_limit_kw")
        return replace(row, **{name: 10 * getattr(row, name) for name in names if hasattr(row, name)})

    scaled = replace(
        book,
        rows=tuple(map(larger, book.rows)),
        lines=tuple(map(larger, book.lines)),
        grid=tuple(map(larger, book.grid)),
    )
    small, large = clear(book, RULES, tmp_path / "small"), clear(scaled, RULES, tmp_path / "large")
    for rule in RULES:
        assert welfare(large)[rule] == pytest.approx(10 * welfare(small)[rule], rel=CLOSE, abs=1e-6)
        assert published(large[rule]) == pytest.approx(published(small[rule]), abs=0.011)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_twice_the_prices_are_twice_the_welfare_and_the_prices(seed: int, tmp_path: Path) -> None:
    book = random_book(seed)

    def dearer(row: Any) -> Any:
        names = ("price_per_mwh", "fixed_cost", "import_price_per_mwh", "export_price_per_mwh")
        return replace(row, **{name: 2 * getattr(row, name) for name in names if hasattr(row, name)})

    doubled = replace(book, rows=tuple(map(dearer, book.rows)), grid=tuple(map(dearer, book.grid)))
    one, two = clear(book, RULES, tmp_path / "one"), clear(doubled, RULES, tmp_path / "two")
    for rule in RULES:
        assert welfare(two)[rule] == pytest.approx(2 * welfare(one)[rule], rel=CLOSE, abs=1e-6)
        expected = {cell: 2 * price for cell, price in published(one[rule]).items()}
        assert published(two[rule]) == pytest.approx(expected, abs=0.021)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_more_order_never_lowers_the_greatest_welfare(seed: int, tmp_path: Path) -> None:
    """Of ``fixed_integers`` and ``convex_hull``, which maximise welfare alone; ``no_pab`` may lose by it."""
    book, rules = random_book(seed), ("fixed_integers", "convex_hull")
    more = replace(book, rows=(*book.rows, Row("new", book.rows[0].zone, "sell", 1, "block", 15.0, 2000.0)))
    before, after = clear(book, rules, tmp_path / "before"), clear(more, rules, tmp_path / "after")
    for rule in rules:
        assert welfare(after)[rule] >= welfare(before)[rule] - CLOSE * abs(welfare(before)[rule])


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_step_in_two_halves_is_the_step(seed: int, tmp_path: Path) -> None:
    book = random_book(seed)
    first = book.steps[0]
    halves = [replace(first, order_id=f"{first.order_id}-{k}", quantity_kwh=first.quantity_kwh / 2) for k in (1, 2)]
    split = replace(book, rows=(*halves, *(row for row in book.rows if row is not first)))
    whole, halved = clear(book, RULES, tmp_path / "whole"), clear(split, RULES, tmp_path / "halved")
    for rule in RULES:
        assert welfare(halved)[rule] == pytest.approx(welfare(whole)[rule], rel=CLOSE, abs=1e-6)
        assert published(halved[rule]) == pytest.approx(published(whole[rule]))


def block(name: str, kwh: float = 5000.0) -> Row:
    return Row(name, "z", "sell", 1, "block", 20.0, kwh)


def twins(tmp_path: Path, submitted: dict[str, str], seed: int = 1) -> tuple[str, str]:
    """The accepted one of two equal blocks of which one is wanted, and the other one's reason."""
    book = Book((Row("use", "z", "buy", 1, "step", 50.0, 5000.0), block("a"), block("b")))
    folder = write_book(book, tmp_path / "book")
    (folder / "case.toml").write_text((folder / "case.toml").read_text() + f"seed = {seed}\n")
    lines = (folder / "orders.csv").read_text().splitlines()
    stamped = [lines[0] + ",submitted_at", *(f"{line},{submitted.get(line.split(',')[0], '')}" for line in lines[1:])]
    (folder / "orders.csv").write_text("\n".join(stamped) + "\n")
    run = planner.market(planner.read_case(folder), "no_pab", tmp_path / f"run-{seed}")
    found = run.acceptances.set_index("order_id")
    (taken,) = [name for name in ("a", "b") if found.loc[name, "accepted_kwh"] > 0]
    return taken, found.loc["b" if taken == "a" else "a", "reason"]


@pytest.mark.parametrize("first", ["a", "b"])
def test_of_two_equal_blocks_the_earlier_one_is_taken(first: str, tmp_path: Path) -> None:
    second = "b" if first == "a" else "a"
    stamps = {first: "2026-06-14T09:00:00+02:00", second: "2026-06-14T09:00:01+02:00"}
    assert twins(tmp_path, stamps) == (first, "tie")


def test_of_two_equal_blocks_submitted_together_the_smaller_hash_is_taken(tmp_path: Path) -> None:
    """SHA-256 of seed and id; over some seeds each of the two has its turn."""
    from hashlib import sha256

    seen = set()
    for seed in range(1, 6):
        wanted = min("ab", key=lambda name: sha256(f"{seed}{name}".encode()).hexdigest())
        assert twins(tmp_path / str(seed), {}, seed) == (wanted, "tie")
        seen.add(wanted)
    assert seen == {"a", "b"}


@pytest.mark.parametrize(("date", "hours"), [("2026-03-29", 23), ("2026-06-10", 24), ("2026-10-25", 25)])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_every_length_of_day(date: str, hours: int, minutes: int, tmp_path: Path) -> None:
    """A flat kW bought in every interval is as many kWh as the day has hours; the first and last have their price."""
    count = hours * 60 // minutes
    folder = tmp_path / "book"
    write_book(Book((Row("x", "z", "buy", 1, "step", 1.0, 1.0),)), folder)
    toml = (folder / "case.toml").read_text()
    toml = toml.replace("2026-06-15", date).replace("interval_minutes = 60", f"interval_minutes = {minutes}")
    (folder / "case.toml").write_text(toml)
    rows = ["order_id,zone,side,interval,kind,price_per_mwh,quantity_mw"]
    for t in range(1, count + 1):
        rows += [f"use,z,buy,{t},step,50,0.001", f"make,z,sell,{t},step,{t},0.002"]
    (folder / "orders.csv").write_text("\n".join(rows) + "\n")
    run = planner.market(planner.read_case(folder), "no_pab", tmp_path / "run")
    used = run.acceptances[run.acceptances["order_id"] == "use"]["accepted_kwh"]
    expected = sum(1 for t in range(1, count + 1) if t <= 50) * minutes / 60
    assert used.sum() == pytest.approx(expected)
    prices = run.prices.set_index("interval")["price_per_mwh"]
    assert sorted(prices.index) == list(range(1, count + 1))
    assert (prices[1], prices[2], prices[23]) == (1.0, 2.0, 23.0)


def test_an_empty_book_a_lonely_order_and_a_price_at_the_cap(tmp_path: Path) -> None:
    lonely = clear(Book((Row("b", "z", "buy", 1, "step", 3000.0, 1000.0),)), ("no_pab",), tmp_path / "one")["no_pab"]
    (row,) = lonely.prices[lonely.prices["interval"] == 1].to_dict("records")
    assert (row["price_per_mwh"], row["price_low"], row["indicative"]) == (3000.0, 3000.0, True)
    assert lonely.certificate["welfare"] == 0
    folder = write_book(Book((Row("b", "z", "buy", 1, "step", 1.0, 1.0),)), tmp_path / "none")
    header = (folder / "orders.csv").read_text().splitlines()[0]
    (folder / "orders.csv").write_text(header + "\n")
    empty = planner.market(planner.read_case(folder), "no_pab", tmp_path / "run")
    assert empty.certificate["welfare"] == 0
    assert not len(empty.acceptances)
