"""A finished run as a value: its tables, read from the folder when they are asked for."""

from __future__ import annotations

import html
import json
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from planner.problems import InvalidInput, Problem

TEXT = (
    *(
        "zone",
        "resource",
        "group",
        "unit",
        "account",
        "line",
        "seller",
        "buyer",
        "order_id",
        "reason",
        "line_id",
        "kind",
    ),
    *("feeders", "counterparty_kind"),
)


class Run:
    """One run folder.  Energy in kWh, money in currency, as floats; the files hold the exact decimals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def certificate(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "certificate.json").read_text("utf-8")))

    @cached_property
    def audit(self) -> dict[str, Any]:
        """The audit's findings; empty while the run has not been audited."""
        path = self.folder / "audit.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}

    @cached_property
    def prices(self) -> pd.DataFrame:
        return self._table("market/prices.csv")

    @cached_property
    def positions(self) -> pd.DataFrame:
        return self._table("market/positions.csv")

    @cached_property
    def acceptances(self) -> pd.DataFrame:
        return self._table("market/acceptances.csv")

    @cached_property
    def flows(self) -> pd.DataFrame:
        return self._table("market/flows.csv")

    @cached_property
    def exchange(self) -> pd.DataFrame:
        return self._table("market/exchange.csv")

    @cached_property
    def settlement(self) -> pd.DataFrame:
        """The marketplace's ledger and every building's, told apart by the column ``ledger``."""
        market = self._table("market/settlement.csv")
        market.insert(0, "ledger", "market")
        return pd.concat([market, self._of_buildings("settlement.csv", "ledger")], ignore_index=True)

    @cached_property
    def trades(self) -> pd.DataFrame:
        return self._of_buildings("trades.csv")

    @cached_property
    def statements(self) -> pd.DataFrame:
        return self._of_buildings("statements.csv")

    @cached_property
    def units(self) -> pd.DataFrame:
        return self._of_buildings("units.csv")

    @cached_property
    def dispatch(self) -> pd.DataFrame:
        return self._of_buildings("dispatch.parquet")

    @property
    def buildings(self) -> tuple[str, ...]:
        """Ids of the buildings whose folders are here: all of them, or the holder's own."""
        root = self.folder / "buildings"
        return tuple(sorted(path.name for path in root.iterdir())) if root.is_dir() else ()

    def plot(self) -> Any:
        """A figure of prices by zone and of what is requested and offered, by the clock of the case."""
        import matplotlib.dates as mdates
        import matplotlib.pyplot as plt

        told = tomllib.loads((self.folder / "market" / "case" / "case.toml").read_text("utf-8"))
        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(9, 5), layout="constrained")
        plt.close(figure)  # a notebook shows what is returned; without this it would show it twice
        for zone, rows in self.prices.groupby("zone"):
            _steps(above, rows.set_index("start")["price_per_mwh"], str(zone))
        above.set_ylabel(f"price, {told.get('currency', '')} per MWh")
        above.legend(frameon=False)
        for name, sign in (("requested_kwh", 1), ("offered_kwh", -1)):
            _steps(below, self.positions.groupby("start")[name].sum() * sign, name.removesuffix("_kwh"))
        below.set_ylabel("kWh per interval")
        clock = ZoneInfo(told.get("timezone", "UTC"))
        below.xaxis.set_major_locator(mdates.AutoDateLocator(tz=clock))
        below.xaxis.set_major_formatter(mdates.DateFormatter("%H:%M", tz=clock))
        below.margins(x=0)
        below.legend(frameon=False)
        return figure

    def __repr__(self) -> str:
        told = self.certificate
        return f"<Run {told['delivery_date']}: {told['status']}, {told['units']} units, {told['buildings']} buildings>"

    def _repr_html_(self) -> str:
        told = self.certificate
        names = (
            "delivery_date",
            "status",
            "mode",
            "pricing",
            "units",
            "buildings",
            "objective",
            "bound",
            "gap_relative",
        )
        rows = "".join(f"<tr><th>{name}</th><td>{html.escape(_shown(told.get(name)))}</td></tr>" for name in names)
        return f"<table>{rows}<tr><th>violations</th><td>{html.escape(self._audited())}</td></tr></table>"

    def _audited(self) -> str:
        violations = self.audit.get("violations")
        return "not audited" if violations is None else str(len(violations))

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self.folder / name)

    def _of_buildings(self, name: str, column: str = "building") -> pd.DataFrame:
        """One table of all buildings that have it, with the building's id in front."""
        frames = list(self._labelled(name, column))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def _labelled(self, name: str, column: str) -> Iterator[pd.DataFrame]:
        for building in self.buildings:
            path = self.folder / "buildings" / building / name
            if path.exists():
                frame = read_table(path)
                frame.insert(0, column, building)
                yield frame


def read_run(path: Path | str) -> Run:
    """Open a run folder.  Raises InvalidInput if there is none."""
    folder = Path(path)
    if not (folder / "certificate.json").is_file():
        raise InvalidInput([Problem(folder.name, 0, "is no run folder", hint="certificate.json is missing")])
    return Run(folder)


def read_table(path: Path) -> pd.DataFrame:
    """One table of a run: ids as text, starts as instants in UTC, the rest as numbers."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    names = pd.read_csv(path, nrows=0).columns
    frame = pd.read_csv(
        path, dtype={name: str for name in TEXT if name in names}, keep_default_na=False, na_values=[""]
    )
    if "start" in frame:
        frame["start"] = pd.to_datetime(frame["start"], utc=True, format="ISO8601")
    if "interval" in frame:
        frame["interval"] = frame["interval"].astype("Int64")
    return frame


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _steps(axes: Any, series: pd.Series, label: str) -> None:
    """A value from its start to the next one, the last as long as the one before."""
    start, value = list(pd.DatetimeIndex(series.index)), series.to_numpy()
    if len(start) > 1:
        start, value = [*start, start[-1] + (start[-1] - start[-2])], np.append(value, value[-1])
    axes.step(start, value, where="post", label=label)
