from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import DivergedError
from benchmark.processes import Processes
from tests.processes import together

from .training import EPOCHS, Training, assert_equal


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.integers(0, 4), min_size=EPOCHS, max_size=EPOCHS),
    every=st.integers(1, 3),
    patience=st.integers(1, 4),
)
def test_the_best_weights_are_kept_and_patience_ends_training(
    values: list[float], every: int, patience: int
) -> None:
    training = Training(None, values, validate_every=every, patience=patience)
    best = training.run()
    validated = sorted({*range(every, EPOCHS + 1, every), EPOCHS})
    expected: list[int] = []
    for epoch in validated:
        expected.append(epoch)
        first = max(expected, key=lambda e: values[e - 1])
        if epoch - first >= patience * every:
            break
    assert list(training.seen) == expected
    assert [point["epoch"] for point in training.run_log.curve] == expected
    assert best == max(expected, key=lambda e: values[e - 1])
    assert_equal(training.weights(), training.seen[best])
    assert not training.module.training


def test_without_validation_the_last_epoch_counts() -> None:
    training = Training(None, patience=1)
    assert training.run() == EPOCHS
    assert_equal(training.weights(), training.seen[EPOCHS])


def test_the_mean_over_tasks_decides() -> None:
    training = Training(None, epochs=2)
    measures = iter([{"rec": 0.9, "search": 0.1}, {"rec": 0.4, "search": 0.7}])
    training._measure = lambda: next(measures)  # type: ignore[method-assign]
    assert training.run() == 2


def test_no_epochs_leave_the_weights_as_they_are() -> None:
    training = Training(None, epochs=0)
    before = training.weights()
    assert training.run() == 0
    assert_equal(training.weights(), before)


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


def test_every_epoch_of_every_seed_draws_its_own_noise() -> None:
    drawn: list[float] = []

    def draw(epoch: int) -> float:
        drawn.append(float(torch.randn(())))
        return 0.0

    for seed in (1, 2, 3):
        training = Training(None, epochs=4, seed=seed)
        training._train = draw  # type: ignore[method-assign]
        training.run()
    assert len(set(drawn)) == len(drawn) == 12


def _never(epoch: int) -> float:
    raise ValueError("Input X contains NaN")


class _Spoiled(Training):
    """Ends its third epoch with what training that diverges may leave behind."""

    spoil: str = "loss"

    def _train(self, epoch: int) -> float:
        loss = super()._train(epoch)
        if epoch != 2:
            return loss
        if self.spoil in ("weights", "error"):
            with torch.no_grad():
                self.module[0].bias[0] = torch.inf
        if self.spoil == "error":
            raise ValueError("Input X contains NaN")
        return math.nan if self.spoil == "loss" else loss

    def _measure(self) -> dict[str, float]:
        if self.spoil == "scores" and self.epoch == 3:
            raise DivergedError("model: request 0 has a score that is NaN or infinite")
        return super()._measure()


@pytest.mark.parametrize("spoil", ["loss", "weights", "error", "scores"])
def test_divergence_names_epoch_loss_and_learning_rate(tmp_path: Path, spoil: str) -> None:
    training = _Spoiled(tmp_path)
    training.spoil = spoil
    with pytest.raises(DivergedError) as caught:
        training.run()
    told = str(caught.value)
    assert "training of net diverged in epoch 3" in told
    assert "loss" in told or spoil == "error"
    assert "at a learning rate of 0.1; lower the learning rate (--set learning_rate=" in told
    assert [point["epoch"] for point in training.run_log.curve] == [1, 2]


def test_a_fault_over_finite_weights_is_no_divergence(tmp_path: Path) -> None:
    training = Training(tmp_path)
    training._train = _never  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="Input X"):
        training.run()


def _trained(processes: Processes, drift: float) -> tuple[list[float], list[float]]:
    """Train in each process from weights of its own, and return the losses and the weights."""
    training = Training(None, seed=3 + processes.rank, epochs=3, processes=processes)
    training.seed = 1
    epochs: list[float] = []

    def epoch(number: int) -> float:
        noise = torch.rand(())
        with torch.no_grad():
            training.module[0].weight.add_(1 + drift * processes.rank)
        epochs.append(float(noise))
        return 1.0

    training._train = epoch  # type: ignore[method-assign]
    training.run()
    return epochs, torch.cat([w.flatten() for w in training.module.parameters()]).tolist()


def test_processes_start_from_the_same_weights_and_draw_apart() -> None:
    first, second = together(_trained, 0.0)
    assert first[1] == second[1]
    assert not set(first[0]) & set(second[0])


def test_weights_that_come_to_differ_are_noticed() -> None:
    first, second = together(_trained, 1e-3)
    assert first == second
    assert "after epoch 1 the weights of the processes differ" in str(first)
