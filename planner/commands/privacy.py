"""What leaves a site: try the gate, choose its rules, say what left, attack one's own history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planner.commands.common import CasePath, Date, RunPath
from planner.commands.console import Console, counted, table_in_words
from planner.commands.outcome import refuse
from planner.commands.runs import default_run

if TYPE_CHECKING:
    from planner.case import Case
    from planner.security.policy import Policy

CaseOrRun = Annotated[
    Path, typer.Argument(metavar="CASE|RUN", help="A case folder, or the folder of a finished run.", show_default=False)
]
Preset = Annotated[
    str | None,
    typer.Option(metavar="P", help="Rules to try: exchange, strict  [the case's own, else exchange]"),
]
Ledger = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The site's release ledger  [beside runs/]", show_default=False),
]


def check(console: Console, target: CaseOrRun, preset: Preset = None, date: Date = None, ledger: Ledger = None) -> None:
    """Try the release gate without letting anything out.

    Says what would leave, what would stay, and why.
    Of a case, every group answers two prices (what its neighbour asks and pays); of a run, the committed positions are
    tried again.  Nothing leaves, and nothing is remembered.

    \b
    Example: planner privacy check data/riverside
    Example: planner privacy check runs/riverside --preset strict
    """
    from planner.history import ledger_beside
    from planner.privacy import trial

    if (target / "certificate.json").is_file():
        from planner.ledger import read_run

        run = read_run(target)
        verdicts = trial.try_run(run, _policy(preset, _preset_of_run(target)))
    else:
        case = _valid_case(target, date)
        policy = _policy(preset, case.settings.privacy.preset)
        console.progress("trying two prices on every group")
        verdicts = trial.try_case(case, policy, ledger or ledger_beside(default_run(case), case.settings.name))
    leaving = sum(v.released for v in verdicts)
    text = table_in_words(trial.in_rows(verdicts))
    reasons = trial.in_words(verdicts)
    text += "".join(f"\n{reason}" for reason in ["", *reasons] if reasons)
    text += f"\n\n{leaving} of {len(verdicts)} may leave; nothing left, nothing was remembered"
    console.result(text, {"verdicts": [v.to_json() for v in verdicts], "may_leave": leaving})


def calibrate(
    console: Console,
    case: CasePath,
    date: Date = None,
    gap: Annotated[
        float, typer.Option(metavar="G", help="Relative gap of the clear that the rules are held against.")
    ] = 0.02,
) -> None:
    """Hold candidate rules of disclosure against a case.

    Says how often each would fail and the surplus it would cost.
    Clears the case once inside (no gate, nothing written), then tries 15/15, 6/40, 4/80 and the gate's own rules on the
    plan and, where there are meters, on the last four metered weeks.

    \b
    Example: planner privacy calibrate data/riverside
    """
    from planner.privacy import calibration

    found = calibration.calibrate(_valid_case(case, date), gap, console.progress)
    console.result(table_in_words(calibration.in_rows(found)), {"rules": [o.to_json() for o in found]})


def report(
    console: Console,
    run: RunPath,
    outside: Annotated[
        bool, typer.Option("--outside", help="The version without counts, shares and reasons, which may be handed on.")
    ] = False,
    case: Annotated[
        Path | None,
        typer.Option(metavar="CASE", help="Measure on this case's meters what one who leaves would give away."),
    ] = None,
) -> None:
    """Say on one page what a run let out.

    With --json the same as a document.

    \b
    Example: planner privacy report runs/riverside
    Example: planner privacy report runs/riverside --case data/riverside
    Example: planner privacy report runs/riverside --outside --json
    """
    from planner.ledger import read_run
    from planner.privacy import page

    if outside and case is not None:
        raise refuse("--case measures for the inside version alone", "leave out --outside", "--case")
    document = page.report(read_run(run), for_outside=outside, case=None if case is None else _valid_case(case, None))
    console.result(page.page(document).rstrip("\n"), document)


def attack(
    console: Console,
    case: CasePath,
    date: Date = None,
    ledger: Ledger = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the groups that are drawn.")] = 1,
) -> None:
    """Attack the site's own history.

    One who leaves a group, and sums that are subtracted.
    Compares ten working days before with ten after in groups drawn from the metered units: skill 1 is the profile of
    who left, 0 no better than the group's mean.  Then computes the smallest set whose sum follows from today's groups,
    from the release ledger, and from totals that others may publish.

    \b
    Example: planner privacy attack data/riverside
    """
    from planner.groups import release_groups
    from planner.history import History, copy_of, ledger_beside
    from planner.preparation import prepare
    from planner.privacy import attack as attacks
    from planner.privacy.profiles import metered_days
    from planner.provenance import look_back

    read = _valid_case(case, date)
    policy = _policy(None, read.settings.privacy.preset)
    profiles = metered_days(read)
    console.progress(f"drawing groups from {counted(len(profiles.units), 'unit')}")
    left = attacks.leavers(profiles, seed)
    city = prepare(read, look_back(read).tomorrow)
    path = ledger or ledger_beside(default_run(read), read.settings.name)
    with copy_of(path) as copy:
        history = History.of(city, str(read.settings.delivery_date), policy, copy)
        groups = release_groups(city, policy, history.standing)
        subtracted = attacks.differences(read, city, groups, {spoken.roster for spoken in copy.all()})
    text = table_in_words(attacks.in_rows(left))
    text += "\n\n" + table_in_words(attacks.differences_in_rows(subtracted))
    compared = f", {left[0].days} working days before held against as many after" if left else ""
    text += f"\n\n{counted(len(profiles.units), 'unit')}, {counted(len(profiles.dates), 'day')} of history{compared}"
    console.result(text, {"leavers": [f.to_json() for f in left], "differences": [d.to_json() for d in subtracted]})


def _valid_case(path: Path, date: str | None) -> Case:
    from planner.case import read_case
    from planner.problems import InvalidInput
    from planner.validation import validate

    case = read_case(path, date)
    if problems := tuple(validate(case)):
        raise InvalidInput(problems)
    return case


def _policy(asked: str | None, own: str) -> Policy:
    """The asked preset, else the case's own, else exchange where that one lets nothing out."""
    from planner.security.policy import EXCHANGE, PRESETS

    policy = PRESETS.get(asked or own)
    if policy is None or (asked and not policy.gated):
        gated = ", ".join(name for name, preset in PRESETS.items() if preset.gated)
        raise refuse(f"{asked or own} is no preset with a gate", f"one of {gated}", "--preset")
    return policy if policy.gated else EXCHANGE


def _preset_of_run(run: Path) -> str:
    import tomllib

    settings = tomllib.loads((run / "market" / "case" / "case.toml").read_text("utf-8"))
    return str(settings.get("privacy", {}).get("preset", "exchange"))


COMMANDS = {"check": check, "calibrate": calibrate, "report": report, "attack": attack}
