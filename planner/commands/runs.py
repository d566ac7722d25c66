"""Commands about runs: clear, audit, report, export."""

from __future__ import annotations

import contextlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planner.commands.common import CasePath, Date, RunPath
from planner.commands.console import Console, counted
from planner.commands.outcome import Exit, refuse

if TYPE_CHECKING:
    from planner.case import Case
    from planner.ledger import Run


def clear(
    console: Console,
    case: CasePath,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="RUN", help="The run folder  [runs/<case>-<date>]", show_default=False),
    ] = None,
    date: Date = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="M", help="decentralised, or monolith (presets internal, lab).", show_default=False),
    ] = None,
    gap: Annotated[
        float | None, typer.Option(metavar="G", help="Relative gap to stop at, as 0.001.", show_default=False)
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds to stop after.", show_default=False)
    ] = None,
    price_of_locality: Annotated[
        bool, typer.Option("--price-of-locality", help="Clear again without walls and compare (internal, lab).")
    ] = False,
    fleet: Annotated[
        str, typer.Option(metavar="F", help="Where gateways run: auto, local, processes:2, ray, ray:10.0.0.1:6379.")
    ] = "auto",
    memory: Annotated[
        float | None,
        typer.Option(
            metavar="GIB",
            help="What the models of --fleet processes may take  [half of what is free]",
            show_default=False,
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(metavar="HH:MM", help="Have an answer by then, as 11:45, in the case's time.", show_default=False),
    ] = None,
    warm: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Begin with the prices of RUN, as runs/monday.", show_default=False),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE", help="Leave out what is below NODE, as --without d02.", show_default=False),
    ] = None,
    disclosure: Annotated[
        str, typer.Option(metavar="D", help="group, or sum: groups of one place speak together.")
    ] = "group",
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="What the site said before  [beside RUN: <case>.releases.sqlite]", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace RUN if it is a run.")] = False,
) -> int:
    """Clear one delivery day into a run folder.

    Plans, prices, settles, audits and reports.  What is not given here is as case.toml says.  A clear that was cut off
    goes on where it was when the same command is given again.

    \b
    Example: planner clear data/riverside -o runs/riverside
    """
    from planner.beside import kept
    from planner.case import read_case
    from planner.clearing import clear as clear_case
    from planner.commands import summary
    from planner.commands.silence import quiet_groups
    from planner.history import ledger_beside
    from planner.ledger import refuse_taken
    from planner.report import write_report

    read = read_case(case, date)
    solver = {"mode": mode, "gap_relative": gap, "time_limit_s": time_limit}
    read = read.with_(solver={name: value for name, value in solver.items() if value is not None})
    folder = out or default_run(read)
    refuse_taken(folder, force)
    console.notes(read.notes)
    with kept():
        run = clear_case(
            read,
            folder,
            price_of_locality=price_of_locality,
            fleet=fleet,
            memory=memory,
            deadline=deadline,
            warm=warm,
            without=without or (),
            disclosure=disclosure,
            ledger=ledger,
            force=force,
            tell=console.progress,
        )
        console.notes(quiet_groups(run, ledger or ledger_beside(folder, read.settings.name)))
        console.progress("writing the report")
        report = write_report(run)
    console.result(summary.of_run(run, report), {**summary.facts(run), "report": str(report)})
    return verdict(console, run, read.settings.solver.gap_relative)


def default_run(case: Case) -> Path:
    """runs/<case>-<date>."""
    return Path("runs") / f"{safe_name(case.settings.name)}-{case.settings.delivery_date}"


def safe_name(name: str) -> str:
    """A name without what the name of a file should not have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "case"


def verdict(console: Console, run: Run, asked: float) -> int:
    """The exit code of a clear: what the audit found, else whether the gap is the one asked for."""
    from planner.commands.summary import violations

    found, gap = violations(run), run.certificate["gap_relative"]
    if found:
        console.error(f"the audit found {counted(found, 'violation')}", f"planner audit {run.folder}")
        return Exit.NOT_CLEAN
    if gap > asked + 1e-9:
        hint = "the answer is valid and within the stated gap; give it more time (--time-limit) or ask for less (--gap)"
        console.error(f"{run.folder.name}: the gap is {gap:.2%}, asked for was {asked:.2%}", hint)
        return Exit.WIDE_GAP
    return Exit.DONE


def audit(
    console: Console,
    run: RunPath,
    rerun: Annotated[
        Path | None,
        typer.Option(metavar="CASE", help="Also clear CASE again and compare what comes out.", show_default=False),
    ] = None,
) -> int:
    """Re-check every rule of a run from its files.

    With --rerun the clear is repeated too, and its results must be the same to the byte.
    RUN may be one holder's part of a run, a folder or a zip; rules whose files are elsewhere are listed as not checked.

    \b
    Example: planner audit runs/riverside
    """
    from planner.audit import audit as audit_run

    if not (run.is_dir() or zipfile.is_zipfile(run)):
        raise refuse("is not a folder" if run.exists() else "does not exist", "name a run folder", run.name)
    with unpacked(run) as folder:
        found = audit_run(folder)
    if not found.rules_checked and found.clean:
        raise refuse("holds nothing that could be audited", "name a run folder, or one holder's part of one", run.name)
    counts = f"{len(found.violations) + sum(found.more.values())} violations, {len(found.rules_checked)} rules checked"
    text = f"{found}\n\n{counts}, {len(found.rules_not_checkable)} not checkable"
    repeated = _rerun(console, run, rerun) if rerun else {}
    text += "".join(f"\n{name}: {value}" for name, value in repeated.items())
    console.result(text, {**_parsed(found.to_json()), **repeated})
    return Exit.DONE if found.clean and repeated.get("same", True) else Exit.NOT_CLEAN


@contextlib.contextmanager
def unpacked(run: Path) -> Iterator[Path]:
    """A part of a run that came as a zip, as a folder for as long as it is looked at; a folder as it is."""
    if run.is_dir():
        yield run
        return
    with tempfile.TemporaryDirectory(prefix="planner-") as scratch, zipfile.ZipFile(run) as archive:
        archive.extractall(scratch)
        yield Path(scratch)


def _parsed(text: str) -> dict[str, Any]:
    import json

    return dict(json.loads(text))


def _rerun(console: Console, folder: Path, path: Path) -> dict[str, Any]:
    """Clear the case with the run's own solver settings and compare the digests of what went in and came out."""
    import tomllib

    from planner.case import read_case
    from planner.clearing import clear as clear_case
    from planner.ledger import read_run

    told = read_run(folder).certificate
    if told.get("mode") == "market":
        return _market_again(console, folder, path)
    settings = tomllib.loads((folder / "market" / "case" / "case.toml").read_text("utf-8"))
    case = read_case(path, told["delivery_date"]).with_(solver=settings["solver"])
    if case.sha256 != told["case_sha256"]:
        what = "is not the case of this run: case_sha256 differs"
        raise refuse(what, "--rerun needs the case as it was when it was cleared", path.name)
    with tempfile.TemporaryDirectory(prefix="planner-") as scratch:
        ledger = _ledger_before(folder, case, Path(scratch))
        again = clear_case(case, Path(scratch) / "run", ledger=ledger, tell=console.progress).certificate
    return {
        "same": again["output_sha256"] == told["output_sha256"],
        "output_sha256": told["output_sha256"],
        "output_sha256_again": again["output_sha256"],
    }


def _market_again(console: Console, folder: Path, path: Path) -> dict[str, Any]:
    """Clear an order book again under every rule of its run and compare digests rule by rule."""
    from planner.case import read_case
    from planner.orderbook.market import market as clear_market
    from planner.orderbook.market import runs_of

    before = {run.rule: run.certificate for run in runs_of(folder)}
    first = next(iter(before.values()))
    case = read_case(path, first["delivery_date"])
    if case.sha256 != first["case_sha256"]:
        what = "is not the case of this run: case_sha256 differs"
        raise refuse(what, "--rerun needs the case as it was when it was cleared", path.name)
    if any(told["status"] != "optimal" for told in before.values()):
        raise refuse("hit its time limit, so a repeat may differ", "clear it again with more time", folder.name)
    with tempfile.TemporaryDirectory(prefix="planner-") as scratch:
        clear_market(case, list(before), Path(scratch) / "run", tell=console.progress)
        digests = {run.rule: run.certificate["output_sha256"] for run in runs_of(Path(scratch) / "run")}
    differing = [rule for rule, told in before.items() if told["output_sha256"] != digests[rule]]
    return {"same": not differing, "rules": list(before), "differing": differing}


def _ledger_before(folder: Path, case: Case, scratch: Path) -> Path:
    """A copy of the release ledger beside a run, as if the run's clear had not been."""
    from planner.history import clear_id_of, copy_of, ledger_beside

    path = scratch / "releases.sqlite"
    with copy_of(ledger_beside(folder, case.settings.name), path) as copy:
        copy.forget(clear_id_of(case))
    return path


def report(console: Console, run: RunPath) -> None:
    """Write report.html into a run folder.

    \b
    Example: planner report runs/riverside
    """
    from planner.ledger import read_run
    from planner.report import write_report

    path = write_report(read_run(run))
    console.result(str(path), {"report": str(path)})


def export(
    console: Console,
    run: RunPath,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where to put them.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Also into a folder that is not empty.")] = False,
) -> None:
    """Write nomination, setpoints and sharing keys.

    Three files: nomination.csv, setpoints.csv, sharing_keys.csv.  With --force they replace their namesakes in DIR
    and leave its other files alone.

    \b
    Example: planner export runs/riverside -o outgoing
    """
    from planner.export import export as export_run
    from planner.ledger import read_run

    if out.exists() and not out.is_dir():
        raise refuse("is a file", "use -o with a folder", out.name)
    if not force and out.is_dir() and any(out.iterdir()):
        raise refuse("is not empty", "use -o with another folder, or --force to write into this one", out.name)
    written = export_run(read_run(run), out)
    console.result("\n".join(map(str, written)), {"written": [str(path) for path in written]})


COMMANDS = {"clear": clear, "audit": audit, "report": report, "export": export}
