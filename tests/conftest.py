"""Fixtures for all tests: a small valid case to break, and the place of real data where it is at hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from case_folders import CASE_TOML, ROOT, Folder, rows, write_case

from planner.validation import validate  # noqa: F401 - imported once, so that no test pays for it


@pytest.fixture
def case_folder(tmp_path: Path) -> Folder:
    """A fresh small valid case under tmp_path/case."""
    return write_case(tmp_path / "case")


@pytest.fixture
def make_case(tmp_path: Path) -> Callable[..., Folder]:
    """``make_case(name, **{"grid.csv": text})`` writes the small case under another name, with other files."""

    def make(name: str = "other", files: dict[str, str] | None = None) -> Folder:
        folder = write_case(tmp_path / name)
        for file, text in (files or {}).items():
            folder.write(file, text)
        return folder

    return make


@pytest.fixture
def market_folder(tmp_path: Path) -> Folder:
    """A fresh order book of two zones and one line."""
    folder = Folder(tmp_path / "market")
    toml = CASE_TOML.replace('"small"', '"book"')
    folder.write("case.toml", toml)
    folder.write(
        "orders.csv",
        rows(
            "order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh,min_acceptance_ratio",
            "s1,east,sell,1,step,10,10,",
            "s2,east,sell,1,step,20,10,",
            "b1,west,buy,1,step,30,15,",
            "k1,west,sell,1,block,15,4,0.5",
            "k1,west,sell,2,block,15,4,0.5",
        ),
    )
    return folder.write("lines.csv", rows("line_id,from_zone,to_zone,forward_kwh,reverse_kwh", "tie,east,west,20,20"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; the test is skipped when it is not there."""
    path = ROOT.parent / "shared"
    if not (path / "cases").is_dir():
        pytest.skip("real data is not at hand")
    return path


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Folder]:
    """A copy of an existing case folder that a test may change."""

    def copy(source: Path) -> Folder:
        return Folder(Path(shutil.copytree(source, tmp_path / source.name)))

    return copy
