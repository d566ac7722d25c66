"""What scenarios cost and draw, side by side, read from their run folders and nothing else."""

from __future__ import annotations

import html
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from planner.ledger import Run, read_table

MONEY = ("cost", "savings")
# Measure -> how several delivery days become one number.
MEASURES = {
    "cost": "sum",
    "savings": "sum",
    "peak_import_kw": "max",
    "import_kwh": "sum",
    "export_kwh": "sum",
    "mean_price_per_mwh": "mean",
}
LABELS = {
    "cost": "cost",
    "savings": "savings against no trade",
    "peak_import_kw": "peak of net import, kW",
    "import_kwh": "import, kWh",
    "export_kwh": "export, kWh",
    "mean_price_per_mwh": "mean price per MWh",
}
NOT_SIGNIFICANT = "not significant"
OTHERS_DARK = "Not the same groups are dark in every scenario; part of the differences is theirs."
NOT_DETERMINED = 1e-9


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scenarios side by side; the first is what the others are compared with.

    ``days`` has a row per scenario and delivery day, ``curves`` one per interval (net import in kW, mean price over
    the zones).  ``folder`` holds the runs.
    """

    folder: Path
    currency: str
    days: pd.DataFrame = field(repr=False)
    curves: pd.DataFrame = field(repr=False)

    @property
    def scenarios(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.days["scenario"]))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per scenario, all its days together.

        In currency over the planned horizon: ``cost`` (of all buildings, dark ones at the default tariff), ``savings``
        (of those that trade, against no trade), ``gap``.  Over the delivery days: ``peak_import_kw`` of the city's net
        import, ``import_kwh``, ``export_kwh``, ``mean_price_per_mwh`` (over zones and intervals), ``groups_dark``.
        ``gap_relative`` is the gap to the cost.

        ``<measure>_change`` is the difference to the first scenario, ``<measure>_note`` says where it is not
        significant: money, where it is not more than both gaps together; the rest, as a rule of thumb, where the
        relative change is not more than both relative gaps together.
        """
        ways: dict[str, Any] = {**MEASURES, "gap": "sum", "groups_dark": "max"}
        table = self.days.groupby("scenario", sort=False).agg(ways)
        table["gap_relative"] = table["gap"] / table["cost"].abs().clip(lower=NOT_DETERMINED)
        first = table.iloc[0]
        for measure in MEASURES:
            change = table[measure] - first[measure]
            allowed = table["gap"] + first["gap"]
            if measure not in MONEY:
                size = table[measure].abs().clip(lower=abs(float(first[measure])))
                allowed = (table["gap_relative"] + first["gap_relative"]) * size
            table[f"{measure}_change"] = change
            table[f"{measure}_note"] = (change.abs() <= allowed + NOT_DETERMINED).map(
                {True: NOT_SIGNIFICANT, False: ""}
            )
            table.loc[table.index[0], f"{measure}_note"] = ""
        return table

    def plot(self) -> Any:
        """A figure of price and net import over time, a line per scenario."""
        import matplotlib.pyplot as plt

        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(9, 5.5), layout="constrained")
        plt.close(figure)  # a notebook shows what is returned; without this it would show it twice
        for number, (name, rows) in enumerate(self.curves.groupby("scenario", sort=False)):
            style = {"label": str(name), "linewidth": 2.4 if number == 0 else 1.4, "color": f"C{number % 10}"}
            above.plot(*_stairs(rows, "price_per_mwh"), **style)
            below.plot(*_stairs(rows, "net_import_kw"), **style)
        above.set_ylabel(f"price, {self.currency} per MWh")
        below.set_ylabel("net import of the city, kW")
        below.axhline(0, color="0.5", linewidth=0.8)
        above.legend(frameon=False)
        _label_times(below, self.curves["start"])
        return figure

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(self._label(measure))}</th>" for measure in MEASURES)
        body = "".join(self._row(str(name)) for name in self.table.index)
        table = f"<table><thead><tr><th>scenario</th>{head}<th>gap</th></tr></thead><tbody>{body}</tbody></table>"
        return table + (
            f"<p>{OTHERS_DARK}</p>" if self.days.groupby("delivery_date")["dark"].nunique().max() > 1 else ""
        )

    def _label(self, measure: str) -> str:
        return f"{LABELS[measure]}, {self.currency}" if measure in MONEY else LABELS[measure]

    def _row(self, name: str) -> str:
        row = self.table.to_dict("index")[name]
        cells = [_cell(row, measure, name == self.table.index[0]) for measure in MEASURES]
        gap = f"{row['gap']:,.2f} ({row['gap_relative']:.2%})"
        return f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in (*cells, gap))}</tr>"


def _cell(row: Mapping[Any, Any], measure: str, first: bool) -> str:
    value = f"{row[measure]:,.2f}"
    if first:
        return value
    note = f" {row[f'{measure}_note']}" if row[f"{measure}_note"] else ""
    return f"{value}<br><small>{row[f'{measure}_change']:+,.2f}{note}</small>"


def _stairs(rows: pd.DataFrame, column: str) -> tuple[list[Any], list[Any]]:
    """Corners of a line that holds every interval's value from its start to its end."""
    starts, values = list(rows["start"]), list(rows[column])
    width = starts[1] - starts[0] if len(starts) > 1 else pd.Timedelta(hours=1)
    return [at for start in starts for at in (start, start + width)], [value for value in values for _ in range(2)]


def _label_times(axes: Any, starts: pd.Series) -> None:
    """Hours of one day, or dates of several."""
    import matplotlib.dates as mdates

    timezone = starts.dt.tz
    several = starts.dt.date.nunique() > 1
    axes.xaxis.set_major_locator(mdates.AutoDateLocator(tz=timezone, minticks=4, maxticks=9))
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%d %b %H:%M" if several else "%H:%M", tz=timezone))
    axes.margins(x=0)


def compare_runs(runs: Mapping[tuple[str, str], Run], folder: Path) -> Comparison:
    """Runs by (scenario, delivery date), compared with those of the first scenario."""
    terms = [_terms(run) for run in runs.values()]
    curves = [_curve(name, run, told) for ((name, _), run), told in zip(runs.items(), terms, strict=True)]
    days = [_day(*key, runs[key], curve, told) for key, curve, told in zip(runs, curves, terms, strict=True)]
    return Comparison(
        folder, str(terms[0].get("currency", "")), pd.DataFrame(days), pd.concat(curves, ignore_index=True)
    )


def _day(name: str, date: str, run: Run, curve: pd.DataFrame, terms: Mapping[str, Any]) -> dict[str, Any]:
    """The measures of one run."""
    told, exchange = run.certificate, run.exchange
    objective, bound = float(told["objective"]), told.get("bound")
    dark = _dark_cost(run, terms)
    proven = float("inf") if bound is None else max(0.0, objective - float(bound))
    # What is dark is planned alone, and proven to the asked gap.
    gap = proven + float(terms["solver"]["gap_relative"]) * abs(dark)
    cost, savings = objective + dark, float(told["savings"] or 0.0)
    return {
        "scenario": name,
        "delivery_date": date,
        "cost": cost,
        "savings": savings,
        "groups_dark": int(told.get("groups_dark") or 0),
        "dark": _dark(run),
        "peak_import_kw": float(curve["net_import_kw"].max()),
        "import_kwh": float(exchange["import_kwh"].sum()),
        "export_kwh": float(exchange["export_kwh"].sum()),
        "mean_price_per_mwh": float(run.prices["price_per_mwh"].mean()),
        "gap": gap,
    }


def _dark(run: Run) -> str:
    """The dark groups by name."""
    groups = read_table(run.folder / "market" / "groups.csv")
    return ";".join(sorted(groups.loc[groups["dark"].astype(bool), "group"])) if len(groups) else ""


def _dark_cost(run: Run, terms: Mapping[str, Any]) -> float:
    """What dark buildings cost over the horizon: their own costs, and their trade at the default tariff."""
    tariff, total = terms["default_tariff"], 0.0
    for building in run.buildings:
        root = run.folder / "buildings" / building
        answer = json.loads((root / "answer.json").read_text("utf-8"))
        if answer["dark"]:
            parts = [path for path in (root / "position.csv", root / "look_ahead" / "position.csv") if path.exists()]
            position = pd.concat([read_table(path)["position_kwh"] for path in parts])
            bought, sold = position.clip(lower=0).sum(), -position.clip(upper=0).sum()
            paid = bought * tariff["import_per_mwh"] - sold * tariff["export_per_mwh"]
            total += float(answer["cost"]) + float(paid) / 1000
    return total


def _curve(name: str, run: Run, terms: Mapping[str, Any]) -> pd.DataFrame:
    """Net import of the whole city in kW and the mean price, by interval, in local time."""
    hours = float(terms["interval_minutes"]) / 60
    exchange = run.exchange
    net = (exchange["import_kwh"] - exchange["export_kwh"]).groupby(exchange["start"]).sum() / hours
    price = run.prices.groupby("start")["price_per_mwh"].mean()
    frame = pd.DataFrame({"net_import_kw": net, "price_per_mwh": price}).rename_axis("start").reset_index()
    frame["start"] = frame["start"].dt.tz_convert(str(terms["timezone"]))
    frame.insert(0, "scenario", name)
    return frame


def _terms(run: Run) -> dict[str, Any]:
    return tomllib.loads((run.folder / "market" / "case" / "case.toml").read_text("utf-8"))
