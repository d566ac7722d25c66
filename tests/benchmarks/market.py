"""Order books side by side in one go: ours, a bare HiGHS model (the floor), and the open rivals.

    python tests/benchmarks/market.py [--only days,assume,often,steps,mixed,large,blocks] [--books 100]
        [--time-limit 600]

Every run is a process of its own, one after the other; seconds are CPU time (user and system), once of the whole
process and once from reading the files to the last one written, imports apart, with the wall clock beside it.  Ours
reads the case, clears it without paradoxically accepted orders, settles, writes and audits; the bare model reads it,
finds the greatest welfare and its multipliers, and writes what every row trades and every price.  Both import all they
use before the clock starts; what our audit takes of the whole stands beside it.  The rivals are installed from PyPI,
each into an environment of its own in a temporary folder (or taken from --rivals); where that
fails, the reason is printed.  Real days are used where ../shared lies beside the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "models"), str(HERE)]

import market_books  # noqa: E402 - found beside this script

SHARED = ROOT.parent / "shared" / "cases"
DAYS = ("iberia-2025-06-21", "italy-2025-04-01", "italy-2025-04-02", "italy-fixed-2025-04-01", "italy-fixed-2025-04-05")
RIVALS = {"assume": ["assume-framework"], "iberia": ["iberian-day-ahead-market-simulator", "highspy"]}


TURNS = 5
"""A real day takes ours and the bare model so little time that each has several turns, one after the other."""


@dataclass(frozen=True)
class Took:
    """One process: what it printed last (JSON), and what it cost."""

    said: dict[str, Any]
    cpu_s: float
    wall_s: float
    error: str = ""


def run(command: Sequence[object]) -> Took:
    """A process from start to end; CPU seconds of it and its children."""
    before, began = os.times(), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "models")))}
    if "rival_" in str(command[1]):
        environment.pop("PYTHONPATH")
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    after, wall = os.times(), time.perf_counter() - began
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    said = json.loads(lines[-1]) if lines else {}
    error = "" if lines else (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    return Took({**said, "all": lines}, cpu, wall, error)


OURS = """
import json, sys, time, planner, planner.orderbook, pyarrow.pandas_compat
from planner.audit import audit
from planner.validation import checks
checks()
took = []
def timed(folder):
    began = time.process_time()
    found = audit(folder)
    took.append(time.process_time() - began)
    return found
sys.modules["planner.audit"].audit = timed
began = time.process_time()
run = planner.market(planner.read_case(sys.argv[1]), "no_pab", sys.argv[2], time_limit=float(sys.argv[3]))
c = run.certificate | {"cpu_s": time.process_time() - began, "audit_s": sum(took)}
shown = ("welfare", "bound", "gap_relative", "status", "solver_s", "peak_rss_mb", "cpu_s", "audit_s")
print(json.dumps({k: c[k] for k in shown} | {"violations": len(run.audit["violations"])}))
"""


def ours(case: Path, scratch: Path, limit: float) -> Took:
    target = Path(tempfile.mkdtemp(dir=scratch)) / "run"
    return run([sys.executable, "-c", OURS, case, target, limit])


def bare(case: Path, scratch: Path, limit: float) -> Took:
    return run([sys.executable, HERE / "bare.py", case, Path(tempfile.mkdtemp(dir=scratch)), limit])


def least(turns: Sequence[Took]) -> Took:
    """The turn that took least: on a machine with other work the others were disturbed."""
    sound = [turn for turn in turns if not turn.error]
    return min(sound, key=lambda turn: turn.said["cpu_s"]) if sound else turns[0]


def rival(name: str, home: Path) -> Path | str:
    """The interpreter of a rival's own environment; or why there is none."""
    python = home / name / "bin" / "python"
    if python.exists():
        return python
    venv.create(home / name, with_pip=True)
    done = subprocess.run([python, "-m", "pip", "install", "-q", *RIVALS[name]], capture_output=True, text=True)
    if done.returncode:
        return f"{name} cannot be installed: {done.stderr.strip().splitlines()[-1]}"
    return python


def table(name: str, rows: dict[str, Took]) -> None:
    """One book: who took how long, as a multiple of ours, and how much welfare was found."""
    own = rows["ours"]
    print(f"\n{name}")
    print(f"  {'':16}{'cpu s':>8}{'wall s':>8}{'read to written':>17}{'x ours':>8}{'welfare':>20}{'gap':>9}")
    for who, took in rows.items():
        if took.error:
            print(f"  {who:16}{took.error}")
            continue
        gap = took.said.get("gap_relative", took.said.get("gap"))
        shown = "" if gap is None else f"{gap:9.3%}"
        print(
            f"  {who:16}{took.cpu_s:8.2f}{took.wall_s:8.1f}{took.said['cpu_s']:17.2f}"
            f"{took.said['cpu_s'] / own.said['cpu_s']:8.2f}"
            f"{took.said['welfare']:20,.2f}{shown}"
            + (f"  {took.said['prices_right']}/48 official prices" if "prices_right" in took.said else "")
            + (f"  {took.said['violations']} violations" if took.said.get("violations") else "")
        )
    if "bare" in rows and not rows["bare"].error and not own.error:
        whole, floor = own.cpu_s / rows["bare"].cpu_s, rows["bare"].said["cpu_s"]
        inside, unaudited = own.said["cpu_s"] / floor, (own.said["cpu_s"] - own.said["audit_s"]) / floor
        print(f"  ours / bare model: {whole:.2f} of the process, {inside:.2f} read to written", end="")
        print(f" ({unaudited:.2f} without our audit)")
    sys.stdout.flush()


def real_days(asked: argparse.Namespace, scratch: Path, rivals: Path) -> None:
    for name in DAYS:
        case = SHARED / name
        if not case.is_dir():
            print(f"\n{name}: not at hand")
            continue
        pairs = [(ours(case, scratch, asked.time_limit), bare(case, scratch, asked.time_limit)) for _ in range(TURNS)]
        rows = {"ours": least([pair[0] for pair in pairs]), "bare": least([pair[1] for pair in pairs])}
        if name.startswith("iberia"):
            python = rival("iberia", rivals)
            if isinstance(python, str):
                print(python)
            else:
                rows["iberian sim."] = run([python, HERE / "rival_iberia.py", case])
        table(name, rows)


def against_assume(asked: argparse.Namespace, scratch: Path, rivals: Path) -> None:
    python = rival("assume", rivals)
    for steps, blocks in ((80, 40), (200, 100)):
        case = market_books.one_zone(scratch / f"book-{blocks}", steps, blocks, seed=blocks)
        rows = {"ours": ours(case, scratch, asked.time_limit), "bare": bare(case, scratch, asked.time_limit)}
        if not isinstance(python, str):
            rows["ASSUME"] = run([python, HERE / "rival_assume.py", case])
        table(f"{24 * steps + blocks:,} orders, {blocks} blocks", rows)
    if isinstance(python, str):
        print(python)


def how_often(asked: argparse.Namespace, scratch: Path, rivals: Path) -> None:
    """Small books of the same kind: how often ASSUME's answer is worth less than ours, and by how much."""
    import planner

    python = rival("assume", rivals)
    if isinstance(python, str):
        print(python)
        return
    cases = [market_books.one_zone(scratch / f"small-{k}", 6, 8, seed=1000 + k) for k in range(asked.books)]
    theirs = [json.loads(line)["welfare"] for line in run([python, HERE / "rival_assume.py", *cases]).said["all"]]
    mine = [planner.market(planner.read_case(case), "no_pab").certificate["welfare"] for case in cases]
    short = [1 - a / b for a, b in zip(theirs, mine, strict=True) if a < b - 1e-6 * abs(b)]
    above = sum(a > b + 1e-6 * abs(b) for a, b in zip(theirs, mine, strict=True))
    print(f"\n{len(cases)} books of 152 orders, 8 blocks")
    print(f"  ASSUME below ours in {len(short)}, by up to {max(short, default=0):.1%}; above ours in {above}")


LARGE = {
    "steps": (market_books.many_steps, "50,000 rows, 96 intervals, 10 zones"),
    "mixed": (market_books.near_the_money, "the same with 400 blocks near the money and 5 complex orders"),
    "large": (market_books.large_blocks, "the same with 100 blocks of up to 60 % of what a zone offers"),
    "blocks": (market_books.many_blocks, "5,000 blocks, 20 zones"),
}


def scale(asked: argparse.Namespace, scratch: Path, kind: str) -> None:
    make, name = LARGE[kind]
    case = make(scratch / kind)
    limit = asked.time_limit if kind == "blocks" else min(60.0, asked.time_limit)
    table(name, {"ours": ours(case, scratch, limit), "bare": bare(case, scratch, limit)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="days,assume,often,steps,mixed,large,blocks")
    parser.add_argument("--books", type=int, default=100)
    parser.add_argument("--time-limit", type=float, default=600.0)
    parser.add_argument("--rivals", type=Path, help="where their environments are or will be made")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rivals = asked.rivals or scratch
        for part in asked.only.split(","):
            match part:
                case "days":
                    real_days(asked, scratch, rivals)
                case "assume":
                    against_assume(asked, scratch, rivals)
                case "often":
                    how_often(asked, scratch, rivals)
                case _:
                    scale(asked, scratch, part)


if __name__ == "__main__":
    main()
