"""Random small books cleared by the planner, judged against the enumeration of every decision."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from books import Book
from brute import Brute
from judging import RULES, Judged, clear, shuffled, tally
from random_books import below_zero, random_book

QUICK, QUICK_BELOW_ZERO = 60, 20
BELOW_ZERO = 300
CHUNKS, IN_CHUNK = 12, 200
LEAST = {"paradoxically_accepted": 500, "middle_not_supporting": 300, "family": 300, "complex_loses": 300}


def judge(book: Book, seed: int, rules: tuple[str, ...], folder: Path) -> list[Judged]:
    """The runs of a book, its rows shuffled, checked under every rule asked for."""
    brute = Brute(book)
    runs = clear(shuffled(book, seed), rules, folder)
    found = [Judged(book, brute, rule, runs[rule]) for rule in rules]
    for judged in found:
        judged.check()
    assert runs[rules[0]].audit["violations"] == []
    return found


@pytest.mark.parametrize("seed", range(QUICK))
def test_a_random_book_is_cleared_as_by_trying_everything(seed: int, tmp_path: Path) -> None:
    judge(random_book(seed), seed, (RULES[seed % 3],), tmp_path)


@pytest.mark.parametrize("seed", range(QUICK_BELOW_ZERO))
def test_a_book_below_zero_with_a_lossy_line_is_cleared_as_by_trying_everything(seed: int, tmp_path: Path) -> None:
    judge(below_zero(seed), seed, (RULES[seed % 3],), tmp_path)


@pytest.mark.slow
def test_hundreds_of_books_below_zero_with_a_lossy_line(tmp_path: Path) -> None:
    wrong: list[str] = []
    for seed in range(QUICK_BELOW_ZERO, QUICK_BELOW_ZERO + BELOW_ZERO):
        try:
            judge(below_zero(seed), seed, RULES, tmp_path / str(seed))
        except AssertionError as error:
            wrong.append(f"seed {seed}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_thousands_of_random_books(chunk: int, tmp_path: Path) -> None:
    """2,400 books, of which each chunk holds its share of the hard ones."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(1000 + chunk * IN_CHUNK, 1000 + (chunk + 1) * IN_CHUNK):
        try:
            counts += tally(judge(random_book(seed), seed, RULES, tmp_path / str(seed))[0])
        except AssertionError as error:
            wrong.append(f"seed {seed}: {error}")
    assert not wrong, "\n".join(wrong)
    for name, least in LEAST.items():
        assert counts[name] >= least / CHUNKS, counts
