"""The loop that trained models share: epochs, validation, patience, checkpoints.

Only models import this module, which imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Protocol

import torch
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from benchmark.files import writing
from benchmark.model import Model, TrainingContext, Validation

__all__ = ["EpochLoop", "Schedule", "train_to_best"]


@dataclass
class EpochLoop:
    """Trains a module to its best mean validation NDCG@10.

    Every random choice of an epoch must follow from seed and epoch number alone; the loop seeds
    torch so and leaves its global state as it was. Then training resumed from a checkpoint goes
    on exactly as it would have.

    Attributes:
        name: names the progress bar and the checkpoint file.
        module: what is trained.
        optimiser: its optimiser.
        context: seed, device, run_log and checkpoint folder.
        epochs: most epochs.
        validate_every: epochs between validations; the last epoch is always validated.
        patience: validations without a gain before training stops.
    """

    name: str
    module: nn.Module
    optimiser: torch.optim.Optimizer
    context: TrainingContext
    epochs: int
    validate_every: int
    patience: int

    def __post_init__(self) -> None:
        self._best: dict[str, Tensor] = {}
        self._best_value, self._best_epoch = -math.inf, 0

    def run(
        self, train_epoch: Callable[[int], float], measure: Callable[[], dict[str, float]]
    ) -> int:
        """Train, leave the module with its best weights and return the epoch they are from.

        Args:
            train_epoch: trains for the epoch of the given number and returns its mean loss.
            measure: returns validation NDCG@10 by task; where it is empty, later counts as better.
        """
        done, stopped = self._resume()
        with self.context.run_log.progress(self.name, self.epochs, "epoch") as bar:
            bar.advance(done)
            for epoch in range(done, self.epochs):
                if stopped:
                    break
                self.module.train()
                with torch.random.fork_rng():
                    torch.manual_seed(self.context.seed * 100_003 + epoch)
                    loss = train_epoch(epoch)
                self.module.eval()
                bar.advance(1, f"loss {loss:.3f}")
                if (epoch + 1) % self.validate_every == 0 or epoch + 1 == self.epochs:
                    stopped = self._validate(epoch + 1, loss, measure())
                    self._checkpoint(epoch + 1, stopped)
        if self._best:
            self.module.load_state_dict(self._best)
        self.module.eval()
        return self._best_epoch

    def _validate(self, epoch: int, loss: float, measured: dict[str, float]) -> bool:
        """Note the measures, keep the best weights, return whether patience has run out."""
        self.context.run_log.validated(epoch=epoch, loss=round(loss, 4), **measured)
        value = sum(measured.values()) / len(measured) if measured else float(epoch)
        if value > self._best_value:
            self._best_value, self._best_epoch = value, epoch
            weights = self.module.state_dict()
            self._best = {name: weight.detach().clone() for name, weight in weights.items()}
        return epoch - self._best_epoch >= self.patience * self.validate_every

    def _checkpoint(self, epoch: int, stopped: bool) -> None:
        folder = self.context.checkpoints
        if folder is None:
            return
        state = {
            "weights": self.module.state_dict(),
            "best": self._best,
            "optimiser": self.optimiser.state_dict(),
            "epoch": epoch,
            "stopped": stopped,
            "best_value": self._best_value,
            "best_epoch": self._best_epoch,
            "curve": self.context.run_log.curve,
            "elapsed": self.context.run_log.elapsed(),
        }
        file = folder / f"{self.name}.pt"
        with writing(file) as unfinished:
            torch.save(state, unfinished)

    def _resume(self) -> tuple[int, bool]:
        """Take up the last checkpoint; return the epochs behind and whether training had ended."""
        folder = self.context.checkpoints
        if folder is None or not (folder / f"{self.name}.pt").exists():
            return 0, False
        # Tensors and plain values only: nothing in the file can be executed.
        file = folder / f"{self.name}.pt"
        try:
            state = torch.load(file, weights_only=True, map_location=self.context.device)
            self.module.load_state_dict(state["weights"])
            self.optimiser.load_state_dict(state["optimiser"])
            self._best = state["best"]
            self._best_value, self._best_epoch = state["best_value"], state["best_epoch"]
            self.context.run_log.take_up(state["curve"], state["elapsed"])
        except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
            raise BenchmarkError(f"{file}: damaged checkpoint; --fresh starts over") from error
        return state["epoch"], state["stopped"]


class Schedule(Protocol):
    """The settings that say how long a model is trained; every trained model has them."""

    @property
    def epochs(self) -> int:
        """Most epochs."""
        ...

    @property
    def validate_every(self) -> int:
        """Epochs between validations."""
        ...

    @property
    def validation_requests(self) -> int:
        """Requests of each task in a validation, 0 for all."""
        ...

    @property
    def patience(self) -> int:
        """Validations without a gain before training stops."""
        ...


def train_to_best(
    name: str,
    model: Model,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    settings: Schedule,
    validation: Validation,
    context: TrainingContext,
    train_epoch: Callable[[int], float],
) -> None:
    """Train ``module``, leave it with its best weights, and note in the run log their epoch.

    Args:
        name: names the progress bar and the checkpoint.
        model: what validation asks; it answers by ``module``.
        module: what is trained.
        optimiser: its optimiser.
        settings: how long.
        validation: decides which weights are best.
        context: seed, device, run_log and checkpoint folder.
        train_epoch: see :meth:`EpochLoop.run`.
    """
    limit = settings.validation_requests or None
    loop = EpochLoop(
        name,
        module,
        optimiser,
        context,
        settings.epochs,
        settings.validate_every,
        settings.patience,
    )
    context.run_log.facts["best_epoch"] = loop.run(
        train_epoch, lambda: validation.measure(model, limit)
    )
