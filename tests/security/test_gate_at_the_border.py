"""What the gate's rules mean for those outside: the marketplace, the policy in force, and the code itself."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from security_world import NOW, World, answer

import planner
from planner.security.opening import open_envelope
from planner.security.policy import EXCHANGE, INTERNAL, LAB, STRICT, may_be_released
from planner.security.refusal import Reason, Refused
from planner.settings import Privacy

ROOT = Path(planner.__file__).parent
BID_PATH = ("gateway.py", "voice.py", "coordination.py", "hearing.py", "quantise.py", "schedule.py", "questions.py")
NOISE = ("random", "secrets", "opendp", "dp_accounting", "diffprivlib", "scipy.stats", "numpy.random")


def under(world: World, policy: str) -> World:
    """The same world, whose roster and senders work under another policy."""
    return World(world.identities, replace(world.roster, policy=policy))


@pytest.mark.parametrize("preset", [INTERNAL, LAB], ids=lambda preset: preset.name)
def test_T_P27_no_marketplace_takes_what_must_stay_inside(world: World, preset: object) -> None:
    """Even where roster and sender agree on such a policy, and the message is signed and sealed as it should be."""
    other = under(world, preset.sha256)  # type: ignore[attr-defined]
    data = other.seal(answer(), policy=preset.sha256)  # type: ignore[attr-defined]
    with pytest.raises(Refused) as caught:
        open_envelope(data, other.reader(), NOW, lambda *key: -1)
    assert caught.value.reason is Reason.POLICY
    assert not may_be_released(preset.sha256)  # type: ignore[attr-defined]


@pytest.mark.parametrize("preset", [EXCHANGE, STRICT], ids=lambda preset: preset.name)
def test_T_P27_what_passed_a_gate_is_taken(world: World, preset: object) -> None:
    other = under(world, preset.sha256)  # type: ignore[attr-defined]
    data = other.seal(answer(), policy=preset.sha256)  # type: ignore[attr-defined]
    assert open_envelope(data, other.reader(), NOW, lambda *key: -1).body == answer()


def test_T_P28_an_edited_policy_is_another_policy(world: World) -> None:
    """One threshold changed at the sender: the hash in the header is not the roster's."""
    mine = under(world, EXCHANGE.sha256)
    data = mine.seal(answer(), policy=replace(EXCHANGE, p_percent=9).sha256)
    with pytest.raises(Refused) as caught:
        open_envelope(data, mine.reader(), NOW, lambda *key: -1)
    assert caught.value.reason is Reason.POLICY


def test_T_P30_there_is_no_rotation_of_pseudonyms() -> None:
    """Changing names weekly does not hide a profile (Cretu, Rusu, de Montjoye 2024): no setting offers it."""
    assert set(Privacy.__dataclass_fields__) == {"preset", "max_rounds"}
    text = (ROOT.parent / "docs" / "privacy.md").read_text("utf-8")
    assert "Cretu" in text


def test_T_P33_no_noise_on_the_way_of_an_answer() -> None:
    """Noise that is repaired afterwards protects nobody: what makes answers imports no source of it."""
    files = [*(ROOT / "security").glob("*.py"), *(ROOT / name for name in BID_PATH)]
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {(path.name, name) for name in names if name in NOISE}
            attribute = isinstance(node, ast.Attribute) and node.attr == "random"
            found |= {(path.name, "np.random")} if attribute else set()
    assert found <= {("releases.py", "secrets"), *KEYS}


KEYS = {("keys.py", "secrets"), ("keyring.py", "secrets"), ("cards.py", "secrets"), ("log.py", "secrets")}
"""Modules that draw salts and keys; none of them makes an answer."""
