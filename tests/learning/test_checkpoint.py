"""Checkpoints of a training: taken up as if nothing had been, and never believed."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.run_log import RunLog
from benchmark.sealed import DamagedError, read_sealed, write_sealed

from .training import IDENTITY, STEPS, Training, assert_equal


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.integers(0, 5), min_size=3, max_size=8),
    every=st.integers(1, 3),
    patience=st.integers(1, 4),
    stops=st.lists(st.integers(0, STEPS - 1), max_size=3),
)
def test_resumed_training_is_uninterrupted_training(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float],
    every: int,
    patience: int,
    stops: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("checkpoints") / "new"
    budget = replace(Training(None).budget, validate_every=every, patience=patience)
    whole = Training(None, values, budget)
    told = whole.run()
    for stop in stops:
        with suppress(KeyboardInterrupt):
            Training(folder, values, budget, stop_in=stop).run()
    last = Training(folder, values, budget)
    assert last.run() == told
    assert_equal(last.weights(), whole.weights())
    assert json.dumps(last.curve()) == json.dumps(whole.curve())


def test_the_time_of_an_interrupted_run_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmark.run_log.time.monotonic", lambda: now[0])
    monkeypatch.setattr("benchmark.run_log.time.process_time", lambda: now[0] / 2)

    class Slow(Training):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.run_log = RunLog(quiet=True)

        def step(self, batch: tuple[int, int], rng: np.random.Generator) -> float:
            loss = super().step(batch, rng)
            now[0] += 10
            return loss

        def timed(self) -> dict[str, float]:
            with self.run_log.phase("fit"):
                now[0] += 5
                with self.run_log.phase("backbone"):
                    self.run()
            phases = self.run_log.phases
            assert [each.processor_seconds for each in phases] == [e.seconds / 2 for e in phases]
            return {phase.name: phase.seconds for phase in phases}

    whole = Slow(None).timed()
    assert whole == {"fit/backbone": 10.0 * STEPS, "fit": 10.0 * STEPS + 5}
    with pytest.raises(KeyboardInterrupt):
        Slow(tmp_path, stop_in=4).timed()
    now[0] += 1000
    again = Slow(tmp_path)
    assert again.timed() == whole
    assert [point["seconds"] for point in again.run_log.curve][-1] == whole["fit"]
    now[0] += 1000
    assert Slow(tmp_path).timed() == whole


def _weights(state: dict[str, Any], which: str) -> dict[str, Any]:
    weights: dict[str, Any] = state[which]["weights"]
    return weights


IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no times": lambda state: state["progress"].pop("elapsed"),
    "too many times": lambda state: state["progress"].update(elapsed=[(1.0, 1.0)] * 3),
    "times of one clock": lambda state: state["progress"].update(elapsed=[1.0]),
    "a time before the start": lambda state: state["progress"].update(elapsed=[(-1.0, 0.0)]),
    "a step that is no number": lambda state: state["progress"].update(step="3"),
    "a step before the first": lambda state: state["progress"].update(step=-1),
    "a best step to come": lambda state: state["progress"].update(best_step=STEPS + 1),
    "more of a pass than there were steps": lambda state: state["progress"].update(place=STEPS + 1),
    "a best value of NaN": lambda state: state["progress"].update(best_value=math.nan),
    "an end of another kind": lambda state: state["progress"].update(ended="night"),
    "a decay without a start": lambda state: state["progress"]["decay"].pop("start"),
    "a curve of texts": lambda state: state["progress"].update(curve=["0.3"]),
    "something more": lambda state: state["progress"].update(more=1),
    "no progress": lambda state: state.pop("progress"),
    "weights of another shape": lambda state: _weights(state, "last").update(
        {"0.bias": torch.ones(4)}
    ),
    "weights of another type": lambda state: _weights(state, "best").update(
        {"0.bias": torch.ones(3).int()}
    ),
    "weights of NaN": lambda state: _weights(state, "last")["0.bias"].fill_(torch.nan),
    "a weight less": lambda state: _weights(state, "best").pop("0.bias"),
    "another optimiser": lambda state: state["last"]["optimiser"].update(param_groups=[]),
    "no optimiser": lambda state: state["last"].update(optimiser=3),
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_sealed_checkpoint_of_impossible_values_is_called_damaged(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    Training(tmp_path).run()
    file, owner = tmp_path / "net.pt", f"{IDENTITY}/net"
    state = torch.load(BytesIO(read_sealed(file, owner)), weights_only=True)
    state["progress"] = json.loads(state["progress"])
    change(state)
    if "progress" in state:
        state["progress"] = json.dumps(state["progress"])
    content = BytesIO()
    torch.save(state, content)
    write_sealed(file, content.getvalue(), owner)
    with pytest.raises(DamagedError, match=r"net\.pt: damaged.*delete it to start over$"):
        Training(tmp_path).run()


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Training(tmp_path, stop_in=5).run()
    again = Training(tmp_path)
    again.run()
    assert again.trained == [divmod(step, 5) for step in range(4, STEPS)]
    done = Training(tmp_path)
    done.run()
    assert done.trained == []
    assert_equal(done.weights(), again.weights())


def test_a_training_that_is_over_tells_the_same_when_it_is_taken_up(tmp_path: Path) -> None:
    told = [Training(tmp_path, longer=3).run() for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["epochs"] == 1 + (STEPS - 5) / 8


def test_an_interrupted_checkpoint_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Training(tmp_path, stop_in=3).run()

    def never(file: Path, place: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", never)
        Training(tmp_path).run()
    assert [file.name for file in tmp_path.iterdir()] == ["net.pt"]
    again, whole = Training(tmp_path), Training(None)
    assert again.run() == whole.run()
    assert again.trained[0] == (0, 2)
    assert_equal(again.weights(), whole.weights())


def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, mode: str) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=r"net\.pt: cannot be written: No space left on device$"):
        Training(tmp_path).run()
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_that_cannot_be_written_lets_go_of_its_buffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython 3.12.1 falls when it collects a buffer that a traceback still holds."""
    kept: list[memoryview] = []

    def full(file: Path, content: memoryview, owner: str) -> NoReturn:
        kept.append(content)
        raise InputError("no space")

    monkeypatch.setattr("benchmark.learning.checkpoint.write_sealed", full)
    with pytest.raises(InputError, match="no space"):
        Training(tmp_path).run()
    with pytest.raises(ValueError, match="released"):
        kept[0].tobytes()


def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path: Path) -> None:
    Training(tmp_path).run()
    other = Training(tmp_path, identity="another run")
    with pytest.raises(DamagedError, match="of another run"):
        other.run()
    assert other.trained == []


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"nonsense"]
)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    Training(tmp_path).run()
    (file,) = tmp_path.glob("*.pt")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedError, match=r"net\.pt: damaged"):
        Training(tmp_path).run()


class _Opens:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple:
        return Path.touch, (self.place,)


def test_a_checkpoint_cannot_execute_code(tmp_path: Path) -> None:
    content = BytesIO()
    torch.save({"weights": _Opens(tmp_path / "executed")}, content)
    write_sealed(tmp_path / "net.pt", content.getvalue(), f"{IDENTITY}/net")
    with pytest.raises(DamagedError, match="damaged"):
        Training(tmp_path).run()
    assert not (tmp_path / "executed").exists()
