"""The documentation is run: every command and every Python of its pages, and its tables are fresh.

Every line of every ``bash`` block is executed in the order of the pages, in one temporary folder
that holds the files which they spell out. Lines of ``CHECKED_OTHERWISE`` are the exception: they
would train for long, install something, or need data that is not included.

``python -m benchmark …`` is mostly run within the test's own process, through the function that
``python -m benchmark`` calls, because starting Python and importing pandas some twenty times would
take longer than all the rest. A few commands are run in a process of their own.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmark.data.locate import card_names
from benchmark.results.record import read_run
from tests.documentation.document import (
    CHECKED_OTHERWISE,
    COMMANDS,
    README,
    ROOT,
    blocks,
    first_column,
    section,
)
from tests.documentation.shell import Shell


def test_the_commands_run(shell: Shell) -> None:
    executed = [command for command in COMMANDS if command not in CHECKED_OTHERWISE]
    assert len(executed) >= 15
    outputs = {}
    for command in executed:
        done = shell.run(command)
        assert done.status == 0, f"{command}\n{done.stdout}{done.stderr}"
        outputs[command] = done.stdout
    board = json.loads(next(o for c, o in outputs.items() if "--format json" in c))
    models = {row["model"] for table in board["tables"] for row in table["rows"]}
    assert any(model.startswith("random") for model in models)
    check_python_blocks(shell)
    check_record(shell.place)


def check_python_blocks(shell: Shell) -> None:
    scripts = [b.text for b in blocks() if b.language == "python" and b.file is None]
    outputs = [shell.execute(script) for script in scripts]
    assert sum("bm25 1 search full 0." in output for output in outputs) == 1
    answers = next(output for output in outputs if "bm25" not in output).splitlines()
    assert len(answers) == 10
    assert all(float(answer.split()[-1]) < 0 for answer in answers)


def check_record(place: Path) -> None:
    """Compare a record that the commands left with the section that describes it."""
    described = section("Run records")
    folder = next((place / "results" / "runs" / "ml-100k" / "bm25").iterdir())
    for file in folder.iterdir():
        assert f"`{file.name}`" in described
    record = read_run(folder)
    assert set(first_column(described, "field of `run.json`")) == set(record.info)
    assert first_column(described, "column") == list(record.requests().columns)


def test_the_table_of_exceptions_is_up_to_date() -> None:
    assert set(CHECKED_OTHERWISE) <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c, how in CHECKED_OTHERWISE.items() if how == "make"])
def test_make_would_do_what_it_says(command: str, shell: Shell) -> None:
    make, *others = shlex.split(command)
    done = subprocess.run(
        [make, "--dry-run", *others], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    steps = re.findall(r"^(?:\w+=\S+ )?\.venv/bin/(.*)$", done.stdout, re.M)
    if "test" in others:
        assert [s.split()[0] for s in steps if "pip" not in s] == ["ruff", "ruff", "mypy", "python"]
        assert steps[-1].startswith("python -m pytest")
        assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith(command)
    else:
        assert steps[-1].startswith("python -m benchmark run ")
        check_accepted(steps[-1], shell)


@pytest.mark.parametrize("command", [c for c, how in CHECKED_OTHERWISE.items() if how == "run"])
def test_long_runs_would_start(command: str, shell: Shell) -> None:
    check_accepted(command, shell)


def check_accepted(command: str, shell: Shell) -> None:
    (shell.place / "no-folder").touch()
    done = shell.run(f"{command} --results no-folder")
    assert done.status == 2
    assert re.search(r"^error: --results no-folder: .* is no folder$", done.stderr, re.M)
    arguments = shlex.split(command)
    if "--dataset" in arguments:
        assert arguments[arguments.index("--dataset") + 1] in card_names()


def test_modules_of_their_own_exist() -> None:
    for command in (c for c, how in CHECKED_OTHERWISE.items() if how == "module"):
        assert importlib.util.find_spec(shlex.split(command)[2])


def test_the_action_takes_what_the_workflow_gives_and_its_commands_are_good(shell: Shell) -> None:
    (workflow,) = [yaml.safe_load(b.text) for b in blocks() if b.language == "yaml" and not b.file]
    step = workflow["jobs"]["benchmark"]["steps"][-1]
    folder = re.fullmatch(r"\./(.+)", step["uses"])
    assert folder
    action = yaml.safe_load((ROOT / folder[1] / "action.yml").read_text(encoding="utf-8"))
    inputs = action["inputs"]
    assert step["with"].keys() <= inputs.keys()
    assert {n for n, i in inputs.items() if i.get("required")} <= step["with"].keys()
    given = {n.upper(): i.get("default", "") for n, i in inputs.items()}
    given |= {"MODELS": "popularity", "BASELINE": "no-folder", "RESULTS": "no-folder"}
    run, check = (
        re.sub(r'"\$(\w+)"', lambda m: shlex.quote(given[m[1]]), line)
        for line in action["runs"]["steps"][-1]["run"].splitlines()
    )
    check_accepted(run.removesuffix(" --results no-folder"), shell)
    assert "no such folder" in shell.run(check).stderr


def test_the_environment_is_the_makefile_s() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    folder = re.search(r"^VENV := (\S+)$", makefile, re.M)
    assert folder
    for command in (c for c, how in CHECKED_OTHERWISE.items() if how == "environment"):
        assert command == f"source {folder[1]}/bin/activate"


def test_the_leaderboard_has_its_place() -> None:
    start, end = "<!-- leaderboard:start -->", "<!-- leaderboard:end -->"
    assert README.count(start) == README.count(end) == 1
    assert README.index(start) < README.index(end)


@pytest.mark.parametrize(
    "command", [c for c, how in CHECKED_OTHERWISE.items() if how == "committed"]
)
def test_the_leaderboard_is_that_of_the_committed_runs(
    command: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = shell.run(f"{command} --check")
    assert done.status == 0, done.stderr
