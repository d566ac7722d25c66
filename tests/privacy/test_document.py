"""privacy.json in two versions, and the page made of it: what each may say."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import planner
from planner.ledger import Run
from planner.privacy import page
from planner.privacy.document import may_leave, outside, published
from planner.problems import InvalidInput
from planner.security.policy import EXCHANGE, LAB, STAMP

FORBIDDEN = ("anonymous", "cannot be identified", "gdpr compliant")


def inside() -> dict[str, Any]:
    group = {"group": "b1", "kind": "building", "buildings": 1, "spoke": True, "envelopes": 3, "bytes": 900}
    seen = {"intervals": 24, "occupants": 20, "min_active": 17, "held_back": 1, "refused": {"6 successive answers": 1}}
    dark = {"group": "b2", "kind": "dark", "buildings": 1, "spoke": False, "envelopes": 0, "bytes": 0, "intervals": 0}
    rules = {name: value for name, value in asdict(EXCHANGE).items() if name != "name"}
    return {
        "report": 1,
        "day": "2026-10-25",
        "epoch": "2026-10",
        "clear": "2026-10-25.abc",
        "policy": "exchange",
        "policy_sha256": EXCHANGE.sha256,
        "stamp": None,
        "unit": "occupant",
        "rules": rules,
        "groups": [group | seen, dark | {"silent_because": "too few"}],
    }


def test_the_outside_version_has_neither_counts_nor_reasons() -> None:
    told = outside(inside())
    assert may_leave(told)
    text = json.dumps(told)
    for word in ("17", '"occupants"', "held", "refused", '"b2"', "too few", "p_percent", "coalition"):
        assert word not in text
    assert told["groups"] == [
        {"group": "b1", "kind": "building", "spoke": True, "envelopes": 3, "bytes": 900, "intervals": 24}
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"members": 20},
        {"roster": "5" * 64},
        {"k": 5},
        {"envelopes": "3"},
        {"envelopes": 3.0},
        {"envelopes": True},
        {"spoke": False},
        {"group": "b1 of Erika"},
        {"group": "b1\u200b"},
        {"kind": "flat"},
    ],
)
def test_T_P26_nothing_else_fits(change: dict[str, Any]) -> None:  # noqa: N802
    """A member count, a roster's hash, a threshold of the day: no such field, and no other type."""
    told = outside(inside())
    told["groups"][0] |= change
    assert not may_leave(told)


def test_T_P26_nor_at_the_top() -> None:  # noqa: N802
    for name, value in (("epoch_members", 4), ("stamp", "x")):
        assert not may_leave(outside(inside()) | {name: value})
    broken = outside(inside())
    broken["rules"] = broken["rules"] | {"p_percent": 10}
    assert not may_leave(broken)
    assert not may_leave([])
    wrong = copy.deepcopy(inside())
    wrong["groups"][0]["group"] = "Erika, third floor"
    with pytest.raises(ValueError, match="allowed form"):
        outside(wrong)


def test_T_P27_a_stamped_document_is_not_published() -> None:  # noqa: N802
    assert published(inside() | {"stamp": STAMP, "policy": LAB.name}) == {}
    assert list(published(inside())) == ["market/privacy.json"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("page")
    case = planner.read_case(planner.generate(root / "case", 50, 25)).with_(privacy={"max_rounds": 4})
    return planner.clear(case, root / "run", gap=0.05)


def test_the_page_of_a_run(run: Run) -> None:
    """Inside there are counts and other rules; outside there are none; both say what is claimed."""
    within, without = page.report(run), page.report(run, for_outside=True)
    assert any(group.get("other_rules") for group in within["groups"])
    assert all(group["commitment_passes_again"] for group in within["groups"] if group["spoke"])
    assert "least" in page.page(within)
    assert within["groups"][0]["changed_since_it_spoke"] is None
    for told in (within, without):
        assert told["security"] == {"signature": "ed25519", "sealing": ["mlkem768-x25519"], "roster": 1}
        assert told["log"]["entry"] == told["log"]["entries"] - 1
        assert told["log"]["root"] in page.page(told)
    assert "occupants, at least" in page.page(within)
    assert {"occupants", "min_active", "other_rules"}.isdisjoint(*(group.keys() for group in without["groups"]))
    for text in (page.page(within), page.page(without)):
        assert page.NO_CLAIM in text
        assert "marketplace (" in text


def test_the_page_says_how_much_was_said_and_refused_why_and_for_how_long(run: Run) -> None:
    within, without = page.report(run), page.report(run, for_outside=True)
    (spoke,) = [group for group in within["groups"] if group["spoke"]][:1]
    length = spoke["intervals"]
    sent = spoke["envelopes"]
    assert spoke["exposure"] == {"days": 1, "intervals": length, "clears": 1, "answers": sent}
    assert f"{spoke['group']}: {length} intervals of 1 delivery days, {sent} different answers" in page.page(within)
    refused = sum(sum(group.get("refused", {}).values()) for group in within["groups"])
    assert within["refused_by_gate"] == refused
    assert f"{refused} messages were refused" in page.page(within)
    assert within["processing"] == without["processing"]
    (reader,) = within["readers"]
    assert f"{reader}: sums of release groups" in within["processing"]["recipients"]
    for text in (page.page(within), page.page(without)):
        assert "retention: nothing is deleted by itself" in text
    assert {"exposure", "refused"}.isdisjoint(*(group.keys() for group in without["groups"]))
    assert {"refused_by_gate", "leavers"}.isdisjoint(without)


def test_words_that_promise_too_much_are_not_there(run: Run) -> None:
    root = Path(planner.__file__).parent
    texts = [page.page(page.report(run, for_outside=out)) for out in (False, True)]
    texts += [json.dumps(page.report(run)), (run.folder / "privacy.json").read_text("utf-8")]
    texts += [path.read_text("utf-8") for path in [*(root / "privacy").glob("*.py"), root / "commands" / "privacy.py"]]
    for text in texts:
        assert [word for word in FORBIDDEN if word in text.lower()] == []


def test_a_run_that_says_nothing_of_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "certificate.json").write_text("{}")
    with pytest.raises(InvalidInput):
        page.report(Run(tmp_path))
