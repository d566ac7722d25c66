"""What the gate costs and what one who leaves gives away, by group size, on the cities at hand.

    python tests/benchmarks/privacy.py [--gap 0.03] [--only riverside,generated,simbench,citylearn] [--attack-only]

Every city is cleared once inside, without a gate; then each rule is held against the same plan: surplus lost is the
share of the surplus of trading that falls to buildings kept dark or silent.  simbench and citylearn need the real data
beside the repository.  The attack compares working days before with as many after, on metered units of each city.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "city"
sys.path.insert(0, str(ROOT / "tests" / "real"))

SIZES = (6, 11, 16, 31, 61)
SIMBENCH_SIZES = (8, 15, 30)
NO_COHORT = 10**6
"""So many buildings no cohort has: what the gate costs where everybody must speak alone."""


def cities(wanted: set[str], scratch: Path) -> Iterator[tuple[str, Path]]:
    """(name with its building size, case folder)."""
    import planner

    if "riverside" in wanted:
        yield "riverside", ROOT / "data" / "riverside"
    if "generated" in wanted:
        for size in SIZES:
            folder = scratch / f"generated-{size}"
            yield f"generated, {size} a building", planner.generate(folder, 20 * size // (size // 5), size)
    if "simbench" in wanted and (SHARED / "simbench").is_dir():
        import simbench

        for size in SIMBENCH_SIZES:
            simbench.UNITS_PER_BUILDING = size
            yield f"simbench, {size} a building", simbench.simbench(scratch / f"sb-{size}", SHARED / "simbench")
    if "citylearn" in wanted and (SHARED / "citylearn").is_dir():
        import citylearn

        yield "citylearn, 1 a building", citylearn.citylearn(scratch / "citylearn", SHARED / "citylearn")


def costs(name: str, folder: Path, gap: float) -> None:
    import planner
    from planner.privacy.calibration import cleared_inside, in_rows, of_gate, outcomes
    from planner.privacy.rules import WHOLE_GATE

    city, houses, profiles = cleared_inside(planner.read_case(folder), gap, lambda words: None)
    alone = [replace(policy, name=f"{policy.name}, alone", min_buildings=NO_COHORT) for policy in WHOLE_GATE]
    found = [*outcomes(city, houses, profiles), *(of_gate(city, houses, policy) for policy in alone)]
    print(f"\n{name}")
    for row in in_rows(found):
        print("  " + "".join(f"{cell:>{20 if i else 0}}" if i else f"{cell:<24}" for i, cell in enumerate(row)))
    sys.stdout.flush()


def attack(name: str, folder: Path) -> None:
    import planner
    from planner.privacy.attack import leavers
    from planner.privacy.profiles import metered_days
    from planner.problems import InvalidInput

    try:
        profiles = metered_days(planner.read_case(folder))
    except InvalidInput:
        return
    found = leavers(profiles)
    days = found[0].days if found else 0
    print(f"\n{name}: one leaves, {len(profiles.units)} metered units, {days} working days each side")
    for f in found:
        if f.together in (1, 5):
            chance = f"(chance {f.chance:.0%})"
            print(f"  {f.size:4} occupants, {f.together} leave: skill {f.skill:6.2f}, named {f.named:4.0%} {chance}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gap", type=float, default=0.03)
    parser.add_argument("--only", default="riverside,generated,simbench,citylearn")
    parser.add_argument("--attack-only", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        attacked: set[str] = set()
        for name, folder in cities(set(asked.only.split(",")), Path(scratch)):
            kind = name.split(",")[0]
            if kind not in attacked:
                attack(name, folder)
                attacked.add(kind)
            if not asked.attack_only:
                costs(name, folder, asked.gap)


if __name__ == "__main__":
    main()
