"""No number of a run's answer can be changed unnoticed but those listed here, each with why it is free.

Input (``case/``) is free where the answer does not rest on it: a limit that is not reached, a price of what was not
used.  What it would have to be compared with is the case itself, of which a run holds ``case_sha256`` alone.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from factory import town
from sweep import Column, columns, unnoticed

import planner
from planner.generate import generate

FREE = {
    # what it took, not what was decided
    *(f"certificate.json {name}" for name in ("build_s", "closed_form_s", "peak_rss_mb", "solver_s", "wall_s")),
    "certificate.json questions_recalled",
    "certificate.json forecast_error/meters",
    "certificate.json forecast_error/wape",
    # the solver's word on its own search
    "certificate.json pieces/0/gap",
    # an end of the range of supporting prices takes the model to find; the price lies inside it
    *(f"market/{part}prices.csv price_{end}" for part in ("", "look_ahead/") for end in ("low", "high")),
    # what was asked and answered on the way; under a gate R6 compares it with the outbox
    "market/rounds.csv position_kwh",
    "market/rounds.csv price_per_mwh",
}
WITHIN_TOLERANCE = {
    # a tenth of what is nearly nothing: less than 1e-5 of the cost, or than a Wh
    "certificate.json gap_of_savings",
    "certificate.json gap_absolute",
    "certificate.json gap_relative",
    *(f"certificate.json lost_opportunity_cost/{side}" for side in ("buildings", "exchange", "supply", "network")),
    "buildings/*/dispatch.parquet state_of_charge_kwh",
}
BOOK = """\
order_id,zone,side,interval,kind,price_per_mwh,quantity_kwh,min_acceptance_ratio,parent_order_id,min_quantity_kwh,fixed_cost
s1,city,sell,3,step,40,6,,,,
p1,city,buy,7,step,150,5,,,,
k1,city,sell,8,block,35,4,0.5,,,
k1,city,sell,9,block,35,4,0.5,,,
k2,city,sell,9,block,500,2,1,k1,,
x1,city,sell,12,complex,20,5,,,2,0.01
x1,city,sell,13,complex,25,5,,,2,0.01
"""


def is_free(column: Column) -> bool:
    return "/case/" in column.file or column.anywhere in FREE


def test_a_sample_of_the_numbers_of_a_hand_worked_run(tmp_path: Path) -> None:
    run = town(tmp_path / "run")
    bound = [column for column in columns(run, random.Random(5)) if not is_free(column)]
    for column in random.Random(11).sample(bound, 8):
        assert unnoticed(run, column) == (), column


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "locality", "book"),
    [
        ("decentralised", "netting", ""),
        ("monolith", "netting", BOOK),
        ("decentralised", "strict", ""),
        ("monolith", "joint", ""),
    ],
)
def test_every_number_of_a_generated_city(mode: str, locality: str, book: str, tmp_path: Path) -> None:
    case = generate(tmp_path / "case", 12, 4, preset="lab")
    toml = (case / "case.toml").read_text().replace('"netting"', f'"{locality}"')
    (case / "case.toml").write_text(toml.replace("look_ahead_hours = 12", "look_ahead_hours = 2"))
    if book:
        (case / "orders.csv").write_text(book)
    run = planner.clear(planner.read_case(case), tmp_path / "run", mode=mode)
    assert run.audit["violations"] == []
    folder = Path(shutil.copytree(run.folder, tmp_path / "copy"))
    silent = {c.anywhere for c in columns(folder, random.Random(1)) if not is_free(c) and unnoticed(folder, c)}
    assert silent <= WITHIN_TOLERANCE
