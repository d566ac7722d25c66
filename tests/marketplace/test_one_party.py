"""A cohort with a single seller: what leaves it is the same however its buildings divide one position among them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from services_world import Reference

from planner.audit import audit
from planner.hearing import MARKET
from planner.marketplace.carrier import Settle
from planner.marketplace.cohort import Part
from planner.marketplace.mail import Mail, within
from planner.marketplace.messages import ENROL
from planner.marketplace.numbers import pack, question_body
from planner.marketplace.site import Site
from planner.marketplace.voices import read_dues, settle_body, speaking_for_cohort
from planner.questions import Alone, Commit, Price, Question
from planner.security.messages import release_types
from planner.security.opening import Reader, open_envelope
from planner.security.refusal import Refused
from planner_models.answer import Ladder

MEMBERS, UNITS, N = 5, 6, 24
FEE_PER_KWH = 0.008


@dataclass
class Divided:
    """Five buildings of six units; all of a building do the same, ``wh`` by building, in every interval."""

    out: Path
    wh: Sequence[int]
    costs: Sequence[float]

    def ask(self, questions: Mapping[int, Question]) -> Mapping[int, Part]:
        return {i: self._part(i, question) for i, question in questions.items()}

    def _part(self, i: int, question: Question) -> Part:
        delta = np.full((UNITS, N), 0 if isinstance(question, Alone) else self.wh[i], dtype=np.int64)
        cost = 1.0 if isinstance(question, Alone) else self.costs[i]
        return Part(delta.sum(axis=0) / 1000, cost, cost - 0.5, delta)

    def told(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        if body["ask"] == ENROL:
            flats = [value for unit in range(UNITS) for value in (unit, 1000, 1)]
            named = [[(k % 3 == 0) * 100 * i + value for k, value in enumerate(flats)] for i in range(MEMBERS)]
            return [{"whole": whole, "exact": pack([1 / MEMBERS])} for whole in named]
        self.out.mkdir(parents=True, exist_ok=True)
        return [{"whole": [abs(wh) * UNITS * N * 8000, 0, 0], "exact": ""} for wh in self.wh]


def all_that_leaves(houses: Reference, root: Path, wh: Sequence[int]) -> tuple[list[Any], list[Any], str]:
    """Bodies of the releases, slots beside them, and the book that stays; costs are such that their sum is the same."""
    world = houses.world
    site = Site(Path(shutil.copytree(world.buildings[0], root, ignore=shutil.ignore_patterns("runs"))))
    fees = [abs(w) * UNITS * N / 1000 * FEE_PER_KWH for w in wh]
    costs = [fee + 1.0 for fee in fees]
    costs[1] += 30.0 - sum(costs)
    mail = Mail(world.identities[site.told.gateway], world.roster, site.clear_id, within(site.told.group.id))
    speaking = speaking_for_cohort(site, mail, Divided(site.out, wh, costs))  # type: ignore[arg-type]
    price = np.full(N, 60.0)
    asked = [Alone(0), Price(1, price), Commit(Ladder.flat(price), 0.1, {1: 1.0})]
    bodies = [question_body(question) | {"number": k, "bounds": []} for k, question in enumerate(asked)]
    said = [speaking.answer(body) for body in (*bodies, settle_body(Settle((60_000,) * N, (0,) * N)))]
    reader = Reader(world.identities[MARKET], world.roster, release_types(N), site.clear_id)
    opened = [open_envelope(line, reader, mail.clock(), lambda *_: -1) for one in said for line in one.lines]
    speaking.close()
    slots = [{**one.slot, "about": bool(one.slot["about"])} for one in said]
    return [(o.header.type, o.header.sequence, o.body) for o in opened], slots, (site.out / "cohort.csv").read_text()


def test_two_insides_of_one_position_leave_the_same_bytes(houses: Reference, tmp_path: Path) -> None:
    one = all_that_leaves(houses, tmp_path / "one", [-1000, 1000, 1000, 1000, 1000])
    other = all_that_leaves(houses, tmp_path / "other", [-600, 900, 900, 900, 900])
    assert [kind for kind, _, _ in one[0]] == ["answer", "answer", "commit"], "the gate let all of it out"
    assert one[0] == other[0]
    assert one[1] == other[1]
    assert one[1][-1]["word"] == "settled"
    assert one[1][-1]["value"] == []
    assert one[2] != other[2], "inside the fees are those that each of them pays"


@pytest.mark.parametrize("values", [[], [1, 2], [1, 2, 3, 4], [1, -2, 3]])
def test_a_member_says_its_amounts_or_is_refused(values: list[int]) -> None:
    with pytest.raises(Refused):
        read_dues(values)


@pytest.mark.parametrize(
    ("file", "changes", "rule"),
    [
        ("cohort", {"member:2,fee": -1, "cohort,fee": 1}, "S5"),
        ("cohort", {"marketplace,fee": 1, "cohort,fee": -1}, "S5"),
        ("cohort", {"member:1,fee": 1}, "S4"),
        ("cohort", {"member:1,fee": 1, "member:2,fee": -1}, "S5"),
        ("gone", {}, "S5"),
        ("renamed", {}, "S5"),
    ],
)
def test_the_audit_finds_what_is_wrong_with_a_cohorts_book(
    houses: Reference, tmp_path: Path, file: str, changes: dict[str, int], rule: str
) -> None:
    run = Path(shutil.copytree(houses.run, tmp_path / "run"))
    keeper = next(run.glob("buildings/*/cohort.csv"))
    lines = keeper.read_text().splitlines()
    if file == "gone":
        keeper.unlink()
        assert {"S5"} <= set(audit(run).rules_not_checkable)
        return
    for row, nano in changes.items():
        at = next(i for i, line in enumerate(lines) if line.startswith(row))
        name, _, amount = lines[at].rpartition(",")
        lines[at] = f"{name},{Decimal(amount) + nano * Decimal('0.001')}"
    if file == "renamed":
        lines = [line.replace("member:5", "member:7") for line in lines]
    assert not audit(run).violations
    keeper.write_text("\n".join(lines) + "\n")
    found = audit(run)
    assert rule in found.rules_violated, str(found)
    whole = {v.where.file for v in found.violations if v.rule == rule}
    assert whole == {keeper.relative_to(run).as_posix()}


def test_the_keeper_alone_checks_its_own_line(houses: Reference, tmp_path: Path) -> None:
    keeper = next(houses.run.glob("buildings/*/cohort.csv")).parent
    own = Path(shutil.copytree(keeper, tmp_path / keeper.name))
    assert not audit(own).violations
    text = (own / "cohort.csv").read_text()
    (own / "cohort.csv").write_text(text.replace("member:1", "member:0").replace("member:2", "member:1"))
    assert set(audit(own).rules_violated) == {"S5"}
