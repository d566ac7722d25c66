"""Registers of one meter and direction, summed into its channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planner.meters import table
from planner.meters.report import Finding


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one register; several registers (tariffs, phases, controlled load) make a channel."""

    meter: str
    channel: str
    register: str
    frame: pd.DataFrame


def summed(parts: Sequence[Part], *, alternating: bool = False) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Rows by meter and channel.

    An interval in which any register is missing is missing, save before a register's first and after its
    last number, where it is simply not there (a meter was changed); registers of different interval lengths meet
    at the longer one; intervals in which a register has no row at all are summed over the others and
    counted, unless registers take turns (``alternating``, as day and night tariffs do).
    """
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.meter, part.channel), []).append(part)
    frames: list[pd.DataFrame] = []
    findings: list[Finding] = []
    for key in sorted(groups):
        mine = groups[key]
        if len({part.register for part in mine}) == 1:
            frames += [part.frame for part in mine]
            continue
        frame, found = _one_channel(*key, mine, alternating)
        frames.append(frame)
        findings += found
    return table.concat(frames), tuple(findings)


def _one_channel(meter: str, channel: str, parts: list[Part], alternating: bool) -> tuple[pd.DataFrame, list[Finding]]:
    names = sorted({part.register for part in parts})
    rows = pd.concat([_flat(part) for part in parts], ignore_index=True)
    rows = _within_life(rows)
    findings = [Finding("registers_summed", meter, channel, len(names), (), " + ".join(names))]
    longest = rows.groupby(rows["start"] // 86400)["minutes"].transform("max")
    coarser = int((longest > rows["minutes"]).sum())
    if coarser:
        note = "registers of different lengths meet at the longer one"
        findings.append(Finding("coarsened", meter, channel, coarser, (), note))
    cell = rows["start"].where(rows["minutes"] == longest, rows["start"] - rows["start"] % (60 * longest))
    rows = rows.assign(cell=cell, length=longest, unknown=rows["energy"].isna())
    per_register = rows.groupby(["cell", "register"], sort=True).agg(
        minutes=("minutes", "sum"),
        length=("length", "max"),
        quality=("quality", "max"),
        line=("line", "min"),
        energy=("energy", "sum"),
        unknown=("unknown", "any"),
    )
    per_register["unknown"] |= per_register["minutes"] != per_register["length"]
    cells = (
        per_register.reset_index()
        .groupby("cell", sort=True)
        .agg(
            energy=("energy", "sum"),
            unknown=("unknown", "any"),
            length=("length", "max"),
            quality=("quality", "max"),
            line=("line", "min"),
            registers=("register", "size"),
        )
    )
    absent = int((cells["registers"] < len(names)).sum())
    if absent and not alternating:
        note = "intervals in which not every register has a row"
        findings.append(Finding("register_absent", meter, channel, absent, (), note))
    quality = np.where(cells["unknown"], len(table.QUALITIES) - 1, cells["quality"])
    words = table.coded(quality, table.QUALITIES)
    starts, length, energy = (
        cells.index.to_numpy(),
        cells["length"].to_numpy(),
        cells["energy"].mask(cells["unknown"]).to_numpy(),
    )
    return table.build(meter, channel, starts, length, energy, words, cells["line"].to_numpy()), findings


def _within_life(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without a register's empty ones before its first and after its last number, if others have any."""
    number = rows[rows["energy"].notna()]
    life = number.groupby("register")["start"].agg(["min", "max"])
    first, last = rows["register"].map(life["min"]), rows["register"].map(life["max"])
    outside = rows["energy"].isna() & ~((rows["start"] >= first) & (rows["start"] <= last))
    return rows[~(outside & rows["start"].isin(number["start"]))]


def _flat(part: Part) -> pd.DataFrame:
    frame = part.frame
    return pd.DataFrame(
        {
            "register": part.register,
            "start": table.seconds(frame["start"]),
            "minutes": frame["minutes"].to_numpy().astype("int64"),
            "energy": frame["energy_kwh"].mask(frame["quality"] == "missing").to_numpy(),
            "quality": frame["quality"].cat.codes.to_numpy().astype("int64"),
            "line": frame["line"].to_numpy(),
        }
    )
