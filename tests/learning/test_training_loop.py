from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.budget import Budget
from benchmark.errors import DivergedError, RefusedError
from benchmark.processes import Processes
from tests.processes import together

from .training import RATE, STEPS, Training, assert_equal

OPEN = Budget(minutes=0.0, warm_up=4, decay=0.25, validate_every=4, patience=3)
"""No cap at all: only validation ends it."""


def _rising(count: int, then: int = 40) -> list[float]:
    """A measure that rises for so many validations and stays."""
    return [0.1 + 0.01 * number for number in range(count)] + [0.05] * then


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(1, 4), min_size=1, max_size=12),
    every=st.integers(1, 3),
    patience=st.integers(1, 4),
    decay=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_the_best_weights_are_kept_and_patience_ends_the_full_rate(
    values: list[float], every: int, patience: int, decay: float
) -> None:
    budget = replace(OPEN, validate_every=every, patience=patience, decay=decay)
    training = Training(None, [*values, 0.0], budget)
    told = training.run()
    steps, measured = training.steps(), [float(p["rec"]) for p in training.run_log.curve]
    best = max(range(len(steps)), key=lambda at: measured[at])
    assert told["best_step"] == steps[best]
    assert_equal(training.weights(), training.seen[best])
    assert told["stopped_by"] == "validation"
    assert told["steps"] == steps[-1] == len(training.trained)
    assert not training.module.training
    full = _full(measured, patience)  # validations at full rate
    turn, first = steps[full - 1], steps[max(range(full), key=lambda at: measured[at])]
    assert told["steps"] == turn + math.ceil(decay * first)


def _full(measured: list[float], patience: int) -> int:
    """Return how many validations pass until none of the last ``patience`` was the best."""
    for count in range(1, len(measured) + 1):
        best = max(range(count), key=lambda at: measured[at])
        if count - 1 - best >= patience:
            return count
    raise AssertionError("patience never ran out")


def test_the_rate_rises_stays_and_falls_from_where_it_was_best() -> None:
    training = Training(None, _rising(5), OPEN)
    told = training.run()
    # Validated at 4, 8, …: best at 20, patience out at 32, then a quarter of 20 steps.
    assert (told["best_step"], told["steps"]) == (20, 37)
    assert training.rates[:4] == pytest.approx([RATE / 4, RATE / 2, 3 * RATE / 4, RATE])
    assert training.rates[4:32] == pytest.approx([RATE] * 28)
    falling = [RATE * (1 - math.sqrt(step / 5)) for step in range(5)]
    assert training.rates[32:] == pytest.approx(falling)
    assert_equal(training.begun[32], training.seen[4])  # the fifth validation's
    assert training.steps() == [4, 8, 12, 16, 20, 24, 28, 32, 34, 36, 37]


def test_validations_are_a_tenth_of_the_steps_apart() -> None:
    budget = replace(OPEN, steps=400, validate_every=5, decay=0.0, patience=100)
    training = Training(None, _rising(100), budget)
    training.run()
    steps = [0, *training.steps()]
    gaps = [b - a for a, b in pairwise(steps)]
    assert all(gap == max(5, a // 10) for a, gap in zip(steps, gaps[:-1], strict=False))
    assert steps[-1] == 400


@pytest.mark.parametrize("decay", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("cap", [{"steps": 30}, {"epochs": 6}])
def test_a_cap_is_kept_to_the_step_and_told(cap: dict[str, int], decay: float) -> None:
    training = Training(None, _rising(100), replace(OPEN, decay=decay, **cap))
    told = training.run()
    assert told["stopped_by"] == "cap"
    assert 29 <= told["steps"] <= 30  # a share of the steps is no whole number
    assert told["epochs"] == told["steps"] / 5
    full = sum(rate == pytest.approx(RATE) for rate in training.rates[3:])
    assert full == pytest.approx(30 / (1 + decay) - 3, abs=1.5)
    assert told["last_doubling"] > 0


def test_processor_time_is_a_cap_and_what_came_before_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmark.run_log.time.process_time", lambda: now[0])

    class Slow(Training):
        def step(self, batch: tuple[int, int], rng: np.random.Generator) -> float:
            now[0] += 0.5
            return super().step(batch, rng)

    for before, share in ((0.0, 1.0), (30.0, 1.0), (0.0, 0.5)):
        training = Slow(None, _rising(400), replace(OPEN, minutes=1.0, decay=0.2), share=share)
        now[0] += before
        told = training.run()
        assert told["stopped_by"] == "cap"
        assert told["steps"] == pytest.approx((60 * share - before) / 0.5, abs=2)
        now[0] = 0.0


def test_a_capped_training_is_repeated_by_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmark.run_log.time.process_time", lambda: now[0])

    class Slow(Training):
        def step(self, batch: tuple[int, int], rng: np.random.Generator) -> float:
            now[0] += 0.7
            return super().step(batch, rng)

    by_time = Slow(None, _rising(400), replace(OPEN, minutes=1.0))
    told = by_time.run()
    by_steps = Training(None, _rising(400), replace(OPEN, steps=told["steps"]))
    assert by_steps.run() == told
    assert_equal(by_time.weights(), by_steps.weights())


def test_without_validation_the_last_step_counts() -> None:
    training = Training(None)
    told = training.run()
    assert told["best_step"] == told["steps"] == STEPS
    assert_equal(training.weights(), training.seen[-1])


def test_without_validation_and_cap_it_is_refused() -> None:
    with pytest.raises(RefusedError, match="would never end"):
        Training(None, None, OPEN).run()


def test_the_mean_over_tasks_decides() -> None:
    training = Training(None, budget=replace(OPEN, steps=8, decay=0.0))
    measures = iter([{"rec": 0.9, "search": 0.1}, {"rec": 0.4, "search": 0.7}])
    training._measure = lambda: next(measures)  # type: ignore[method-assign]
    assert training.run()["best_step"] == 8


def test_nothing_to_learn_leaves_the_weights_as_they_are() -> None:
    training = Training(None, batch_count=0)
    before = training.weights()
    assert training.run()["stopped_by"] == "nothing to learn"
    assert_equal(training.weights(), before)


def test_every_batch_of_a_pass_comes_before_the_next_pass() -> None:
    training = Training(None)
    training.run()
    assert training.trained == [divmod(step, 5) for step in range(STEPS)]


def test_training_follows_from_the_seed_alone() -> None:
    first, second, other = Training(None), Training(None), Training(None, seed=2)
    first.run()
    torch.manual_seed(77)
    second.run()
    other.run()
    assert_equal(first.weights(), second.weights())
    assert not torch.equal(first.module[0].weight, other.module[0].weight)


def test_global_random_state_is_left_as_it_was(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        Training(tmp_path, stop_in=3).run()
    assert torch.equal(torch.get_rng_state(), before)
    Training(tmp_path).run()
    assert torch.equal(torch.get_rng_state(), before)


def test_every_step_of_every_seed_draws_its_own_noise() -> None:
    drawn: list[float] = []
    for seed in (1, 2, 3):
        training = Training(None, seed=seed)
        training.run()
        drawn += training.noise
    assert len(set(drawn)) == len(drawn) == 3 * STEPS


def test_whoever_watches_is_told_of_the_share_of_the_budget() -> None:
    training = Training(None, _rising(100), replace(OPEN, steps=40))
    training.run()
    assert [v.step for v in training.watched] == training.steps()
    behind = [v.behind for v in training.watched]
    assert behind == pytest.approx([v.step / 40 for v in training.watched[:-1]] + [1.0])
    assert [v.ends for v in training.watched] == [False] * (len(behind) - 1) + [True]


def _never(batch: Any, rng: np.random.Generator) -> float:
    raise ValueError("Input X contains NaN")


class _Spoiled(Training):
    """Ends its fifth step with what training that diverges may leave behind."""

    spoil: str = "loss"

    def step(self, batch: tuple[int, int], rng: np.random.Generator) -> float:
        loss = super().step(batch, rng)
        if len(self.trained) != 5:
            return loss
        if self.spoil in ("weights", "error"):
            with torch.no_grad():
                self.module[0].bias[0] = torch.inf
        if self.spoil == "error":
            raise ValueError("Input X contains NaN")
        return math.nan if self.spoil == "loss" else loss

    def _measure(self) -> dict[str, float]:
        if self.spoil == "scores" and len(self.trained) == 6:
            raise DivergedError("model: request 0 has a score that is NaN or infinite")
        return super()._measure()


@pytest.mark.parametrize(
    ("spoil", "step"), [("loss", 6), ("weights", 6), ("error", 5), ("scores", 6)]
)
def test_divergence_names_step_loss_and_learning_rate(
    tmp_path: Path, spoil: str, step: int
) -> None:
    training = _Spoiled(tmp_path)
    training.spoil = spoil
    with pytest.raises(DivergedError) as caught:
        training.run()
    told = str(caught.value)
    assert f"training of net diverged at step {step}:" in told
    assert "loss" in told or spoil == "error"
    assert "at a learning rate of 0.1; lower the learning rate (--set learning_rate=" in told
    assert training.steps() == [2, 4]


def test_a_fault_over_finite_weights_is_no_divergence(tmp_path: Path) -> None:
    training = Training(tmp_path)
    training.step = _never  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="Input X"):
        training.run()


def _trained(processes: Processes, drift: float) -> tuple[list[float], list[float]]:
    """Train in each process from weights of its own, and return the noise and the weights."""
    training = Training(None, seed=3 + processes.rank, processes=processes)
    training.seed = 1
    noise: list[float] = []

    def step(batch: Any, rng: np.random.Generator) -> float:
        noise.append(float(torch.rand(())))
        with torch.no_grad():
            training.module[0].weight.add_(1 + drift * processes.rank)
        return 1.0

    training.step = step  # type: ignore[method-assign]
    training.run()
    return noise, torch.cat([w.flatten() for w in training.module.parameters()]).tolist()


def test_processes_start_from_the_same_weights_and_draw_apart() -> None:
    first, second = together(_trained, 0.0)
    assert first[1] == second[1]
    assert not set(first[0]) & set(second[0])


def test_weights_that_come_to_differ_are_noticed() -> None:
    first, second = together(_trained, 1e-3)
    assert first == second
    assert "after step 2 the weights of the processes differ" in str(first)
