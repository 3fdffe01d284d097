from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Command, assert_refused


@pytest.fixture
def file(tmp_path: Path, tiny_folder: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"runs:\n  - models: [popularity, random]\n    datasets: ['{tiny_folder}']\n"
        "    presets: [quick]\n    seeds: [1]\n"
    )
    return file


def test_a_sweep_runs_what_is_missing_and_tells_what_came_of_it(
    command: Command, file: Path, tiny_folder: Path
) -> None:
    plan = command("sweep", file, "--dry-run", "--json").json
    assert {run["state"] for run in plan["runs"]} <= {"missing", "unprepared"}
    assert plan["unknown"] == 2 and not Path("results").exists()

    command("run", "--model", "random", "--dataset", tiny_folder, "--preset", "quick")
    plan = command("sweep", file, "--dry-run")
    last = plan.out.splitlines()[-1]
    assert last.startswith("2 runs: 1 stored, 1 to be made; about 0 s of work")
    assert last.endswith(", and 1 runs of models that have not run before")

    done = command("sweep", file, "--workers", 1, "--json")
    runs = {run["model"]: run for run in done.json["runs"]}
    assert {name: run["state"] for name, run in runs.items()} == {
        "popularity": "done",
        "random": "stored",
    }
    assert Path(runs["popularity"]["record"], "run.json").exists()
    assert Path(runs["popularity"]["log"]).read_text().count("attempt 1 on") == 1
    assert "popularity on tiny, quick, seed 1: done in" in done.err

    again = command("sweep", file, "--workers", 1)
    assert again.status == 0 and again.out.count("│ stored │") == 2
    plan = command("sweep", file, "--dry-run", "--json").json
    assert {run["state"] for run in plan["runs"]} == {"stored"} and plan["seconds"] == 0


def test_a_run_that_fails_is_told_and_ends_the_command_with_2(command: Command, file: Path) -> None:
    text = file.read_text()
    tuned = text.replace("popularity, random", "bm25") + "    tuned: true\n"
    file.write_text(tuned + text.removeprefix("runs:\n").replace(", random", ""))
    done = command("sweep", file, "--workers", 1, "--json")
    assert done.status == 2
    states = [run["state"] for run in done.json["runs"]]
    assert sorted(states) == ["done", "failed"]
    assert "no search over settings" in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--workers", "0"), "--workers 0: make it 1 or more"),
        (("--workers", "2", "--scheduler", "tcp://x:1"), "give either"),
        (("--dry-run", "--workers", "0"), "--workers 0: make it 1 or more"),
        (("--dry-run", "--scheduler", " "), "--scheduler: no address is given"),
        (("--retries", "-1"), "--retries"),
        (("--results", "mine.yaml/x"), "--results"),
    ],
)
def test_bad_usage_is_refused(
    command: Command, file: Path, options: tuple[str, ...], told: str
) -> None:
    done = command("sweep", file, *options)
    assert_refused(done)
    assert told in done.err and not Path("results").exists()


def test_data_that_are_not_there_are_told_before_anything_runs(
    command: Command, file: Path
) -> None:
    file.write_text(file.read_text() + "  - {models: [random], datasets: [nowhere/at/all]}\n")
    done = command("sweep", file, "--workers", 1)
    assert_refused(done)
    assert "nowhere/at/all" in done.err and not Path("results").exists()


def test_the_clean_command_takes_the_lock_of_a_sweep_that_was_killed(command: Command) -> None:
    lock = Path("results/sweeps/.mine.lock")
    lock.parent.mkdir(parents=True)
    lock.write_text("{}")
    assert command("clean", "--yes").status == 0 and not os.path.lexists(lock)
