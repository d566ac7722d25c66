"""Every bound holds for the other mode's answer: rounds and monolith, cities up to 2,000 units, hard ones among them.

    python tests/benchmarks/bounds.py [--monolith-limit 120] [--only "no grid import"] [--keep FILE]

The cities and the check are those of the slow test in ``tests/test_rounds_and_monolith.py``; this prints a row as each
is done, so that a person sees how far it is and how tight the proofs are.  Exit code 1 where a bound lies above the
other's answer or an audit found something.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from test_rounds_and_monolith import CITIES, MONOLITH_S, Both, cleared_both_ways

HEAD = (
    "| units | seed | mix | rounds: cost | bound | gap | answered | monolith: cost | bound | gap | CPU s | holds |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def row(units: int, seed: int, mix: str, both: Both, cpu_s: float) -> str:
    """One city; costs and bounds in currency."""
    one, other = both.rounds, both.whole
    wrong = [*both.crossed, *(f"{len(both.violations)} violations" for _ in both.violations[:1])]
    mine, its = (f"{c['objective']:.4f} | {c['bound']:.4f} | {c['gap_relative']:.3%}" for c in (one, other))
    return (
        f"| {units} | {seed} | {mix} | {mine} | {one['rounds']} | {its} | {cpu_s:.0f} | {'; '.join(wrong) or 'yes'} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--monolith-limit", type=float, default=MONOLITH_S, help="seconds; its bound stays valid")
    parser.add_argument("--only", help="one mix")
    parser.add_argument("--keep", type=Path, help="write the table there as well")
    asked = parser.parse_args()
    lines, fine = [HEAD], True
    print(HEAD, flush=True)
    for units, seed, mix in CITIES:
        if asked.only and mix != asked.only:
            continue
        began = os.times()
        print(f"{time.strftime('%H:%M:%S')} {units} units, seed {seed}, {mix}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            both = cleared_both_ways(Path(scratch), units, seed, mix, asked.monolith_limit)
        ended = os.times()
        lines.append(row(units, seed, mix, both, sum(ended[:4]) - sum(began[:4])))
        print(lines[-1], flush=True)
        fine = fine and not both.crossed and not both.violations
        if asked.keep:
            asked.keep.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
