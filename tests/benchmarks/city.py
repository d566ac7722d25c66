"""The benchmark city: how long a certified clear takes, by size, beside the monolith.

    python tests/benchmarks/city.py --sizes 1000x96 5000x96 10000x24 [--fleet processes:2] [--monolith-up-to 5000]
                                    [--gap 1e-3] [--limit 285] [--exchange] [--keep FILE]

Cities come from ``planner generate`` (50-unit buildings, preset lab, no look-ahead).  The script asserts that they are
what a benchmark should be: at least 25 % of units with semi-continuous vehicles, at least 10 % of building-intervals at
a binding connection, no two units alike, unserved energy below 0.1 %.  Every clear is ``planner clear`` in a process of
its own, from reading the case to the audited run folder.  The monolith stops at the same gap and is given the better of
HiGHS's default and ``mip_lp_solver=ipx``.  ``--exchange`` adds what gate and envelopes cost under that preset.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

PLANNER = Path(sys.executable).with_name("planner")
DAY_MINUTES = 24 * 60
BINDING_WH = 1.0
"""Within this of its limit per unit a connection binds: positions are whole Wh of every asset."""


@dataclass(frozen=True)
class Result:
    """One clear: how it was run, seconds of wall and of processors, and its certificate."""

    way: str
    wall_s: float
    cpu_s: float
    certificate: dict

    @property
    def row(self) -> dict:
        c = self.certificate
        inside = c["solver_s"] + c["closed_form_s"]
        return {
            "way": self.way,
            "wall_s": round(self.wall_s, 1),
            "cpu_s": round(self.cpu_s, 1),
            "solver_s": round(inside, 1),
            "gap": c["gap_relative"],
            "of_savings": c["gap_of_savings"],
            "rounds": c["rounds"],
            "objective": c["objective"],
            "bound": c["bound"],
            "rss_mb": c["peak_rss_mb"],
        }


def generate(folder: Path, units: int, intervals: int, seed: int, preset: str = "lab") -> Path:
    """The benchmark city of a size, without look-ahead."""
    minutes = DAY_MINUTES // intervals
    command = [PLANNER, "generate", "--units", str(units), "--units-per-building", "50"]
    command += ["--interval-minutes", str(minutes), "--seed", str(seed), "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    settings = folder / "case.toml"
    text = settings.read_text("utf-8").replace("look_ahead_hours = 12", "look_ahead_hours = 0")
    settings.write_text(text.replace('preset = "exchange"', f'preset = "{preset}"'), "utf-8")
    return folder


def clear(case: Path, run: Path, way: str, gap: float, limit: float, *more: str) -> Result:
    """One ``planner clear`` in a process of its own."""
    command = [str(PLANNER), "clear", str(case), "-o", str(run), "--gap", str(gap), "--time-limit", str(limit)]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run([*command, "--quiet", *more], capture_output=True, text=True)
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode not in (0, 4):
        raise SystemExit(f"{way}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    audited = json.loads((run / "audit.json").read_text("utf-8"))
    assert not audited["violations"], f"{way}: {len(audited['violations'])} violations"
    return Result(way, wall, cpu, json.loads((run / "certificate.json").read_text("utf-8")))


def with_solver(case: Path, lp_solver: str) -> Path:
    """The case with another ``mip_lp_solver``."""
    text = (case / "case.toml").read_text("utf-8")
    (case / "case.toml").write_text(text.rstrip() + f'\nlp_solver = "{lp_solver}"\n', "utf-8")
    return case


def assert_is_a_benchmark(case: Path, run: Path) -> dict[str, float]:
    """What the city is made of; refuses an easy one."""
    import planner
    from planner.preparation import prepare
    from planner_models.words import Load, Vehicle

    read = planner.read_case(case)
    city = prepare(read, {})
    units = [u for b in city.buildings for u in b.units]
    semi = sum(any(isinstance(a, Vehicle) and a.min_kw > 0 for a in u.assets) for u in units)
    alike = len(units) - len({_portrait(u) for u in units})
    bound = served = wanted = 0.0
    for building in city.buildings:
        rows = pd.read_parquet(
            run / "buildings" / building.id / "dispatch.parquet", columns=["interval", "energy_kwh", "asset"]
        )
        flow = rows.groupby("interval")["energy_kwh"].sum().to_numpy()
        slack = BINDING_WH / 1000 * len(building.units)
        imports, exports = np.array(building.import_limit_kwh), np.array(building.export_limit_kwh)
        bound += float(((flow > imports - slack) | (flow < -exports + slack)).sum())
        loads = {a.id: a for u in building.units for a in u.assets if isinstance(a, Load)}
        served += float(rows.loc[rows["asset"].isin(loads), "energy_kwh"].sum())
        wanted += sum(sum(a.energy_kwh) for a in loads.values())
    found = {
        "semi_continuous_units": semi / len(units),
        "binding": bound / (len(city.buildings) * len(city.grid)),
        "alike": float(alike),
        "unserved": 1 - served / wanted,
    }
    assert found["semi_continuous_units"] >= 0.25, found
    assert found["binding"] >= 0.10, found
    assert alike == 0, found
    assert found["unserved"] < 1e-3, found
    return found


def _portrait(unit: object) -> tuple:
    """Everything about a unit but its names."""
    assets = tuple(
        tuple(v for k, v in ((s, getattr(a, s)) for s in a.__slots__) if k != "id")
        for a in unit.assets  # type: ignore[attr-defined]
    )
    return (assets, unit.allocation_kwh, unit.import_limit_kwh)  # type: ignore[attr-defined]


def measure(size: str, asked: argparse.Namespace) -> dict:
    """All ways of clearing one size."""
    units, intervals = (int(part) for part in size.split("x"))
    with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch:
        place = Path(scratch)
        case = generate(place / "city", units, intervals, asked.seed)
        fleet = ("--fleet", asked.fleet)
        rounds = clear(case, place / "rounds", "rounds", asked.gap, asked.round_limit, *fleet)
        mix = assert_is_a_benchmark(case, place / "rounds")
        results = [rounds]
        if asked.exchange:
            gated = generate(place / "gated", units, intervals, asked.seed, "exchange")
            results.append(clear(gated, place / "x", "rounds, exchange", asked.gap, asked.round_limit, *fleet))
        if units <= asked.monolith_up_to:
            for way, solver in (("monolith", "choose"), ("monolith, ipx", "ipx")):
                other = with_solver(generate(place / solver, units, intervals, asked.seed), solver)
                run = place / f"run-{solver}"
                results.append(clear(other, run, way, asked.gap, asked.limit, "--mode", "monolith"))
    return {"size": size, "mix": mix, "rows": [r.row for r in results]}


def table(found: list[dict]) -> str:
    """One table; a ratio beside the better monolith where there is one, and the growth exponent."""
    head = (
        "| size | way | wall s | CPU s | HiGHS and closed forms s | gap | of savings | rounds | MB | wall / monolith |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"]
    for one in found:
        whole = [r for r in one["rows"] if r["way"].startswith("monolith")]
        best = min(whole, key=lambda r: (r["gap"] > 1.05e-3, r["wall_s"]), default=None)
        for r in one["rows"]:
            ratio = "" if best is None or r in whole else f"{r['wall_s'] / best['wall_s']:.2f}"
            share = "" if r["of_savings"] is None else f"{r['of_savings']:.3%}"
            lines.append(
                f"| {one['size']} | {r['way']} | {r['wall_s']} | {r['cpu_s']} | {r['solver_s']} | {r['gap']:.3%} | "
                f"{share} | {r['rounds']} | {r['rss_mb']:.0f} | {ratio} |"
            )
    for intervals in sorted({one["size"].split("x")[1] for one in found}):
        line = [
            (int(o["size"].split("x")[0]), o["rows"][0]["wall_s"]) for o in found if o["size"].endswith(f"x{intervals}")
        ]
        if len(line) > 1:
            (few, short), (many, long) = min(line), max(line)
            lines.append(
                f"\ngrowth exponent at {intervals} intervals, {few} to {many} units: "
                f"{np.log(long / short) / np.log(many / few):.2f}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["1000x96", "5000x96", "10000x24"])
    parser.add_argument("--fleet", default="processes:2")
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--limit", type=float, default=285.0, help="seconds for the monolith")
    parser.add_argument("--round-limit", type=float, default=3600.0, help="seconds for the rounds")
    parser.add_argument("--monolith-up-to", type=int, default=1000)
    parser.add_argument("--exchange", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", default=None)
    parser.add_argument("--keep", type=Path, help="append the results as JSON lines")
    asked = parser.parse_args()
    found = []
    for size in asked.sizes:
        found.append(
            measure(size, asked) | {"seed": asked.seed, "machine": f"{os.cpu_count()} cores, {platform.machine()}"}
        )
        print(json.dumps(found[-1]["mix"]), file=sys.stderr)
        if asked.keep:
            with asked.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found[-1]) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
