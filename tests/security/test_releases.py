"""The release ledger and the questions that the gate asks it: across answers, clears, days and months."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.security.churn import CHANGED, LOCKED, Standing, standing
from planner.security.enrolment import EnrolledUnit, Enrolment, Level
from planner.security.gate import Decision, Gate, Refusal, Release, ReleaseCandidate, Step
from planner.security.policy import EXCHANGE, Policy
from planner.security.releases import NoLedgerError, ReleaseLedger, Said
from planner.security.reviews import Reviews
from planner.security.slot import Slot

HOUR = 3600


def day(number: int, month: int = 6, look_ahead_h: int = 0) -> Slot:
    begin = (31 * month + number) * 24 * HOUR
    return Slot(f"2026-{month:02}-{number:02}", begin, begin + 24 * HOUR, begin + (24 + look_ahead_h) * HOUR)


def units(names: Iterable[int], building: str = "b") -> tuple[EnrolledUnit, ...]:
    return tuple(EnrolledUnit(f"{building}-u{n:03}", f"{building}-o{n:03}", building, 100) for n in names)


class Site:
    """One group of a site through days and months."""

    def __init__(self, ledger: ReleaseLedger, policy: Policy = EXCHANGE) -> None:
        self.ledger, self.policy = ledger, policy
        self.gate = Gate(policy, reviews=Reviews(ledger).all)
        self.sequence = 0

    def enrolled(self, names: Iterable[int], slot: Slot, group: str = "b", level: Level = Level.BUILDING) -> Enrolment:
        today = Enrolment(group, level, units(names))
        return self.standing(today, slot).known(today)

    def standing(self, today: Enrolment, slot: Slot) -> Standing:
        return standing(self.ledger, slot, self.policy, today)

    def say(
        self,
        enrolment: Enrolment,
        slot: Slot,
        delta: object = 50,
        clear: str = "clear-1",
        kind: str = "commit",
    ) -> Decision:
        array = np.zeros((len(enrolment.units), 2), dtype=np.int64) + np.asarray(delta, dtype=np.int64)
        total = tuple(array.sum(axis=0).tolist())
        fields = {"position_wh": total, "cost": 5} if kind == "commit" else {"round": 0, "lots": total, "cost": 5}
        candidate = ReleaseCandidate(enrolment, kind, clear, self.sequence, fields, array, slot)
        decision = self.gate.decide(candidate)
        if isinstance(decision, Release):
            self.ledger.record(candidate, decision)
            self.sequence += 1
        return decision


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(ReleaseLedger(tmp_path / "site.releases.sqlite"))


def step(decision: Decision) -> Step:
    assert isinstance(decision, Refusal), decision
    return decision.step


def some(count: int, of: int = 20, wh: int = 7) -> np.ndarray:
    """50 Wh each, ``wh`` more for the first ``count``."""
    return 50 + wh * (np.arange(of) < count)[:, None]


# --- successive answers


@pytest.mark.parametrize(("changed", "leaves"), [(0, True), (1, False), (4, False), (5, True)])
def test_T_P11_successive_answers(site: Site, changed: int, leaves: bool) -> None:
    """T-P11: answers to two prices are two points of a curve; a step between them that belongs to a few stays in."""
    twenty = site.enrolled(range(20), day(1))
    assert isinstance(site.say(twenty, day(1), kind="answer"), Release)
    decision = site.say(twenty, day(1), some(changed), kind="answer")
    assert isinstance(decision, Release) is leaves
    assert leaves or step(decision) is Step.SUCCESSIVE


def test_answers_that_do_not_follow_each_other_are_compared_too(site: Site) -> None:
    """Five change and four of them change back: the third answer differs from the first in one."""
    twenty = site.enrolled(range(20), day(1))
    one = np.array(some(0))
    one[4] += 7
    assert isinstance(site.say(twenty, day(1), some(0), kind="answer"), Release)
    assert isinstance(site.say(twenty, day(1), some(5), kind="answer"), Release)
    assert step(site.say(twenty, day(1), one, kind="answer")) is Step.SUCCESSIVE


def test_one_occupant_with_two_units_is_one_change(site: Site) -> None:
    pair = units(range(20))
    shared = tuple(replace(unit, occupant=f"b-o{n // 2:03}") for n, unit in enumerate(pair))
    today = Enrolment("b", Level.BUILDING, (*shared, *units(range(20, 40))))
    enrolment = site.standing(today, day(1)).known(today)
    assert isinstance(site.say(enrolment, day(1)), Release)
    assert step(site.say(enrolment, day(1), some(8, of=40))) is Step.SUCCESSIVE
    assert isinstance(site.say(enrolment, day(1), some(10, of=40)), Release)


def test_who_joined_since_helps_no_count_of_changes(site: Site) -> None:
    """One of twenty changes with four probe accounts: the difference, less the probes, is the one."""
    site.say(site.enrolled(range(20), day(1)), day(1), kind="answer")
    probed = site.enrolled(range(24), day(1))
    moved = np.array(some(0, of=24))
    moved[19:] += 7
    assert step(site.say(probed, day(1), moved, kind="answer")) is Step.SUCCESSIVE
    moved[15:19] += 7
    assert isinstance(site.say(probed, day(1), moved, kind="answer"), Release)


def test_one_who_joins_with_something_is_a_change(site: Site) -> None:
    """Nobody else changes: the second answer, less the first, is all that the newcomer does."""
    site.say(site.enrolled(range(20), day(1)), day(1), kind="answer")
    assert step(site.say(site.enrolled(range(21), day(1)), day(1), kind="answer")) is Step.SUCCESSIVE


def houses(site: Site) -> list[Enrolment]:
    """Five buildings of twenty, alone, and at the end their sum."""
    alone = [Enrolment(name, Level.BUILDING, units(range(20), name)) for name in "bcdef"]
    everybody = Enrolment("sum", Level.COHORT, tuple(unit for house in alone for unit in house.units))
    known = site.standing(everybody, day(1)).known
    return [known(group) for group in (*alone, everybody)]


@pytest.mark.parametrize(("changed", "leaves"), [(0, True), (1, False), (4, False), (5, True)])
def test_answers_of_two_groups_of_the_same_buildings(site: Site, changed: int, leaves: bool) -> None:
    """The sum of a second clear, less what its buildings said alone in the first, is whoever changed between them."""
    *alone, everybody = houses(site)
    for house in alone:
        assert isinstance(site.say(house, day(1), clear="alone"), Release)
    decision = site.say(everybody, day(1), some(changed, of=100), clear="summed")
    assert isinstance(decision, Release) is leaves
    assert leaves or step(decision) is Step.SUCCESSIVE


def test_one_who_moves_where_nobody_did_is_a_change(site: Site) -> None:
    """A building that said nothing but zeros alone, and the sum in which one of it does something."""
    house, *_, everybody = houses(site)
    assert isinstance(site.say(house, day(1), 0, clear="alone"), Release)
    moved = np.full((100, 1), 50)
    moved[1:20] = 0
    assert step(site.say(everybody, day(1), moved, clear="summed")) is Step.SUCCESSIVE


def said_by(group: str, roster: str, **moved: str) -> Said:
    """Places are two letters, building and occupant; ``moved`` has the hashes of their positions."""
    return Said(group, frozenset((p[0], p[1]) for p in roster.split()), {(p[0], p[1]): h for p, h in moved.items()})


@pytest.mark.parametrize(
    ("one", "other", "changed"),
    [
        (said_by("g", "a1 a2", a1="x"), said_by("g", "a1", a1="y"), "a1"),
        (said_by("g", "a1 a2", a2="x"), said_by("g", "a1"), "a2"),  # one group: also who is on one roster alone
        (said_by("g", "a1 b1", b1="x"), said_by("g", "a1"), "b1"),  # and in a building of one of them alone
        (said_by("g", "a1 a2", a1="x", a2="x"), said_by("h", "a1 b1", a1="y"), "a1"),
        (said_by("g", "a1", a1="x", b1="x"), said_by("h", "a1 b1", a1="x"), ""),  # on one roster alone
        (said_by("g", "a1", a1="x", a3="x"), said_by("h", "a1", a1="x"), "a3"),  # joined since, on neither
        (said_by("g", "a1 b1", a1="x", b1="x"), said_by("h", "a1 c1", a1="x", c1="x"), ""),  # not of both
        (said_by("g", "a1", a1="x", b2="y"), said_by("h", "a1 c1", a1="x"), ""),  # joined where one alone speaks
        (said_by("g", "a1 b1", b1="x", b2="y"), said_by("h", "a1 c1", b2="x"), "b2"),  # spoken for, all new there
    ],
)
def test_whose_position_two_answers_tell_apart(one: Said, other: Said, changed: str) -> None:
    expected = {(place[0], place[1]) for place in changed.split()}
    assert one.changed(other) == other.changed(one) == expected


def test_a_group_is_held_against_all_that_bore_its_name(site: Site) -> None:
    """A name that stood for others before; of other names, only what is about the same people."""
    slot = day(1)
    assert isinstance(site.say(site.enrolled(range(20), slot), slot), Release)
    strangers = Enrolment("b", Level.BUILDING, units(range(20), "z"))
    places = strangers.places
    assert [said.group for said in site.ledger.said_of(slot, places, "b")] == ["b"]
    assert list(site.ledger.said_of(slot, places, "c")) == []
    assert [spoken.group for spoken in site.ledger.same_day(strangers, slot)] == ["b"]
    assert site.ledger.same_day(replace(strangers, group="c"), slot) == []
    known = site.enrolled(range(20), slot)
    assert [said.group for said in site.ledger.said_of(slot, known.places, "c")] == ["b"]


def test_two_sites_know_nobody_by_the_same_name(tmp_path: Path) -> None:
    """Occupants, positions and rosters are salted: what one ledger holds cannot be looked up in another."""
    slot, held = day(1), []
    for name in ("one", "two"):
        site = Site(ReleaseLedger(tmp_path / f"{name}.sqlite"))
        plain = Enrolment("b", Level.BUILDING, units(range(20)))
        site.ledger.fix_roster(slot.epoch, plain.members)
        plain = replace(plain, fixed=plain.members)
        candidate = ReleaseCandidate(plain, "commit", "c", 0, {}, np.full((20, 2), 50, dtype=np.int64), slot)
        assert isinstance(site.say(plain, slot), Release)
        site.ledger.close()
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as db:
            (roster,) = db.execute("SELECT sha256 FROM roster").fetchone()
        digests = set(site.ledger.would_say(candidate).digests.values())
        assert len(digests) == 1, "equal positions look alike within a site"
        held.append({site.ledger.hashed("b-o001"), *digests, roster})
        site.ledger.close()
    assert held[0].isdisjoint(held[1])


# --- the same day again


def test_a_clear_repeated_with_the_same_input_is_the_same_release(site: Site) -> None:
    twenty = site.enrolled(range(20), day(1))
    answers = [some(0), some(5), some(10)]
    first = [site.say(twenty, day(1), delta) for delta in answers]
    again = [site.say(twenty, day(1), delta) for delta in answers]
    assert all(isinstance(decision, Release) for decision in [*first, *again])
    assert len(list(site.ledger.said_of(day(1)))) == 3


def test_another_input_is_another_clear_about_the_same_people(site: Site) -> None:
    """Everybody may have changed or nobody; if one did, the two clears are subtracted."""
    twenty = site.enrolled(range(20), day(1))
    site.say(twenty, day(1), clear="clear-1")
    assert isinstance(site.say(twenty, day(1), clear="clear-2"), Release)
    assert isinstance(site.say(twenty, day(1), some(20), clear="clear-2"), Release)
    assert step(site.say(twenty, day(1), some(1), clear="clear-3")) is Step.SUCCESSIVE


def test_T_P19_an_amendment_with_other_people(site: Site) -> None:
    """One member fewer is a nested difference; six fewer are not, but the day was about others."""
    slot = day(1)
    everybody = site.enrolled(range(26), slot)
    assert isinstance(site.say(everybody, slot), Release)
    fewer = Enrolment("b", Level.BUILDING, everybody.units[1:])
    assert step(site.say(fewer, slot, clear="clear-2", delta=90)) is Step.DIFFERENCING
    fewer = Enrolment("b", Level.BUILDING, everybody.units[6:])
    assert step(site.say(fewer, slot, clear="clear-2", delta=90)) is Step.ONCE
    assert isinstance(site.say(everybody, slot, clear="clear-2", delta=90), Release)


def test_T_P21_a_settlement_run_again_after_a_move_out(site: Site) -> None:
    """A month later the roster is another; the old day can only be spoken of with the old one."""
    slot = day(1)
    old = site.enrolled(range(70), slot)
    assert isinstance(site.say(old, slot), Release)
    site.say(site.enrolled(range(1, 70), day(1, 7)), day(1, 7))
    late = Enrolment("b", Level.BUILDING, old.units[1:])
    assert step(site.say(late, slot, clear="again", delta=90)) is Step.DIFFERENCING
    assert isinstance(site.say(site.enrolled(range(1, 70), slot), slot, clear="again", delta=0), Release)


def test_T_P15_a_total_beside_a_total_without_one(site: Site) -> None:
    slot = day(1)
    everybody = site.enrolled(range(20), slot)
    assert isinstance(site.say(everybody, slot), Release)
    rest = tuple(member for member in everybody.members if member.occupant != everybody.units[0].occupant)
    fewer = replace(everybody, group="b-most", units=everybody.units[1:], fixed=rest)
    assert step(site.say(fewer, slot)) is Step.DIFFERENCING


def town(site: Site, **sizes: int) -> Callable[[str], Enrolment]:
    """Buildings of so many occupants each; ``of`` gives the group of those that it names by their letters."""
    every = {name: units(range(size), name) for name, size in sizes.items()}
    whole = Enrolment("town", Level.COHORT, tuple(unit for found in every.values() for unit in found))
    known = site.standing(whole, day(1)).known
    return lambda names: known(Enrolment(names, Level.BUILDING, tuple(u for name in names for u in every[name])))


def test_T_P16_sums_of_which_no_two_differ_in_a_few(site: Site) -> None:
    """ap + cq - ac = pq: the two pairs, through the gate."""
    of = town(site, a=20, c=20, p=2, q=2)
    assert isinstance(site.say(of("ap"), day(1)), Release)
    assert isinstance(site.say(of("cq"), day(1)), Release)
    assert step(site.say(of("ac"), day(1))) is Step.DIFFERENCING


def test_T_P15_one_in_the_place_of_another(site: Site) -> None:
    """Neither follows alone from a with x and a with y, but what tells them apart does."""
    of = town(site, a=20, x=1, y=1)
    assert isinstance(site.say(of("ax"), day(1)), Release)
    assert step(site.say(of("ay"), day(1))) is Step.DIFFERENCING


def test_a_neighbour_that_nobody_shares_makes_no_difference(site: Site) -> None:
    of = town(site, a=20, x=1, z=20)
    assert isinstance(site.say(of("ax"), day(1)), Release)
    assert isinstance(site.say(of("z"), day(1)), Release)
    assert step(site.say(of("a"), day(1))) is Step.DIFFERENCING


def test_one_occupant_of_two_buildings_is_one_change(site: Site) -> None:
    both = [
        replace(unit, occupant=f"o{n:02}") for building in "bc" for n, unit in enumerate(units(range(20), building))
    ]
    today = Enrolment("bc", Level.BUILDING, tuple(both))
    enrolment = site.standing(today, day(1)).known(today)
    assert isinstance(site.say(enrolment, day(1)), Release)
    moved = 50 + 7 * ((np.arange(40) % 20) < 4)[:, None]
    assert step(site.say(enrolment, day(1), moved)) is Step.SUCCESSIVE
    moved[4] += 7
    assert isinstance(site.say(enrolment, day(1), moved), Release)


def test_look_ahead_counts_as_said(site: Site) -> None:
    """What is said of tomorrow's morning is subtracted from what tomorrow says of it."""
    last, first = day(31, 7, look_ahead_h=12), day(1, 8)
    assert last.until > first.begin
    assert isinstance(site.say(site.enrolled(range(70), last), last), Release)
    assert step(site.say(site.enrolled(range(1, 70), first), first)) is Step.DIFFERENCING
    assert isinstance(site.say(site.enrolled(range(1, 70), day(2, 8)), day(2, 8)), Release)


def test_look_ahead_is_held_against_what_the_next_day_said(site: Site) -> None:
    """The same the other way round: yesterday cleared after today."""
    last, first = day(31, 7, look_ahead_h=12), day(1, 8)
    assert isinstance(site.say(site.enrolled(range(1, 70), first), first), Release)
    assert step(site.say(site.enrolled(range(70), last), last)) is Step.DIFFERENCING


@pytest.mark.parametrize("cut", [{"until": 48}, {"settled_until": 23}, {"begin": 1}, {"step_s": 900}], ids=str)
@pytest.mark.parametrize("summed", [False, True])
def test_a_day_cut_otherwise_could_not_be_compared(site: Site, cut: dict[str, int], summed: bool) -> None:
    """Another look-ahead, another step: the same hours, in answers that no hash can hold against each other."""
    house, *_, everybody = houses(site)
    assert isinstance(site.say(house, day(1)), Release)
    changes = {name: value if name == "step_s" else day(1).begin + value * HOUR for name, value in cut.items()}
    other = replace(day(1), **changes)
    assert step(site.say(everybody if summed else house, other, 90)) is Step.ONCE


def test_exposure_counts_every_hour_once(site: Site) -> None:
    """Two days with a look-ahead that overlap, one of them cleared twice; another group is counted apart."""
    for number in (1, 2):
        slot = replace(day(number, look_ahead_h=12), step_s=HOUR)
        enrolment = site.enrolled(range(20), slot)
        assert isinstance(site.say(enrolment, slot, clear=f"c{number}"), Release)
        assert isinstance(site.say(enrolment, slot, clear=f"c{number}"), Release)
    assert isinstance(site.say(enrolment, slot, 90, clear="again"), Release)
    assert site.ledger.exposure("b") == (2, 24 + 24 + 12, 3, 3)
    assert site.ledger.exposure("another") == (0, 0, 0, 0)


# --- months


def test_T_P22_one_leaves_a_group_of_thirty(site: Site) -> None:
    """No effect until the month ends; then silence, for as many months as it takes until five have changed."""
    assert isinstance(site.say(site.enrolled(range(30), day(1)), day(1)), Release)
    mid = site.enrolled(range(1, 30), day(15))
    assert len(mid.places) == 30
    assert isinstance(site.say(mid, day(15)), Release)
    for month, left in ((7, 1), (8, 3), (9, 4)):
        now = site.enrolled(range(left, 30), day(1, month))
        assert len(now.places) == 30 - left
        assert site.standing(now, day(1, month)).objection(now, EXCHANGE) == CHANGED
        assert step(site.say(now, day(1, month))) is Step.CHURN
    now = site.enrolled(range(5, 30), day(1, 10))
    assert isinstance(site.say(now, day(1, 10)), Release)
    now = site.enrolled(range(6, 30), day(1, 11))  # one since October, six since June
    assert step(site.say(now, day(1, 11))) is Step.CHURN


def test_a_group_of_sixty_does_not_wait(site: Site) -> None:
    assert isinstance(site.say(site.enrolled(range(61), day(1)), day(1)), Release)
    assert isinstance(site.say(site.enrolled(range(1, 61), day(1, 7)), day(1, 7)), Release)
    assert step(site.say(site.enrolled(range(2, 61), day(1, 8)), day(1, 8))) is Step.CHURN


def test_T_P23_a_probe_account_for_one_day(site: Site) -> None:
    """It joins and is gone the next day: the month's roster takes no notice of it, and it helps no count."""
    site.say(site.enrolled(range(20), day(1)), day(1))
    probed = site.enrolled([*range(20), 99], day(2))
    assert len(probed.places) == 20
    assert list(probed.on_roster).count(False) == 1
    quiet = np.zeros((21, 1), dtype=np.int64)
    quiet[-5:] = 50
    assert step(site.say(probed, day(2), quiet)) is Step.ACTIVE
    assert isinstance(site.say(probed, day(2)), Release)
    assert isinstance(site.say(site.enrolled(range(20), day(3)), day(3)), Release)


def test_a_roster_may_be_written_anew_until_the_first_release(site: Site) -> None:
    assert len(site.enrolled(range(20), day(1)).places) == 20
    assert len(site.enrolled(range(25), day(1)).places) == 25
    site.say(site.enrolled(range(25), day(1)), day(1))
    assert len(site.enrolled(range(20), day(1)).places) == 25


def test_without_a_fixed_roster_nothing_leaves(site: Site) -> None:
    today = Enrolment("b", Level.BUILDING, units(range(20)))
    assert step(site.say(today, day(1))) is Step.CHURN


def test_T_P25_taking_turns_between_speech_and_silence(site: Site) -> None:
    now = site.enrolled(range(20), day(1))
    for number, spoke in ((1, True), (2, False), (3, True)):
        assert site.standing(now, day(number)).objection(now, EXCHANGE) is None
        site.ledger.note_day("b", day(number), spoke)
    assert site.standing(now, day(3)).objection(now, EXCHANGE) is None  # the day itself, cleared again
    assert site.standing(now, day(4)).objection(now, EXCHANGE) == LOCKED
    decision = site.say(site.enrolled(range(20), day(4)), day(4))
    assert step(decision) is Step.CHURN
    assert "by turns" in decision.reason  # type: ignore[union-attr]
    later = site.enrolled(range(20), day(1, 7))
    assert isinstance(site.say(later, day(1, 7)), Release)


def test_a_day_on_which_any_clear_spoke_is_no_silence(site: Site) -> None:
    for number, spoke in ((1, True), (1, False), (2, True), (2, False), (3, True)):
        site.ledger.note_day("b", day(number), spoke)
    assert site.ledger.flips("b", "2026-06", "2026-06-30") == 0


# --- the file


def test_nothing_personal_and_no_quantity_is_in_the_file(tmp_path: Path) -> None:
    site = Site(ReleaseLedger(tmp_path / "l.sqlite"))
    canaries = tuple(replace(u, id=f"canary-{u.id}", occupant=f"canary-{u.occupant}") for u in units(range(20)))
    today = Enrolment("b", Level.BUILDING, canaries)
    assert isinstance(site.say(site.standing(today, day(1)).known(today), day(1), 424_242), Release)
    site.ledger.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"canary" not in data
    assert b"424242" not in data
    assert (424_242).to_bytes(8, "little") not in data


def test_the_file_is_private_and_goes_to_another_process(tmp_path: Path) -> None:
    ledger = ReleaseLedger(tmp_path / "l.sqlite")
    site = Site(ledger)
    site.say(site.enrolled(range(20), day(1)), day(1))
    assert ledger.path is not None
    assert ledger.path.stat().st_mode & 0o077 == 0
    other = pickle.loads(pickle.dumps(site.gate))
    today = Enrolment("b", Level.BUILDING, units(range(20)))
    known = site.standing(today, day(1)).known(today)
    array = np.array(some(1)) + np.zeros((1, 2), dtype=np.int64)
    fields = {"position_wh": tuple(array.sum(axis=0).tolist()), "cost": 5}
    assert step(other.decide(ReleaseCandidate(known, "commit", "x", 0, fields, array, day(1)))) is Step.SUCCESSIVE
    with pytest.raises(TypeError):
        pickle.dumps(ReleaseLedger())


@pytest.mark.parametrize("way", [lambda path: ReleaseLedger(path).all(), ReleaseLedger.copy_of])
def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path, way: Callable[[Path], object]) -> None:
    """A text, and the tables of another version."""
    text, older = tmp_path / "text.sqlite", tmp_path / "older.sqlite"
    text.write_text("not a database\n" * 100)
    with closing(sqlite3.connect(older)) as db:
        db.execute("CREATE TABLE release (grp TEXT)")
    for path in (text, older):
        before = path.read_bytes()
        with pytest.raises(NoLedgerError):
            way(path)
        assert path.read_bytes() == before


def test_a_copy_to_try_things_out_leaves_the_file_alone(tmp_path: Path) -> None:
    site = Site(ReleaseLedger(tmp_path / "l.sqlite"))
    site.say(site.enrolled(range(20), day(1)), day(1))
    copy = ReleaseLedger.copy_of(tmp_path / "l.sqlite")
    assert copy.last_roster("b", "2026-07") == site.ledger.last_roster("b", "2026-07")
    Site(copy).say(site.enrolled(range(20), day(2)), day(2))
    assert len(site.ledger.all()) == 1
    assert not (tmp_path / "none.sqlite").exists()
    assert ReleaseLedger.copy_of(tmp_path / "none.sqlite").all() == []


def test_a_closed_ledger_is_one_whole_file(tmp_path: Path) -> None:
    """Also after somebody read it; and closed while another one is at work, it takes nothing from that one."""
    path = tmp_path / "l.sqlite"
    site, other = Site(ReleaseLedger(path)), ReleaseLedger(path)
    assert other.all() == []
    site.say(site.enrolled(range(20), day(1)), day(1))
    site.ledger.close()
    assert len(other.all()) == 1
    other.close()
    ReleaseLedger.copy_of(path).close()
    assert [p.name for p in tmp_path.iterdir()] == ["l.sqlite"]
    moved = path.rename(tmp_path / "elsewhere")
    assert len(ReleaseLedger.copy_of(moved).all()) == 1
