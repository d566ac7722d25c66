"""The first forecast against numbers worked out by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from planner.forecast import Forecast, forecast, known_until
from planner.meters import table
from planner.meters.read import Metered
from planner.problems import InvalidInput, Problem
from planner.timegrid import day_grid

ZONE = "Europe/Stockholm"
LOAD = {"load": "use", "node": "flat", "meter": "m", "meter_includes": ""}
PLANT = {"plant": "roof", "node": "flat", "meter": "pv", "profile": "", "peak_kw": 4.0}


@dataclass
class World:
    """As much of a case as a forecast looks at."""

    date: dt.date
    loads: list[dict[str, object]]
    solar: list[dict[str, object]] = field(default_factory=list)
    part_of: dict[str, str] = field(default_factory=dict)
    minutes: int = 60
    look_ahead: float = 0
    gate_closure: str = "D-1 12:00"
    delay: float = 36

    def case(self, profiles: pd.DataFrame | None = None, batteries: tuple[str, ...] = ()) -> SimpleNamespace:
        plants = pd.DataFrame(self.solar, columns=list(PLANT))
        meters = pd.DataFrame([(m, self.part_of.get(m, "")) for m in ("m", "pv", "sub")], columns=["meter", "part_of"])
        empty = pd.DataFrame(columns=["node"])
        tables = {"loads": pd.DataFrame(self.loads, columns=list(LOAD)), "solar": plants, "wind": plants.iloc[:0]}
        tables |= {"batteries": pd.DataFrame({"node": list(batteries)}), "vehicles": empty, "appliances": empty}
        market = SimpleNamespace(gate_closure=self.gate_closure, meter_delay_hours=self.delay)
        return SimpleNamespace(
            settings=SimpleNamespace(timezone=ZONE, market=market),
            grid=day_grid(self.date, ZONE, self.minutes, self.look_ahead),
            tables=tables,
            meters=meters,
            profiles=pd.DataFrame(columns=["profile", "interval", "start", "value"]) if profiles is None else profiles,
            problem=lambda name, row, what, value="", hint="": Problem(f"{name}.csv", row + 2, what, value, hint),
            **{key: tables[key] for key in ("loads", "solar", "wind")},
        )

    def forecast(self, *frames: pd.DataFrame, **more: object) -> Forecast:
        metered = Metered(table.finished(table.concat(frames)), ())
        return forecast(self.case(**more), metered)  # type: ignore[arg-type]


def history(meter: str, channel: str, first: str, last: str, kwh: object, minutes: int = 60) -> pd.DataFrame:
    """Readings from local midnight of ``first`` up to that of ``last``; ``kwh`` is a function of the local stamps."""
    days = pd.DatetimeIndex([first, last]).tz_localize(ZONE).tz_convert("UTC")
    starts = pd.date_range(days[0], days[1], freq=f"{minutes}min", inclusive="left")
    values = kwh(starts.tz_convert(ZONE)) if callable(kwh) else np.full(len(starts), kwh)
    return table.build(meter, channel, table.seconds(starts.to_series()), minutes, values, "actual", 0)


def by_day(local: pd.DatetimeIndex) -> np.ndarray:
    """1 on working days, 2 on Saturdays, 3 on Sundays, plus a hundredth of the hour."""
    day = local.day_of_week.to_numpy()
    return np.where(day < 5, 1.0, day - 3.0) + local.hour.to_numpy() / 100


@pytest.mark.parametrize(("date", "level"), [("2026-06-10", 1), ("2026-06-13", 2), ("2026-06-14", 3)])
def test_the_mean_of_the_same_day_type(date: str, level: int) -> None:
    world = World(dt.date.fromisoformat(date), [LOAD])
    found = world.forecast(history("m", "import", "2026-04-27", "2026-06-15", by_day))
    assert np.allclose(found.load_kwh["use"], level + np.arange(24) / 100)
    assert found.notes == ()
    row = found.errors.iloc[0]
    assert (row["meter"], row["held_back_days"]) == ("m", 7)
    assert row["mae_kwh"] == pytest.approx(0, abs=1e-12)


def test_a_mean_is_a_mean_over_four_weeks() -> None:
    """Tuesdays weigh one in five of the twenty working days."""
    world = World(dt.date(2026, 6, 10), [LOAD])
    frame = history("m", "import", "2026-03-02", "2026-06-09", lambda s: np.where(s.day_of_week == 1, 6.0, 1.0))
    assert np.allclose(world.forecast(frame).load_kwh["use"], 2.0)


def test_what_was_metered_after_gate_closure_is_not_known() -> None:
    """Closure on 9 June at 12:00 less 36 hours: nothing that ends after 8 June 00:00."""
    world = World(dt.date(2026, 6, 10), [LOAD])
    assert known_until(world.case(), world.date) == dt.datetime(2026, 6, 7, 22, tzinfo=dt.UTC).timestamp()  # type: ignore[arg-type]
    before = history("m", "import", "2026-05-04", "2026-06-08", 1.0)
    after = history("m", "import", "2026-06-08", "2026-06-12", 99.0)
    assert np.allclose(world.forecast(before, after).load_kwh["use"], 1.0)
    late = World(dt.date(2026, 6, 10), [LOAD], gate_closure="D-1 14:00", delay=0)
    assert late.forecast(before, after).load_kwh["use"].max() > 5


def test_autumn_repeats_the_hour_and_spring_drops_it() -> None:
    autumn = World(dt.date(2026, 10, 25), [LOAD], look_ahead=2)
    found = autumn.forecast(history("m", "import", "2026-08-31", "2026-10-24", by_day)).load_kwh["use"]
    hours = [0, 1, 2, 2, *range(3, 24)]
    assert np.allclose(found, [*(3 + h / 100 for h in hours), 1.00, 1.01])
    spring = World(dt.date(2026, 3, 29), [LOAD])
    found = spring.forecast(history("m", "import", "2026-02-02", "2026-03-28", by_day)).load_kwh["use"]
    assert np.allclose(found, [3 + h / 100 for h in range(24) if h != 2])


def test_history_with_clock_changes_stays_on_the_clock() -> None:
    world = World(dt.date(2026, 11, 8), [LOAD])
    found = world.forecast(history("m", "import", "2026-10-05", "2026-11-06", by_day))
    assert np.allclose(found.load_kwh["use"], 3 + np.arange(24) / 100)


def test_finer_readings_serve_a_coarser_market_and_the_reverse() -> None:
    fine = history("m", "import", "2026-05-04", "2026-06-08", 0.25, minutes=15)
    assert np.allclose(World(dt.date(2026, 6, 10), [LOAD]).forecast(fine).load_kwh["use"], 1.0)
    coarse = World(dt.date(2026, 6, 10), [LOAD], minutes=15).forecast(
        history("m", "import", "2026-05-04", "2026-06-08", 1)
    )
    assert np.allclose(coarse.load_kwh["use"], 0.25)
    assert any("spread evenly" in note for note in coarse.notes)


def test_production_behind_the_meter_is_added_back() -> None:
    world = World(dt.date(2026, 6, 10), [{**LOAD, "meter_includes": "solar;battery"}], [PLANT])
    span = ("2026-05-04", "2026-06-08")
    frames = (
        history("m", "import", *span, 0.0),
        history("m", "export", *span, 2.0),
        history("pv", "production", *span, 3.0),
    )
    found = world.forecast(*frames, batteries=("flat",))
    assert np.allclose(found.load_kwh["use"], 1.0)
    assert np.allclose(found.plant_kwh["roof"], 3.0)
    assert any("battery behind its meter" in note for note in found.notes)


def test_a_profile_stands_in_for_a_plant_without_a_meter() -> None:
    world = World(
        dt.date(2026, 6, 10), [{**LOAD, "meter_includes": "solar"}], [{**PLANT, "meter": "", "profile": "sun_pu"}]
    )
    profiles = pd.DataFrame({"profile": "sun_pu", "interval": range(1, 25), "start": pd.NaT, "value": 0.5})
    found = world.forecast(history("m", "net", "2026-05-04", "2026-06-08", -1.0), profiles=profiles)
    assert np.allclose(found.load_kwh["use"], 1.0)
    assert any("from its profile" in note for note in found.notes)
    unknown = World(dt.date(2026, 6, 10), [{**LOAD, "meter_includes": "solar"}], [{**PLANT, "meter": ""}])
    notes = unknown.forecast(history("m", "import", "2026-05-04", "2026-06-08", 1.0)).notes
    assert any("still inside" in note for note in notes)


def test_sub_meters_are_taken_out_once() -> None:
    span = ("2026-05-04", "2026-06-08")
    world = World(dt.date(2026, 6, 10), [LOAD, {**LOAD, "load": "shop", "meter": "sub"}], part_of={"sub": "m"})
    found = world.forecast(history("m", "import", *span, 5.0), history("sub", "import", *span, 2.0))
    assert np.allclose(found.load_kwh["use"], 3.0)
    assert np.allclose(found.load_kwh["shop"], 2.0)
    both = World(dt.date(2026, 6, 10), [{**LOAD, "meter_includes": "solar"}], [PLANT], {"pv": "m"})
    found = both.forecast(history("m", "import", *span, 1.0), history("pv", "production", *span, 2.0))
    assert np.allclose(found.load_kwh["use"], 3.0)


def test_only_devices_without_a_sub_meter_are_said_to_be_inside() -> None:
    span = ("2026-05-04", "2026-06-08")
    world = World(dt.date(2026, 6, 10), [{**LOAD, "meter_includes": "battery"}], part_of={"sub": "m"})
    frames = history("m", "import", *span, 5.0), history("sub", "net", *span, 2.0)
    found = world.forecast(*frames, batteries=("flat",))
    assert np.allclose(found.load_kwh["use"], 3.0)
    assert not any("still inside" in note for note in found.notes)
    two = world.forecast(*frames, batteries=("flat", "flat"))
    assert any("of which 1 without a sub-meter" in note for note in two.notes)


def test_never_negative_and_said() -> None:
    found = World(dt.date(2026, 6, 10), [LOAD]).forecast(history("m", "net", "2026-05-04", "2026-06-08", -1.0))
    assert np.allclose(found.load_kwh["use"], 0.0)
    assert any("would be negative" in note for note in found.notes)


def test_too_little_history_falls_back_and_says_so() -> None:
    found = World(dt.date(2026, 6, 14), [LOAD]).forecast(history("m", "import", "2026-06-01", "2026-06-05", by_day))
    assert np.allclose(found.load_kwh["use"], 1 + np.arange(24) / 100)
    assert any("from 4 days of history" in note for note in found.notes)
    assert any("for lack of such a day" in note for note in found.notes)


def test_no_history_is_a_problem_with_a_line() -> None:
    world = World(dt.date(2026, 6, 10), [LOAD, {**LOAD, "load": "other", "meter": "sub"}])
    with pytest.raises(InvalidInput) as caught:
        world.forecast(history("m", "import", "2026-06-09", "2026-06-12", 1.0))
    assert [problem.line for problem in caught.value.errors] == [2, 3]
    with pytest.raises(InvalidInput, match="gate_closure cannot be read"):
        World(dt.date(2026, 6, 10), [LOAD], gate_closure="noon").forecast(
            history("m", "import", "2026-05-04", "2026-06-08", 1)
        )


def test_errors_hold_days_back_honestly() -> None:
    """A level that doubles on the last week is missed by half of its energy at first."""
    frame = history(
        "m",
        "import",
        "2026-05-04",
        "2026-06-08",
        lambda s: np.where(s >= pd.Timestamp("2026-06-01", tz=ZONE), 2.0, 1.0),
    )
    row = World(dt.date(2026, 6, 10), [LOAD]).forecast(frame).errors.iloc[0]
    assert row["held_back_days"] == 7
    assert 0.3 < row["wape"] < 0.5


def test_rows_in_any_order() -> None:
    frame = history("m", "import", "2026-05-04", "2026-06-08", by_day)
    world = World(dt.date(2026, 6, 10), [LOAD])
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    assert np.array_equal(world.forecast(frame).load_kwh["use"], world.forecast(shuffled).load_kwh["use"])
