"""The command line: what each command prints and writes, how it ends, and that nothing is written on bad input."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from case_folders import ROOT, Folder

from planner import clearing, cli
from planner.commands.console import Console
from planner.commands.runs import default_run, verdict
from planner.ledger import read_run

SMALL = ROOT / "data" / "cases" / "k16-joint"
GROUPED = sorted(f"{title} {name}" for title, module in cli.GROUPS.items() for name in module.COMMANDS)
EVERY = sorted(name for module in cli.MODULES for name in module.COMMANDS) + GROUPED


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run one command line inside this process, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*arguments: object) -> Said:
        code = cli.run([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small case; nobody may change it."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert cli.run(["clear", str(SMALL), "-o", str(folder), "--quiet"]) == 0
    return folder


def here() -> list[str]:
    return sorted(path.name for path in Path.cwd().iterdir())


def entry(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same through a process of its own, as the console script does it."""
    return subprocess.run(
        [sys.executable, "-c", "from planner.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")]), **environment},
    )


# -- the program as a whole


def test_help_is_quick_and_names_every_command() -> None:
    began = time.perf_counter()
    done = entry("--help")
    assert time.perf_counter() - began < 5.0  # a wide margin for busy machines; what it must not load is tested below
    assert done.returncode == 0
    assert all(
        re.search(rf"^  {name} ", done.stdout, re.MULTILINE) for name in [*set(EVERY) - set(GROUPED), *cli.GROUPS]
    )
    assert "Exit codes" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, planner.cli; planner.cli.run(['clear', '--help']); print([m for m in sys.modules if m in %r])"
    heavy = ("numpy", "pandas", "pyomo", "highspy", "matplotlib", "networkx", "scipy", "pyarrow")
    done = subprocess.run([sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_help_with_an_example(call: Call, name: str) -> None:
    said = call(*name.split(), "--help")
    assert said.code == 0
    assert f"Example: planner {name}" in said.out
    assert "--json" in said.out


def test_examples_in_help_are_valid_command_lines(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example parses: the command itself is stopped before it begins."""
    monkeypatch.setattr("planner.commands.common.ending", lambda console, command: 0)
    for name in EVERY:
        example = re.search(r"Example: planner (.*)", call(*name.split(), "--help").out)
        assert example is not None
        assert call(*shlex.split(example[1].replace("*", "x"))).code == 0, example[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["clear", "x", "--frobnicate"], "No such option"),
        (["clear"], "Missing argument 'CASE'"),
        (["clear", "x", "--gap", "much"], "--gap"),
        (["export", "x"], "Missing option"),
        (["generate", "--units", "many", "-o", "x"], "--units"),
        (["validate", "x", "--log", "xml"], "neither text nor json"),
    ],
)
def test_usage_errors(call: Call, arguments: list[str], words: str) -> None:
    said = call(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("planner: error: ")
    assert words in said.err
    assert "planner: hint: planner" in said.err
    assert here() == []


def test_without_arguments_it_shows_help(call: Call) -> None:
    said = call()
    assert said.code == 2
    assert "Commands:" in said.out + said.err


def test_version(call: Call) -> None:
    import planner

    assert call("--version").out.strip() == f"planner {planner.__version__}"


def test_a_bug_is_one_line_and_a_hint(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(clearing, "clear", broken)
    said = call("clear", SMALL, "--quiet")
    assert said.code == 70
    assert re.fullmatch(r"planner: error: a bug in planner: RuntimeError at test_cli.py:\d+", said.err.splitlines()[0])
    assert "--debug" in said.err
    assert "Traceback" not in said.err
    traced = call("clear", SMALL, "--quiet", "--debug").err
    assert "Traceback" in traced
    assert "in broken" in traced
    assert 'raise RuntimeError("two' in traced, "our own line; what it said is not repeated"
    assert "RuntimeError: " not in traced


def test_ctrl_c_is_clean(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clearing, "clear", interrupted)
    said = call("clear", SMALL)
    assert said.code == 130
    assert said.err == "planner: error: interrupted\n"


def test_a_closed_pipe_is_no_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from planner.cli import main; main()", "allocate", str(SMALL)],
        stdout=_closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 141


PRINTS_FROM_C = """
import ctypes, os
from planner import clearing, cli
clear = clearing.clear
def printing(*given, **more):
    os.write(1, b"straight to the descriptor\\n")
    ctypes.CDLL(None).printf(b"held back by C until the end\\n")
    return clear(*given, **more)
clearing.clear = printing
cli.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="asks C to print")
def test_what_a_library_prints_is_no_result(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTS_FROM_C, "clear", str(SMALL), "-o", str(tmp_path / "run"), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["report"]
    assert "straight to the descriptor" in done.stderr
    assert "held back by C" in done.stderr


def test_the_entry_point_gives_stdout_back() -> None:
    code = "import os\nfrom planner import cli\ntry: cli.main()\nexcept SystemExit: os.write(1, b'back')"
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("planner ")
    assert done.stdout.endswith("back")


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors as a shell does")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_descriptor_is_no_error(closed: str) -> None:
    line = f'"$0" -c "from planner.cli import main; main()" --version {closed}'
    assert (
        subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, check=False, cwd=ROOT).returncode == 0
    )


def _closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


# -- clear


def test_clear_writes_a_run_and_sums_it_up(call: Call) -> None:
    said = call("clear", SMALL, "-o", "run")
    assert said.code == 0
    labels = [line.split()[0] for line in said.out.splitlines()]
    assert labels == ["day", "cost", "savings", "gap", "price", "groups", "audit", "time", "run", "report"]
    assert "0.005 EUR" in said.out
    assert "clean" in said.out
    assert Path("run/report.html").is_file()
    assert Path("run/certificate.json").is_file()
    assert here() == ["run"]
    assert said.err == ""


def test_clear_of_an_order_book(call: Call) -> None:
    said = call("clear", SMALL.with_name("k19a"), "-o", "run")
    assert said.code == 0
    assert "96 intervals, 2 orders\n" in said.out
    assert "groups" not in said.out


def test_clear_as_json(call: Call) -> None:
    told = json.loads(call("clear", SMALL, "-o", "run", "--json").out)
    assert told["certificate"]["objective"] == pytest.approx(0.005)
    assert told["violations"] == 0
    assert told["price_per_mwh"] == {"lowest": 12.5, "mean": 12.5, "highest": 12.5}
    assert Path(told["report"]).is_file()


def test_clear_chooses_a_folder_by_name_and_day(call: Call) -> None:
    assert call("clear", SMALL, "--quiet").code == 0
    assert Path("runs/k16-joint-2026-06-15/certificate.json").is_file()


def test_a_name_makes_a_safe_folder(case_folder: Folder) -> None:
    case = case_folder.swap("case.toml", '"small"', '"../a b/c"').read()
    assert default_run(case) == Path("runs/a-b-c-2026-06-10")


def test_a_taken_run_is_refused_before_the_clear(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("clear", SMALL, "-o", "run", "--quiet").code == 0
    before = Path("run/certificate.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(clearing, "clear", lambda *_, **__: pytest.fail("cleared although RUN is taken"))
        said = call("clear", SMALL, "-o", "run")
    assert said.code == 2
    assert "is not empty" in said.err
    assert "--force" in said.err
    assert Path("run/certificate.json").read_bytes() == before
    assert call("clear", SMALL, "-o", "run", "--quiet", "--force").code == 0


def test_force_replaces_nothing_but_runs(call: Call) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    assert call("clear", SMALL, "-o", "mine", "--force").code == 2
    assert Path("mine/letter.txt").read_text() == "dear"
    assert here() == ["mine"]


def test_options_win_over_the_case(call: Call) -> None:
    said = call("clear", SMALL, "-o", "run", "--gap", "0.25", "--time-limit", "77", "--mode", "monolith", "--quiet")
    assert said.code == 0
    written = Path("run/market/case/case.toml").read_text()
    assert "gap_relative = 0.25" in written
    assert "time_limit_s = 77" in written


def test_price_of_locality(call: Call, case_folder: Folder) -> None:
    said = call("clear", SMALL.with_name("k16-strict"), "-o", "run", "--price-of-locality")
    assert said.code == 0
    assert "locality 0.015 to 0.015 EUR" in said.out
    case_folder.swap("case.toml", 'preset = "lab"', 'preset = "exchange"')
    refused = call("clear", case_folder.path, "-o", "other", "--price-of-locality")
    assert refused.code == 2
    assert "not open to this preset" in refused.err
    assert here() == ["run"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mode", "magic"], "unknown mode"),
        (["--gap", "-1"], "gap_relative is negative"),
        (["--gap", "nan"], "finite"),
        (["--time-limit", "0"], "time_limit_s"),
        (["--date", "tomorrow"], "is not a date"),
        (["--date", "2031-01-01"], "problem"),
    ],
)
def test_bad_options_write_nothing(call: Call, case_folder: Folder, options: list[str], words: str) -> None:
    path = case_folder.path
    if "2031-01-01" in options:
        path = ROOT / "data" / "riverside"
    said = call("clear", path, "-o", "run", *options)
    assert said.code == 2
    assert words in said.err
    assert here() == []


def test_exit_codes_of_an_answer(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = read_run(finished)
    assert verdict(Console(), run, 1e-6) == 0
    run.certificate["gap_relative"] = 0.02
    assert verdict(Console(), run, 0.02) == 0
    assert verdict(Console(), run, 0.01) == 4
    assert "run: the gap is 2.00%, asked for was 1.00%" in capsys.readouterr().err
    run.audit["violations"].append({"rule": "C14"})
    assert verdict(Console(), run, 0.01) == 1


@pytest.fixture
def export_file(tmp_path: Path) -> Path:
    """Two days of hourly readings of one meter, the last of them sent twice."""
    hours = pd.date_range("2026-05-01", periods=48, freq="h", tz="Europe/Stockholm")
    rows = [f"m1,import,{hour.isoformat()},60,0.5,actual" for hour in hours]
    path = tmp_path / "readings.csv"
    path.write_text("\n".join(["meter,channel,start,minutes,energy_kwh,quality", *rows, rows[-1]]) + "\n")
    return path


# -- what-if

SCENARIOS = """
[[scenario]]
name = "twice the supply"
scale = [{ table = "supply", column = "energy_kwh", by = 2.0 }]
"""


def test_what_if(call: Call) -> None:
    Path("more.toml").write_text(SCENARIOS)
    said = call("what-if", SMALL, "more.toml")
    assert said.code == 0, said.err
    head, base, changed, legend = said.out.splitlines()
    assert head.split()[:3] == ["scenario", "cost", "EUR"]
    assert base.startswith("as it is")
    assert changed.startswith("twice the supply")
    assert "~" in legend
    assert Path("runs/k16-joint-more/twice-the-supply/audit.json").is_file()
    assert call("what-if", SMALL, "more.toml").code == 2
    told = json.loads(call("what-if", SMALL, "more.toml", "-o", "other", "--json").out)
    assert [row["scenario"] for row in told["scenarios"]] == ["as it is", "twice the supply"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("[[scenario]]", [], "has no name"),
        (SCENARIOS.replace("twice the supply", "as it is"), [], "may not have"),
        (SCENARIOS.replace("energy_kwh", "energy"), [], "no column"),
        (SCENARIOS, ["--dates", "2026-06-15..2026-06-01"], "before the first"),
        (SCENARIOS, ["--gap", "-1"], "negative"),
    ],
)
def test_what_if_refuses(call: Call, text: str, options: list[str], words: str) -> None:
    Path("more.toml").write_text(text)
    said = call("what-if", SMALL, "more.toml", *options)
    assert said.code == 2
    assert words in said.err
    assert here() == ["more.toml"]


# -- bad input


def html(folder: Folder) -> None:
    folder.write("nodes.csv", "<!DOCTYPE html>\n<html><body>Not found</body></html>\n")


BAD: dict[str, tuple[Callable[[Folder], object], str]] = {
    "a page of html as csv": (html, "nodes.csv"),
    "no case.toml": (lambda folder: folder.remove("case.toml"), "case.toml: is missing"),
    "not toml": (lambda folder: folder.write("case.toml", "= ="), "case.toml:1"),
    "an unknown column": (lambda folder: folder.swap("loads.csv", "peak_kw", "peek_kw"), "peak_kw"),
    "bytes": (lambda folder: folder.write("loads.csv", b"\xff\xfe\x00\x01"), "loads.csv"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["validate", "clear", "forecast", "allocate"])
def test_bad_cases(call: Call, case_folder: Folder, name: str, command: str) -> None:
    breaks, words = BAD[name]
    breaks(case_folder)
    before = sorted(path.name for path in case_folder.path.iterdir())
    said = call(command, case_folder.path, *(() if command == "validate" else ("-o", "out.csv")))
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("planner: error: ")
    assert words in said.err
    assert "Traceback" not in said.err
    assert here() == []
    assert sorted(path.name for path in case_folder.path.iterdir()) == before


@pytest.mark.parametrize("command", ["validate", "clear", "forecast", "allocate", "audit", "report"])
@pytest.mark.parametrize("kind", ["nothing", "empty folder", "file"])
def test_what_is_no_folder_of_ours(call: Call, tmp_path: Path, command: str, kind: str) -> None:
    path = tmp_path / "given"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("hello")
    said = call(command, path)
    assert said.code == 2
    assert "planner: error: given" in said.err or "planner: error: case.toml" in said.err
    assert here() == []
    assert not path.is_dir() or not list(path.iterdir())


def test_all_errors_at_once_with_a_count(call: Call, case_folder: Folder) -> None:
    case_folder.swap("case.toml", "price_cap", "price_cup").add("loads.csv", "x,nowhere,home_kw,,,")
    said = call("validate", case_folder.path)
    lines = said.err.splitlines()
    assert any("did you mean 'price_cap'" in line for line in lines)
    assert any("nowhere" in line for line in lines)
    assert lines[-1] == "planner: error: 2 problems in 2 files"


def test_errors_as_json(call: Call, case_folder: Folder) -> None:
    case_folder.remove("case.toml")
    said = call("validate", case_folder.path, "--json", "--log", "json")
    assert said.code == 2
    told = json.loads(said.out)
    assert told["valid"] is False
    assert told["problems"][0]["file"] == "case.toml"
    assert {json.loads(line)["level"] for line in said.err.splitlines()} == {"error", "hint"}


# -- validate, audit, report, export


def test_validate(call: Call, case_folder: Folder) -> None:
    said = call("validate", case_folder.path)
    assert said.code == 0
    assert said.out == "small is valid: 3 units in 2 buildings, 2026-06-10 in 24 intervals\n"
    verbose = call("validate", case_folder.path, "-v").out
    assert "7 rows  nodes" in verbose
    assert "└─ tower building" in verbose
    told = json.loads(call("validate", case_folder.path, "--json").out)
    assert told["valid"] is True
    assert told["rows"]["batteries"] == 1


def test_validate_an_order_book(call: Call, market_folder: Folder) -> None:
    said = call("validate", market_folder.path, "-v")
    assert said.code == 0
    assert "4 orders" in said.out


def test_notes_can_be_silenced(call: Call, case_folder: Folder) -> None:
    case_folder.swap("case.toml", "[fees]\nmarket_buy_per_mwh = 8.0\nmarket_sell_per_mwh = 0.0\n", "")
    assert "planner: note: case.toml: [fees]" in call("validate", case_folder.path).err
    assert call("validate", case_folder.path, "--quiet").err == ""


def test_audit(call: Call, finished: Path) -> None:
    said = call("audit", finished)
    assert said.code == 0
    assert re.search(r"^C14 +holds", said.out, re.MULTILINE)
    assert "0 violations" in said.out
    assert json.loads(call("audit", finished, "--json").out)["violations"] == []


def test_audit_of_a_changed_run(call: Call, finished: Path, copy_of: Callable[[Path], Folder]) -> None:
    run = copy_of(finished)
    run.swap("market/settlement.csv", "0.0125", "0.0126")
    said = call("audit", run.path)
    assert said.code == 1
    assert re.search(r"^S4 +\d+ violated", said.out, re.MULTILINE)


def test_rerun(call: Call, finished: Path, copy_of: Callable[[Path], Folder]) -> None:
    assert "same: True" in call("audit", finished, "--rerun", SMALL, "--quiet").out
    other = copy_of(SMALL).swap("case.toml", "price_cap = 3000", "price_cap = 2999")
    said = call("audit", finished, "--rerun", other.path)
    assert said.code == 2
    assert "case_sha256 differs" in said.err


def test_report(call: Call, finished: Path, copy_of: Callable[[Path], Folder]) -> None:
    run = copy_of(finished).remove("report.html")
    said = call("report", run.path)
    assert said.code == 0
    assert Path(said.out.strip()) == run.path / "report.html"
    assert (run.path / "report.html").is_file()


def test_export(call: Call, finished: Path) -> None:
    said = call("export", finished, "-o", "outgoing")
    assert said.code == 0
    assert len(said.out.splitlines()) == 3
    assert sorted(path.name for path in Path("outgoing").iterdir()) == [
        "nomination.csv",
        "setpoints.csv",
        "sharing_keys.csv",
    ]


def test_export_into_a_folder_in_use_needs_force(call: Call, finished: Path) -> None:
    Path("taken").mkdir()
    Path("taken/nomination.csv").write_text("mine")
    said = call("export", finished, "-o", "taken")
    assert said.code == 2
    assert "taken: is not empty" in said.err
    assert "--force" in said.err
    assert Path("taken/nomination.csv").read_text() == "mine"
    assert [path.name for path in Path("taken").iterdir()] == ["nomination.csv"]
    assert call("export", finished, "-o", "taken/nomination.csv", "--force").code == 2
    assert call("export", finished, "-o", "taken", "--force").code == 0
    assert Path("taken/nomination.csv").read_text().startswith("zone,")


# -- forecast, allocate, ingest, generate


def test_allocate(call: Call) -> None:
    said = call("allocate", SMALL, "-o", "a.csv")
    assert said.code == 0
    table = pd.read_csv("a.csv")
    assert list(table.columns) == ["node", "start", "energy_kwh", "resource", "reserve_per_mwh"]
    assert call("allocate", SMALL).out == Path("a.csv").read_text()
    assert call("allocate", SMALL, "-o", "a.xlsx").code == 2
    assert here() == ["a.csv"]


def test_forecast_without_meters(call: Call, case_folder: Folder) -> None:
    said = call("forecast", case_folder.path, "-o", "f.csv")
    assert said.code == 2
    assert "no metered load" in said.err
    assert here() == []


def metered(case_folder: Folder) -> Folder:
    """The small case with five weeks of readings of one flat."""
    hours = pd.date_range("2026-05-01", "2026-06-08", freq="h", tz="Europe/Stockholm", inclusive="left")
    rows = "".join(f"m1,import,{hour.isoformat()},60,0.5,actual\n" for hour in hours)
    case_folder.write("meters/m.csv", "meter,channel,start,minutes,energy_kwh,quality\n" + rows)
    case_folder.write("meters.csv", "meter,node,file\nm1,flat1,m.csv\n")
    return case_folder.write("loads.csv", "load,node,meter,meter_includes\nflat1-load,flat1,m1,none\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("<!DOCTYPE html><html><body>log in</body></html>", "an HTML page"),
        ("meter,channel,start,minutes,energy_kwh\n", "holds no readings"),
    ],
)
def test_validate_opens_meter_files(call: Call, case_folder: Folder, text: str, words: str) -> None:
    case = metered(case_folder)
    said = call("validate", case.path, "-v")
    assert said.code == 0, said.err
    assert re.search(r"^meters/m.csv +canonical +1 +912 +912 +0$", said.out, re.MULTILINE)
    assert json.loads(call("validate", case.path, "--json").out)["readings"] == 912
    case.write("meters/m.csv", text)
    said = call("validate", case.path)
    assert said.code == 2
    assert said.out == ""
    assert "meters/m.csv" in said.err
    assert words in said.err


def test_forecast(call: Call, case_folder: Folder) -> None:
    metered(case_folder)
    said = call("forecast", case_folder.path, "-o", "f.parquet")
    assert said.code == 0, said.err
    table = pd.read_parquet("f.parquet")
    assert list(table.columns) == ["kind", "asset", "interval", "start", "energy_kwh"]
    assert len(table) == 24
    assert (table["energy_kwh"] == 0.5).all()


def test_ingest(call: Call, export_file: Path) -> None:
    said = call("ingest", export_file, "-o", "long.csv")
    assert said.code == 0
    head, row, total = said.out.splitlines()
    assert head.split() == ["file", "format", "meters", "read", "used", "rejected", "found"]
    assert row.split() == ["readings.csv", "canonical", "1", "49", "48", "0", "1", "x", "exact_duplicate"]
    assert total == "48 readings in long.csv"
    assert len(pd.read_csv("long.csv")) == 48
    assert json.loads(call("ingest", export_file, "--json").out)["readings"] == 48
    assert "encoding: UTF-8" in call("ingest", export_file, "-v").out


def test_ingest_refuses_what_it_cannot_read(call: Call, export_file: Path) -> None:
    Path("page.csv").write_text("<html><body>login</body></html>")
    said = call("ingest", "page.csv", export_file, "-o", "long.csv")
    assert said.code == 2
    assert "page.csv" in said.err
    assert here() == ["page.csv"]
    kept = call("ingest", "page.csv", export_file, "-o", "long.csv", "--keep-going")
    assert kept.code == 0
    assert "planner: warning: page.csv" in kept.err
    assert len(pd.read_csv("long.csv")) == 48


def test_ingest_never_replaces_its_own_input(call: Call, export_file: Path) -> None:
    before = export_file.read_text()
    assert call("ingest", export_file, "-o", export_file).code == 2
    assert export_file.read_text() == before
    assert call("ingest", export_file, "-o", "table.xlsx").code == 2
    assert here() == []


def test_nothing_left_is_a_refusal(call: Call) -> None:
    Path("page.csv").write_text("<html>")
    assert call("ingest", "page.csv", "-o", "long.csv", "--keep-going").code == 2
    assert here() == ["page.csv"]


def test_generate_and_validate(call: Call) -> None:
    said = call("generate", "--units", 60, "--units-per-building", 30, "--seed", 7, "-o", "city")
    assert said.code == 0
    assert "60 units" in call("validate", "city").out
    assert call("generate", "--units", 60, "-o", "city").code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--units", 1], "at least 2"),
        (["--units", 9, "--interval-minutes", 7], "15, 30 or 60"),
        (["--units", 9, "--date", "x"], "date"),
    ],
)
def test_generate_refuses(call: Call, options: list[object], words: str) -> None:
    said = call("generate", *options, "-o", "city")
    assert said.code == 2
    assert words in said.err
    assert here() == []


def test_ingest_reads_a_whole_folder(call: Call, export_file: Path) -> None:
    """Every file below it under its path from there; hidden ones, which systems leave behind, are passed over."""
    for name in ("a/one.csv", "b/one.csv", "b/.one.csv"):
        target = Path("exports") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(export_file.read_bytes())
    said = call("ingest", "exports", "--json")
    assert said.code == 0
    files = [report["file"] for report in json.loads(said.out)["files"]]
    assert files == ["a/one.csv", "b/one.csv", "files together"]
    Path("nothing").mkdir()
    assert "holds no file" in call("ingest", "nothing").err
