"""One city, three ways: HiGHS's default, its interior point, and the rounds; each in a process of its own.

    python tests/benchmarks/modes.py [--units 1000] [--interval-minutes 15] [--time-limit 120] [--gap 1e-3]

Prints what each reached and where the wall time went.  "not HiGHS" is everything from reading the case to the
audited run folder that was not spent inside the solver; the gap is that of the audited certificate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = {
    "monolith, HiGHS default": {"mode": "monolith", "lp_solver": "choose"},
    "monolith, mip_lp_solver=ipx": {"mode": "monolith", "lp_solver": "ipx"},
    "rounds": {"mode": "decentralised"},
}


def one(case: Path, solver: dict[str, str], gap: float, time_limit: float) -> dict[str, float]:
    """Clear ``case`` once in this process; seconds from the first import to the audited folder."""
    began = time.perf_counter()
    import planner

    read = planner.read_case(case).with_(solver=solver)
    run = planner.clear(read, gap=gap, time_limit=time_limit)
    wall = time.perf_counter() - began
    c = run.certificate
    return {
        "wall_s": wall,
        "solver_s": c["solver_s"],
        "objective": c["objective"],
        "bound": c["bound"],
        "gap": c["gap_relative"],
        "savings_gap": c["gap_of_savings"],
        "violations": len(run.audit["violations"]),
        "peak_rss_mb": c["peak_rss_mb"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--interval-minutes", type=int, default=15)
    parser.add_argument("--time-limit", type=float, default=120.0)
    parser.add_argument("--gap", type=float, default=1e-3)
    parser.add_argument("--one", nargs=2, metavar=("CASE", "SOLVER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(Path(asked.one[0]), json.loads(asked.one[1]), asked.gap, asked.time_limit)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        case = _city(Path(scratch) / "city", asked.units, asked.interval_minutes)
        found = {name: _run(case, solver, asked) for name, solver in WAYS.items()}
    _table(asked, found)


def _city(folder: Path, units: int, minutes: int) -> Path:
    import planner

    planner.generate(folder, units, interval_minutes=minutes, mode="monolith", preset="lab")
    text = (folder / "case.toml").read_text("utf-8")
    (folder / "case.toml").write_text(text.replace("look_ahead_hours = 12", "look_ahead_hours = 0"), "utf-8")
    return folder


def _run(case: Path, solver: dict[str, str], asked: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", str(case), json.dumps(solver)]
    command += ["--gap", str(asked.gap), "--time-limit", str(asked.time_limit)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _table(asked: argparse.Namespace, found: dict[str, dict[str, float]]) -> None:
    print(
        f"{asked.units} units, {asked.interval_minutes}-minute day, "
        f"asked gap {asked.gap:g}, limit {asked.time_limit:g} s"
    )
    print(f"{'':30}{'wall s':>9}{'HiGHS s':>9}{'not HiGHS':>11}{'objective':>12}{'gap':>9}{'of savings':>12}{'MB':>7}")
    for name, row in found.items():
        outside = 1 - row["solver_s"] / row["wall_s"]
        print(
            f"{name:30}{row['wall_s']:9.1f}{row['solver_s']:9.1f}{outside:11.0%}{row['objective']:12.2f}"
            f"{row['gap']:9.2%}{row['savings_gap'] or 0:12.3%}{row['peak_rss_mb']:7.0f}"
            + ("" if not row["violations"] else f"  {row['violations']:g} violations")
        )
    best = min((row for name, row in found.items() if name != "rounds"), key=lambda row: (row["gap"], row["wall_s"]))
    print(f"rounds / better monolith, wall time: {found['rounds']['wall_s'] / best['wall_s']:.2f}")


if __name__ == "__main__":
    main()
