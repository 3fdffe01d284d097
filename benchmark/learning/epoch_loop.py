"""The loop that trained models share: epochs, validation, patience, checkpoints.

Only models import this module, which imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.errors import DivergedError
from benchmark.learning.checkpoint import MISFITS, Checkpoint, Progress
from benchmark.learning.divergence import all_finite, check_finite, diverged
from benchmark.learning.steps import check_equal, take_first
from benchmark.model import Model, TrainingContext, Validated, Validation
from benchmark.run_log import Spent
from benchmark.sealed import DamagedError

__all__ = ["EpochLoop", "Schedule", "train_to_best"]


@dataclass
class EpochLoop:
    """Trains a module to its best mean validation NDCG@10.

    Every random choice of an epoch must follow from seed and epoch number alone; the loop seeds
    torch so and leaves its global state as it was. Then training resumed from a checkpoint goes
    on exactly as it would have. Several processes start from the same weights, and are seeded
    apart: each drops out other entries.

    Attributes:
        name: names the progress bar and the checkpoint file.
        module: what is trained.
        optimiser: its optimiser.
        context: seed, device, run_log and checkpoint folder.
        epochs: most epochs.
        validate_every: epochs between validations; the last epoch is always validated.
        patience: validations without a gain before training stops.
        rate: the setting that says the learning rate.
    """

    name: str
    module: nn.Module
    optimiser: torch.optim.Optimizer
    context: TrainingContext
    epochs: int
    validate_every: int
    patience: int
    rate: str = "learning_rate"

    def __post_init__(self) -> None:
        self._best: dict[str, Tensor] = {}
        self._best_value, self._best_epoch = -math.inf, 0

    def run(
        self, train_epoch: Callable[[int], float], measure: Callable[[], dict[str, float]]
    ) -> int:
        """Train, leave the module with its best weights and return the epoch they are from.

        Args:
            train_epoch: trains for the epoch of the given number and returns its mean loss, the
                same one in every process.
            measure: returns validation NDCG@10 by task; where it is empty, later counts as better.

        Raises:
            DivergedError: a loss, a weight or a score is not finite.
            DamagedError: the checkpoint is not what was written.
            BenchmarkError: whoever watches the training ended it.
        """
        done, stopped = self._resume()
        take_first(self.module, self.context.processes)
        with self.context.run_log.progress(self.name, self.epochs, "epoch") as bar:
            bar.advance(done)
            for epoch in range(done, self.epochs):
                if stopped:
                    break
                loss = self._train(train_epoch, epoch)
                bar.advance(1, f"loss {loss:.3f}")
                if (epoch + 1) % self.validate_every == 0 or epoch + 1 == self.epochs:
                    stopped = self._validate(epoch + 1, loss, measure)
                    self._checkpoint(epoch + 1, stopped)
        if self._best:
            self.module.load_state_dict(self._best)
        self.module.eval()
        return self._best_epoch

    def _train(self, train_epoch: Callable[[int], float], epoch: int) -> float:
        """Train for one epoch and return its mean loss, which is finite."""
        self.module.train()
        try:
            with torch.random.fork_rng():
                torch.manual_seed(self._seed(epoch))
                loss = train_epoch(epoch)
        except Exception as error:
            if all_finite(self.module):
                raise
            # Whatever failed, it did so over weights that were none any more.
            raise self._diverged(epoch + 1, "its weights are not finite") from error
        self.module.eval()
        check_finite(self.name, epoch + 1, loss, self.module, self.optimiser, self.rate)
        check_equal(self.name, epoch + 1, self.module, self.context.processes)
        return loss

    def _seed(self, epoch: int) -> int:
        """Return the seed of an epoch in this process."""
        seed, rank = self.context.seed * 100_003 + epoch, self.context.processes.rank
        # On a CPU torch takes no more than 32 bits of it.
        return int(np.random.SeedSequence([seed, rank]).generate_state(1)[0]) if rank else seed

    def _validate(self, epoch: int, loss: float, measure: Callable[[], dict[str, float]]) -> bool:
        """Measure, keep the best weights, return whether patience has run out."""
        try:
            measured = measure()
        except DivergedError as error:
            seen = f"with a loss of {loss:.4g} its scores are not finite"
            raise self._diverged(epoch, seen) from error
        self.context.run_log.validated(epoch=epoch, loss=round(loss, 4), **measured)
        value = sum(measured.values()) / len(measured) if measured else float(epoch)
        if value > self._best_value:
            self._best_value, self._best_epoch = value, epoch
            weights = self.module.state_dict()
            self._best = {name: weight.detach().clone() for name, weight in weights.items()}
        stopped = epoch - self._best_epoch >= self.patience * self.validate_every
        if measured and self.context.watch is not None:
            ends = stopped or epoch == self.epochs
            self.context.watch(Validated(self.name, epoch, self.epochs, measured, ends))
        return stopped

    def _diverged(self, epoch: int, seen: str) -> DivergedError:
        return diverged(self.name, epoch, seen, self.optimiser, self.rate)

    def _checkpoint(self, epoch: int, stopped: bool) -> None:
        file = self.context.checkpoint(f"{self.name}.pt")
        if file is None or not self.context.processes.first:
            return
        progress = Progress(
            epoch=epoch,
            stopped=stopped,
            best_value=self._best_value,
            best_epoch=self._best_epoch,
            curve=self.context.run_log.curve,
            elapsed=[(s, processor) for s, processor in self.context.run_log.elapsed()],
        )
        weights, optimiser = self.module.state_dict(), self.optimiser.state_dict()
        Checkpoint(progress, weights, self._best, optimiser).write(file, self._owner)

    def _resume(self) -> tuple[int, bool]:
        """Take up the last checkpoint; return the epochs behind and whether training had ended."""
        file = self.context.checkpoint(f"{self.name}.pt")
        if file is None:
            return 0, False
        found = self.context.processes.once(lambda: self._read(file))
        if found is None:
            return 0, False
        progress = found.progress
        try:
            self.module.load_state_dict(found.weights)
            self.optimiser.load_state_dict(found.optimiser)
            elapsed = [Spent(*each) for each in progress.elapsed]
            self.context.run_log.take_up(progress.curve, elapsed)
        except MISFITS as error:
            raise DamagedError(file, f"or of another version: {type(error).__name__}") from error
        self._best = dict(found.best)
        self._best_value, self._best_epoch = progress.best_value, progress.best_epoch
        return progress.epoch, progress.stopped

    def _read(self, file: Path) -> Checkpoint | None:
        if not file.exists():
            return None
        # Others have a device of their own, and get it from memory that all can read.
        device = self.context.device if self.context.processes.count == 1 else "cpu"
        return Checkpoint.read(file, self._owner, device, self.module, self.epochs)

    @property
    def _owner(self) -> str:
        return f"{self.context.identity}/{self.name}"


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
