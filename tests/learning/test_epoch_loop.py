from __future__ import annotations

import dataclasses
import errno
import math
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmark.data.requests import Task
from benchmark.errors import DivergedError, InputError
from benchmark.learning.epoch_loop import EpochLoop
from benchmark.model import TrainingContext
from benchmark.run_log import RunLog
from benchmark.sealed import DamagedError, read_sealed, write_sealed

EPOCHS = 7
IDENTITY = "quick-s1-0123456789ab"


@dataclasses.dataclass
class _Training:
    """Trains a small network on noise, with dropout and Adam; ``values`` are its validations."""

    checkpoints: Path | None
    values: list[float] | None = None
    epochs: int = EPOCHS
    validate_every: int = 1
    patience: int = EPOCHS
    seed: int = 1
    stop_in: int | None = None
    identity: str = IDENTITY

    def __post_init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Linear(3, 1))
        self.optimiser = torch.optim.Adam(self.module.parameters(), lr=0.1)
        self.run_log = RunLog(quiet=True)
        self.epoch = 0
        self.trained: list[int] = []
        self.seen: dict[int, dict[str, Tensor]] = {}

    def run(self) -> int:
        context = TrainingContext(
            (Task.REC,),
            self.seed,
            "cpu",
            self.run_log,
            self.checkpoints,
            identity=self.identity,
        )
        loop = EpochLoop(
            "net",
            self.module,
            self.optimiser,
            context,
            self.epochs,
            self.validate_every,
            self.patience,
        )
        return loop.run(self._train, self._measure)

    def _train(self, epoch: int) -> float:
        assert self.module.training
        if epoch == self.stop_in:
            raise KeyboardInterrupt
        self.trained.append(epoch)
        self.epoch = epoch + 1
        loss = (self.module(torch.randn(16, 4)) - torch.randn(16, 1)).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def _measure(self) -> dict[str, float]:
        assert not self.module.training
        self.seen[self.epoch] = self.weights()
        if self.values is None:
            return {}
        return {"rec": self.values[self.epoch - 1]}

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.module.state_dict().items()}

    def curve(self) -> list[dict[str, float]]:
        return [{k: v for k, v in p.items() if k != "seconds"} for p in self.run_log.curve]


def assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.integers(0, 5), min_size=EPOCHS, max_size=EPOCHS),
    every=st.integers(1, 3),
    patience=st.integers(1, 4),
    stops=st.lists(st.integers(0, EPOCHS - 1), max_size=3),
)
def test_resumed_training_is_uninterrupted_training(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float],
    every: int,
    patience: int,
    stops: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("checkpoints") / "new"
    kept = {"values": values, "validate_every": every, "patience": patience}
    whole = _Training(None, **kept)
    best = whole.run()
    for stop in stops:
        part = _Training(folder, **kept, stop_in=stop)
        try:
            part.run()
        except KeyboardInterrupt:
            assert stop not in part.trained
    last = _Training(folder, **kept)
    assert last.run() == best
    assert_equal(last.weights(), whole.weights())
    assert last.curve() == whole.curve()


def test_the_time_of_an_interrupted_run_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("benchmark.run_log.time.monotonic", lambda: now[0])

    class Slow(_Training):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.run_log = RunLog(quiet=True, _started=now[0])

        def _train(self, epoch: int) -> float:
            loss = super()._train(epoch)
            now[0] += 10
            return loss

        def timed(self) -> dict[str, float]:
            with self.run_log.phase("fit"):
                now[0] += 5
                with self.run_log.phase("backbone"):
                    self.run()
            return {phase.name: phase.seconds for phase in self.run_log.phases}

    whole = Slow(None).timed()
    assert whole == {"fit/backbone": 10.0 * EPOCHS, "fit": 10.0 * EPOCHS + 5}
    with pytest.raises(KeyboardInterrupt):
        Slow(tmp_path, stop_in=4).timed()
    now[0] += 1000
    again = Slow(tmp_path)
    assert again.timed() == whole
    assert [point["seconds"] for point in again.run_log.curve][-1] == whole["fit"]
    now[0] += 1000
    assert Slow(tmp_path).timed() == whole


IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no times": lambda state: state["progress"].pop("elapsed"),
    "too many times": lambda state: state["progress"].update(elapsed=[1.0, 2.0, 3.0]),
    "a time before the start": lambda state: state["progress"].update(elapsed=[-1.0]),
    "an epoch beyond the last": lambda state: state["progress"].update(epoch=EPOCHS + 1),
    "an epoch that is no number": lambda state: state["progress"].update(epoch="3"),
    "a best epoch to come": lambda state: state["progress"].update(best_epoch=EPOCHS + 1),
    "a best value of NaN": lambda state: state["progress"].update(best_value=math.nan),
    "a curve of texts": lambda state: state["progress"].update(curve=["0.3"]),
    "something more": lambda state: state["progress"].update(more=1),
    "no progress": lambda state: state.pop("progress"),
    "weights of another shape": lambda state: state["weights"].update({"0.bias": torch.ones(4)}),
    "weights of another type": lambda state: state["best"].update({"0.bias": torch.ones(3).int()}),
    "weights of NaN": lambda state: state["weights"]["0.bias"].fill_(torch.nan),
    "a weight less": lambda state: state["best"].pop("0.bias"),
    "another optimiser": lambda state: state["optimiser"].update(param_groups=[]),
    "no optimiser": lambda state: state.update(optimiser=3),
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_sealed_checkpoint_of_impossible_values_is_called_damaged(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    _Training(tmp_path).run()
    file, owner = tmp_path / "net.pt", f"{IDENTITY}/net"
    state = torch.load(BytesIO(read_sealed(file, owner)), weights_only=True)
    change(state)
    content = BytesIO()
    torch.save(state, content)
    write_sealed(file, content.getvalue(), owner)
    with pytest.raises(DamagedError, match=r"net\.pt: damaged.*delete it to start over$"):
        _Training(tmp_path).run()


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _Training(tmp_path, stop_in=4).run()
    again = _Training(tmp_path)
    again.run()
    assert again.trained == [4, 5, 6]
    done = _Training(tmp_path)
    done.run()
    assert done.trained == []
    assert_equal(done.weights(), again.weights())


def test_an_interrupted_checkpoint_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _Training(tmp_path, stop_in=3).run()

    def never(file: Path, place: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", never)
        _Training(tmp_path).run()
    assert [file.name for file in tmp_path.iterdir()] == ["net.pt"]
    again, whole = _Training(tmp_path), _Training(None)
    assert again.run() == whole.run()
    assert again.trained[0] == 3
    assert_equal(again.weights(), whole.weights())


def test_a_checkpoint_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, mode: str) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=r"net\.pt: cannot be written: No space left on device$"):
        _Training(tmp_path).run()
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path: Path) -> None:
    _Training(tmp_path).run()
    other = _Training(tmp_path, identity="another run")
    with pytest.raises(DamagedError, match="of another run"):
        other.run()
    assert other.trained == []


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"nonsense"]
)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    _Training(tmp_path).run()
    (file,) = tmp_path.glob("*.pt")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedError, match=r"net\.pt: damaged"):
        _Training(tmp_path).run()


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
        _Training(tmp_path).run()
    assert not (tmp_path / "executed").exists()


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.integers(0, 4), min_size=EPOCHS, max_size=EPOCHS),
    every=st.integers(1, 3),
    patience=st.integers(1, 4),
)
def test_the_best_weights_are_kept_and_patience_ends_training(
    values: list[float], every: int, patience: int
) -> None:
    training = _Training(None, values, validate_every=every, patience=patience)
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
    training = _Training(None, patience=1)
    assert training.run() == EPOCHS
    assert_equal(training.weights(), training.seen[EPOCHS])


def test_the_mean_over_tasks_decides() -> None:
    training = _Training(None, epochs=2)
    measures = iter([{"rec": 0.9, "search": 0.1}, {"rec": 0.4, "search": 0.7}])
    training._measure = lambda: next(measures)  # type: ignore[method-assign]
    assert training.run() == 2


def test_no_epochs_leave_the_weights_as_they_are() -> None:
    training = _Training(None, epochs=0)
    before = training.weights()
    assert training.run() == 0
    assert_equal(training.weights(), before)


def test_training_follows_from_the_seed_alone() -> None:
    first, second, other = _Training(None), _Training(None), _Training(None, seed=2)
    first.run()
    torch.manual_seed(77)
    second.run()
    other.run()
    assert_equal(first.weights(), second.weights())
    assert not torch.equal(first.module[0].weight, other.module[0].weight)


def test_global_random_state_is_left_as_it_was(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        _Training(tmp_path, stop_in=3).run()
    assert torch.equal(torch.get_rng_state(), before)
    _Training(tmp_path).run()
    assert torch.equal(torch.get_rng_state(), before)


def test_every_epoch_of_every_seed_draws_its_own_noise() -> None:
    drawn: list[float] = []

    def draw(epoch: int) -> float:
        drawn.append(float(torch.randn(())))
        return 0.0

    for seed in (1, 2, 3):
        training = _Training(None, epochs=4, seed=seed)
        training._train = draw  # type: ignore[method-assign]
        training.run()
    assert len(set(drawn)) == len(drawn) == 12


def _never(epoch: int) -> float:
    raise ValueError("Input X contains NaN")


class _Spoiled(_Training):
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
    training = _Training(tmp_path)
    training._train = _never  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="Input X"):
        training.run()
