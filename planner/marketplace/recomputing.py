"""The clear again, by anybody who holds the marketplace's part of a run: same words, same market, to the byte."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from planner.hearing import MARKET
from planner.marketplace.carrier import StoppedError
from planner.marketplace.clearids import clear_id_for
from planner.marketplace.conductor import conduct, read_market, speakers
from planner.marketplace.mail import now
from planner.marketplace.office import Office
from planner.marketplace.payloads import FILE, Record, read_payloads
from planner.marketplace.store import MessageStore
from planner.problems import InvalidInput, Problem
from planner.security.keys import Identity
from planner.security.refusal import Refused
from planner.security.roster import Roster

ROSTER = "market/roster.json"


@dataclass(frozen=True)
class Recomputed:
    """How many messages were verified, which tables were compared, and which of them differ."""

    messages: int
    compared: tuple[str, ...]
    differing: tuple[str, ...]
    broken: str = ""

    @property
    def same(self) -> bool:
        return not self.differing and not self.broken


def recompute(run: Path) -> Recomputed:
    """Verify every payload, run the rounds on them, and compare the market's tables with those of ``run``."""
    for name in (FILE, ROSTER, "market/case/groups.csv", "market/case/case.toml"):
        if not (run / name).is_file():
            hint = "name what planner marketplace serve wrote, or what planner share --for market gave of it"
            raise InvalidInput([Problem(name, 0, "is missing", hint=hint)])
    market = read_market(run / "market" / "case")
    try:
        roster = Roster.from_bytes((run / ROSTER).read_bytes())
        messages = list(read_payloads(run / FILE, roster, len(market.city.grid)))
    except Refused as refused:
        return Recomputed(0, (), (), f"a payload does not verify: {refused.reason.value}")
    if not _sent(run) <= {row.envelope.rstrip(b"\n") for row, _ in messages}:
        return Recomputed(len(messages), (), (), "a message of the outbox is not among the payloads")
    try:
        (name,) = {opened.header.round for _, opened in messages}
        market = replace(market, clear_id=clear_id_for(market.clear_id, name))
    except ValueError:
        return Recomputed(len(messages), (), (), "the payloads are not those of one clear of this day")
    with tempfile.TemporaryDirectory(prefix="planner-") as scratch:
        office = _nobody(roster, market.clear_id, len(market.city.grid), Path(scratch) / "empty")
        record = Record(office, market.lit, speakers(market, roster), 0.0)
        record.load(iter(messages))
        try:
            conduct(market, record, Path(scratch) / "run")
        except StoppedError:
            return Recomputed(len(messages), (), (), "the payloads end before the clear does")
        return _compared(run, Path(scratch) / "run", len(messages))


def _sent(run: Path) -> set[bytes]:
    """The envelopes of the run's outbox."""
    return {line for path in (run / "outbox").glob("*.jsonl") for line in path.read_bytes().splitlines()}


def _compared(run: Path, again: Path, messages: int) -> Recomputed:
    tables = sorted(p.relative_to(again).as_posix() for p in (again / "market").rglob("*.csv") if "case" not in p.parts)
    tables += sorted(p.relative_to(again).as_posix() for p in (again / "outbox").glob("*.jsonl"))
    differing = [name for name in tables if not _same(run / name, again / name)]
    return Recomputed(messages, tuple(tables), tuple(differing))


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def _nobody(roster: Roster, clear_id: str, intervals: int, state: Path) -> Office:
    """An office that receives nothing: keys are not needed to read what was opened."""
    return Office(Identity.ephemeral(MARKET), roster, MessageStore(state), clear_id, intervals, now)
