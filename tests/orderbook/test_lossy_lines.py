"""Lossy lines where burning energy would pay: worked out by hand, judged by trying everything, audited."""

from __future__ import annotations

from pathlib import Path

import pytest
from books import Book, LineRow, Row
from brute import Brute
from judging import RULES, Judged, clear

MW = 1000.0


def line(source: str, target: str, loss_ratio: float) -> tuple[LineRow, ...]:
    return (LineRow("l1", source, target, 20 * MW, 20 * MW, loss_ratio),)


def step(name: str, zone: str, side: str, price: float, mw: float = 10, interval: int = 1) -> Row:
    return Row(name, zone, side, interval, "step", price, mw * MW)


def downhill(source: str, target: str) -> Book:
    """East is paid 120 to be rid of energy, west asks 110: 9.852 MW at mid-line cost 1.5 % at each end."""
    return Book((step("S", "east", "sell", -120), step("B", "west", "buy", -110)), line(source, target, 0.03))


def idle(loss_ratio: float, *more: Row, prices: tuple[float, float, float]) -> Book:
    """Both zones trade 10 MW of their own; nothing is left to flow."""
    asked, east, west = prices
    own = (step("S", "east", "sell", asked), step("T", "east", "buy", east))
    other = (step("U", "west", "sell", asked), step("V", "west", "buy", west))
    return Book((*own, *other, *more), line("east", "west", loss_ratio))


def surplus() -> Book:
    """A block that brings 10 MW for two hours where one hour takes 9: only burning 1 MW in the line could place it."""
    block = tuple(Row("K", "east", "sell", hour, "block", 10, 10 * MW) for hour in (1, 2))
    return Book(
        (*block, step("B1", "east", "buy", 100), step("B2", "east", "buy", 100, 9, 2)), line("east", "west", 0.1)
    )


BOOKS = {
    "flow along the line": downhill("east", "west"),
    "flow against the line": downhill("west", "east"),
    "idle above zero": idle(0.1, step("X", "east", "sell", -5, 1, 2), prices=(20, 100, 30)),
    "idle below zero": idle(0.03, prices=(-120, -50, -50)),
    "a block nobody takes whole": surplus(),
}


@pytest.mark.parametrize("name", BOOKS)
def test_no_energy_is_burnt_and_prices_are_audited(name: str, tmp_path: Path) -> None:
    book, runs = BOOKS[name], clear(BOOKS[name], RULES, tmp_path)
    for rule in RULES:
        Judged(book, Brute(book), rule, runs[rule]).check()
    assert runs[RULES[0]].audit["violations"] == []


@pytest.mark.parametrize(("source", "target", "sign"), [("east", "west", 1), ("west", "east", -1)])
def test_prices_below_zero_differ_by_the_losses(source: str, target: str, sign: int, tmp_path: Path) -> None:
    """10 MW leave east, 10 / 1.015 flow, 0.985 of that arrive; west sets -110, east 0.985 / 1.015 of it."""
    run = clear(downhill(source, target), ("fixed_integers",), tmp_path)["fixed_integers"]
    flow = run.flows["flow_kwh"].iloc[0]
    assert flow == pytest.approx(sign * 10_000 / 1.015, abs=0.001)
    priced = run.prices[run.prices["interval"] == 1].set_index("zone")
    assert priced["price_low"].to_dict() == pytest.approx({"east": -110 * 0.985 / 1.015, "west": -110.0}, abs=1e-5)


def test_a_block_is_left_out_rather_than_burnt(tmp_path: Path) -> None:
    run = clear(surplus(), ("no_pab",), tmp_path)["no_pab"]
    assert run.acceptances["accepted_kwh"].sum() == 0
    assert run.flows["flow_kwh"].abs().sum() == 0
