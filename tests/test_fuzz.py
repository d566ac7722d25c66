"""Damage by chance: whatever happens to its files, a case is refused with a place or read; no command breaks."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from case_folders import Folder, write_case

from planner import cli

ROUNDS = 80
CELLS = (
    *(
        "",
        "nan",
        "inf",
        "-1",
        "1e308",
        "1,5",
        "1.5.5",
        "x",
        "ÅÄÖ",
        "../..",
        "a/b",
        "=1+1",
        "0x10",
        "٣",
        "24:00",
        "25:00",
    ),
    *(
        "2026-06-10T00:00:00+02:00",
        "2026-06-10T02:30:00",
        "18:00 mon-fri",
        "fri-mon 07:00",
        "1;2;;",
        "true",
        "x" * 3000,
    ),
    *("97", "9223372036854775808", "city", "flat1", '"', "\0", "\u202e"),
)
SETTINGS = (
    *("true", "-1", "1e400", "nan", '"x"', "[1, 2]", "{a = 1}", "2026-03-29", "07:32:00", '"../x"', "9" * 30),
    *("15", "30", '"joint"', '"strict"', '"internal"', '"exchange"', '"monolith"', '"fixed_integers"', '"equal"'),
)
Damage = Callable[[bytes, random.Random], bytes]


def cell(data: bytes, chance: random.Random) -> bytes:
    lines = data.decode().split("\n")
    at = chance.randrange(len(lines))
    cells = lines[at].split(",")
    cells[chance.randrange(len(cells))] = chance.choice([*CELLS, *chance.choice(lines).split(",")])
    lines[at] = ",".join(cells)
    return "\n".join(lines).encode()


def setting(data: bytes, chance: random.Random) -> bytes:
    lines = data.decode().split("\n")
    at = chance.randrange(len(lines))
    lines[at] = f"{lines[at].partition('=')[0]}= {chance.choice(SETTINGS)}"
    return "\n".join(lines).encode()


def line(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at : at + 1] = chance.choice([[], [lines[at]] * 2, [b"", lines[at]], [b",,,,", lines[at]]])
    return b"\n".join(lines)


def column(data: bytes, chance: random.Random) -> bytes:
    at, lost = chance.randrange(6), chance.random() < 0.5
    rows = [row.split(b",") for row in data.split(b"\n")]
    kept = [row[:at] + row[at + 1 :] if lost else [*row, *row[at : at + 1]] for row in rows]
    return b"\n".join(map(b",".join, kept))


def some_bytes(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 4))):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


def form(data: bytes, chance: random.Random) -> bytes:
    """Another encoding, separator or end of line; half a file, or none."""
    forms: tuple[Callable[[], bytes], ...] = (
        lambda: data.replace(b",", b";"),
        lambda: data.replace(b",", b"\t"),
        lambda: data.replace(b"\n", b"\r"),
        lambda: data.replace(b"a", "å".encode("latin-1"), 1),
        lambda: data.decode().encode("utf-16"),
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data[: chance.randrange(len(data))],
        lambda: b"",
    )
    return chance.choice(forms)()


DAMAGES: tuple[Damage, ...] = (cell, cell, cell, line, column, some_bytes, form)


def damage(folder: Folder, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 5))):
        path = chance.choice(sorted(path for path in folder.path.iterdir() if path.is_file()))
        content = path.read_bytes()
        how = setting if path.name == "case.toml" and chance.random() < 0.8 else chance.choice(DAMAGES)
        try:
            path.write_bytes(how(content, chance) if content else b"x")
        except UnicodeDecodeError:  # damaged twice
            path.write_bytes(content[1:])
    if chance.random() < 0.1:
        path.rename(path.with_suffix(chance.choice((".CSV", ".parquet", ".csv.gz", ".txt"))))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_damaged_case_is_refused_with_a_place_or_read(seed: int, tmp_path: Path, capsys: Any) -> None:
    folder = write_case(tmp_path / "case")
    damage(folder, random.Random(seed))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    code = cli.run(["validate", str(folder.path)])
    said = capsys.readouterr()
    assert code in (0, 2), said.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before, "validate writes nothing"
    if code == 2:
        assert said.out == ""
        errors = [text for text in said.err.splitlines() if text.startswith("planner: error: ")]
        assert re.match(r"planner: error: [\w .-]+(:\d+)?: \S", errors[0]), said.err
        assert str(tmp_path) not in said.err


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_a_damaged_case_that_is_valid_is_cleared(seed: int, tmp_path: Path, capsys: Any) -> None:
    """What passes validation has an answer; what does not leaves no run behind."""
    folder = write_case(tmp_path / "case")
    chance = random.Random(seed)
    for _ in range(25):
        name = chance.choice(("batteries.csv", "vehicles.csv", "loads.csv", "generators.csv", "nodes.csv", "grid.csv"))
        before = folder.text(name)
        folder.write(name, cell(before.encode(), chance))
        if folder.problems():
            folder.write(name, before)
    code = cli.run(["clear", str(folder.path), "-o", str(tmp_path / "run"), "--quiet"])
    assert code in (0, 4), capsys.readouterr().err
