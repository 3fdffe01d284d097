"""Trainings that stop half-way, that diverge, and checkpoints that somebody damaged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchmarkError
from tests.cli.conftest import Command, Done, assert_stopped

QUICK = ("--model", "sasrec", "--preset", "quick", "--set", "epochs=2", "--set", "validate_every=1")


@pytest.fixture
def sasrec(command: Command, tiny_folder: Path) -> Command:
    def call(name: str, *arguments: object) -> Done:
        return command(name, *QUICK, "--dataset", tiny_folder, *arguments)

    return call


def _fail(*arguments: Any, **options: Any) -> None:
    raise BenchmarkError("the machine has a fault")


def _measured(done: Done) -> list[float]:
    (run,) = done.json
    return [run["metrics"]["rec"][protocol]["ndcg@10"] for protocol in ("full", "sampled")]


def test_a_damaged_checkpoint_is_named_and_what_it_was_of_is_trained_again(
    sasrec: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _measured(sasrec("run", "--json", "--results", "whole"))
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.running.runner.evaluate", _fail)
        assert_stopped(sasrec("run"))
    (file,) = Path("results/checkpoints").rglob("*.pt")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    done = sasrec("run")
    assert_stopped(done)
    assert f"{file}: damaged" in done.err
    assert "delete it to start over" in done.err
    file.unlink()
    assert _measured(sasrec("run", "--json")) == whole
    assert not list(Path("results/checkpoints").rglob("*.pt"))


def test_a_checkpoint_of_another_run_is_not_taken_up(
    sasrec: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.running.runner.evaluate", _fail)
        for seed in (1, 2):
            assert_stopped(sasrec("run", "--seed", seed))
    first, second = sorted(Path("results/checkpoints").rglob("*.pt"))
    second.write_bytes(first.read_bytes())
    done = sasrec("run", "--seed", 2)
    assert_stopped(done)
    assert "of another run" in done.err


def test_a_damaged_checkpoint_of_a_trial_stops_the_search_and_the_trial_stays_open(
    sasrec: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.learning.checkpoint.Checkpoint.write", _fail)
        stopped = sasrec("tune", "--trials", 2)
    assert_stopped(stopped)
    assert "trial 1 was stopped: the machine has a fault; it stays open" in stopped.err
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.evaluation.evaluate.HarnessValidation.measure", _after(1))
        assert_stopped(sasrec("tune", "--trials", 2))
    (file,) = Path("results/tuning").rglob("*.pt")
    file.write_bytes(file.read_bytes()[:-1])
    damaged = sasrec("tune", "--trials", 2)
    assert_stopped(damaged)
    assert f"{file}: damaged" in damaged.err
    assert not list(Path("results").rglob("study.json"))
    file.unlink()
    (study,) = sasrec("tune", "--trials", 2, "--json").json
    assert None not in study["values"]


def _after(calls: int) -> Any:
    left = [calls]

    def measure(*arguments: Any) -> dict[str, float]:
        if not left.pop():
            _fail()
        left.append(0)
        return {"rec": 0.5}

    return measure


@pytest.mark.parametrize("name", ["run", "tune"])
def test_a_training_that_diverged_is_named_so_and_stored_nowhere(
    sasrec: Command, name: str
) -> None:
    done = sasrec(name, "--set", "learning_rate=1e12")
    assert_stopped(done)
    assert re.search(
        r"training of sasrec diverged at step \d+: (its loss is nan|with a loss of|its weights)",
        done.err,
    )
    assert "at a learning rate of 1e+12; lower the learning rate (--set learning_rate" in done.err
    assert not list(Path("results").rglob("run.json"))
    assert not list(Path("results").rglob("study.json"))


def test_searches_of_models_before_one_that_fails_are_shown(
    command: Command, tiny_folder: Path
) -> None:
    asked = ("--model", "bm25,sasrec", "--set", "sasrec.learning_rate=1e12", "--preset", "quick")
    done = command("tune", *asked, "--dataset", tiny_folder, "--trials", 2)
    assert done.status == 2
    assert "bm25" in done.out
    assert "sasrec" not in done.out
    assert done.err.splitlines()[-1].startswith(
        "error: sasrec: the settings that the search starts"
    )
