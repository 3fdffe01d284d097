"""Runs that two processes make together, as ``accelerate launch`` starts them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.learning.training_loop import TrainingLoop
from tests.commands import finished, start
from tests.processes import command
from tests.support import write_tiny
from tests.two_processes import compare

DATA = ("--dataset", "data/tiny")
SMALL = ("width=8", "inner=8", "epochs=3", "validate_every=1", "batch_size=7")
SASREC = ("run", "--model", "sasrec", "--preset", "quick", *DATA, *(f"--set={s}" for s in SMALL))
SAME = ("--set=dropout=0", "--set=attention_dropout=0")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "data" / "tiny")
    return tmp_path


def _record(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("runs/*/*/*/run.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_two_processes_make_the_run_of_one(home: Path) -> None:
    first, second = command(home, *SASREC, *SAME, "--json", "--results", "two")
    assert (first.status, second.status) == (0, 0), first.stderr
    assert second.stdout == second.stderr == ""
    assert first.stderr.count("started") == 1
    alone = start(home, (*SASREC, *SAME, "--results", "one"))
    assert finished(alone) == 0
    two, one = _record(home / "two"), _record(home / "one")
    assert json.loads(first.stdout)[0]["run"] == two["run"] == one["run"]
    assert (two["environment"]["processes"], one["environment"]["processes"]) == (2, 1)
    assert two["parameters"] == one["parameters"]
    for found, expected in zip(two["curve"], one["curve"], strict=True):
        assert found["step"] == expected["step"]
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-3)
    for protocol, means in one["metrics"]["rec"].items():
        found = two["metrics"]["rec"][protocol]
        assert found["requests"] == means["requests"]
        assert found["ndcg@10"] == pytest.approx(means["ndcg@10"], abs=0.02)
    compared = list(compare(home / "one", home / "two"))
    assert {each.protocol for each in compared} == {"full", "sampled"}
    assert all(each.once for each in compared)
    assert not list(home.glob("two/checkpoints/**/*"))


def test_it_is_not_made_again_by_another_number_of_processes(home: Path) -> None:
    popularity = ("run", "--model", "popularity", *DATA, "--json")
    first, second = command(home, *popularity)
    assert (first.status, second.status) == (0, 0), first.stderr
    assert "popularity shares no training among processes: one does it" in first.stderr
    again, other = command(home, *popularity, count=3)[:2]
    assert (again.status, other.status) == (0, 0)
    assert "stored already, not run again" in again.stderr
    assert {**json.loads(again.stdout)[0], "reused": False} == json.loads(first.stdout)[0]


def _fail_after_a_validation(rank: int) -> None:
    train = TrainingLoop._train

    def failing(loop: TrainingLoop, *arguments: Any) -> Any:
        if rank == 1 and arguments[0].step:
            raise RuntimeError("out of memory")
        return train(loop, *arguments)

    TrainingLoop._train = failing  # type: ignore[method-assign]


def _die_after_a_validation(rank: int) -> None:
    train = TrainingLoop._train

    def dying(loop: TrainingLoop, *arguments: Any) -> Any:
        if rank == 1 and arguments[0].step:
            os.kill(os.getpid(), signal.SIGKILL)
        return train(loop, *arguments)

    TrainingLoop._train = dying  # type: ignore[method-assign]


@pytest.mark.parametrize("sabotage", [_fail_after_a_validation, _die_after_a_validation])
def test_a_failure_of_one_ends_all_and_the_next_goes_on(home: Path, sabotage: Any) -> None:
    first, second = command(home, *SASREC, *SAME, sabotage=sabotage, within=60)
    assert first.status == 2
    assert second.status == (2 if sabotage is _fail_after_a_validation else -signal.SIGKILL)
    (line,) = [line for line in first.stderr.splitlines() if line.startswith("error:")]
    if sabotage is _fail_after_a_validation:
        assert line.startswith("error: model sasrec, seed 1: process 2 of 2: ")
        assert "memory ran out" in line
    else:
        assert "another process of this run has ended" in line
    assert (first.stdout, second.stdout, second.stderr) == ("", "", "")
    assert list(home.glob("results/checkpoints/**/sasrec.pt"))
    first, second = command(home, *SASREC, *SAME)
    assert (first.status, second.status) == (0, 0), first.stderr
    assert "resumed from a checkpoint, step " in first.stderr
    whole = command(home, *SASREC, *SAME, "--results", "whole")
    assert [one.status for one in whole] == [0, 0]
    resumed, uninterrupted = (
        np.concatenate([[p[name] for name in ("loss", "rec")] for p in _record(folder)["curve"]])
        for folder in (home / "results", home / "whole")
    )
    assert resumed.tolist() == uninterrupted.tolist()


def test_bad_input_is_told_once(home: Path) -> None:
    first, second = command(home, "run", "--model", "sasrce", *DATA)
    assert (first.status, second.status) == (2, 2)
    assert first.stderr.count("error:") == 1 and second.stderr == ""
    first, second = command(home, "run", "--model", "sasrec", "--dataset", "data/none")
    assert (first.status, second.status) == (2, 2)
    assert first.stderr.count("error:") == 1 and second.stderr == ""


def test_commands_that_share_no_work_are_refused(home: Path) -> None:
    for outcome in command(home, "leaderboard"):
        assert outcome.status == 2
    first, _ = command(home, "tune", "--model", "bm25", *DATA)
    assert "tune: 2 processes were started, and it needs one" in first.stderr
