"""The loop that trained models share: steps, validation, patience, the last decay, checkpoints.

Only models import this module, which imports torch. How long it trains is told in
:mod:`benchmark.budget`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from benchmark.budget import Budget
from benchmark.errors import DivergedError, RefusedError
from benchmark.learning.checkpoint import MISFITS, Checkpoint, Progress, Weights
from benchmark.learning.divergence import all_finite, check_finite, diverged
from benchmark.learning.pace import Pace
from benchmark.learning.schedules import set_rate, share_of_rate
from benchmark.learning.steps import check_equal, take_first
from benchmark.model import Model, TrainingContext, Validated, Validation
from benchmark.run_log import Spent
from benchmark.sealed import DamagedError

__all__ = ["Trainer", "TrainingLoop", "train_to_best"]


class Trainer(Protocol):
    """Takes the steps of a training."""

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """What holds the weights; its rate is set before each step."""
        ...

    def batches(self, epoch: int) -> Sequence[Any]:
        """Return the batches of a pass over what is learned from, in order.

        They follow from the seed and the number of the pass alone, and are the same in every
        process. None at all where there is nothing to learn from.
        """
        ...

    def step(self, batch: Any, rng: np.random.Generator) -> float:
        """Take a step on a batch and return this process's part of its mean loss.

        Args:
            batch: one of :meth:`batches`.
            rng: what else is drawn at random, the same in every process; torch's own generators
                are seeded before each step, apart in each process.
        """
        ...


@dataclass
class TrainingLoop:
    """Trains a module to its best mean validation NDCG@10.

    Every random choice of a step follows from the seed and the number of the step; torch's global
    state is left as it was. So a training that is resumed from a checkpoint goes on exactly as it
    would have. Several processes start from the same weights, and are seeded apart: each drops out
    other entries.

    Attributes:
        name: names the progress bar and the checkpoint file.
        module: what is trained.
        trainer: takes the steps.
        context: seed, device, run log and checkpoint folder.
        budget: how long.
        rate: the highest learning rate.
        setting: the name of the setting that says it.
        share: of the budget's time that is over when this training ends: of several trainings of
            one model, each but the last leaves some for the next.
    """

    name: str
    module: nn.Module
    trainer: Trainer
    context: TrainingContext
    budget: Budget
    rate: float
    setting: str = "learning_rate"
    share: float = 1.0

    def run(self, measure: Callable[[], dict[str, float]]) -> dict[str, Any]:
        """Train, leave the module with its best weights and return what there is to tell.

        Args:
            measure: returns validation NDCG@10 by task; where it is empty, later counts as better.

        Returns:
            ``steps``, ``epochs`` and ``best_step``; what it was ``stopped_by``: ``validation``,
            ``cap`` or ``nothing to learn``; and ``last_doubling``: the share by which the best
            validation rose over the last half of the steps at full rate.

        Raises:
            DivergedError: a loss, a weight or a score is not finite.
            DamagedError: the checkpoint is not what was written.
            BenchmarkError: whoever watches the training ended it.
        """
        self._best: Weights | None = None
        self._batches: Sequence[Any] = self.trainer.batches(0)
        self._drawn = 0
        self._pace = pace = Pace(self.budget, len(self._batches), self.share, self.context)
        progress = self._resume() or Progress(before=pace.spent())
        take_first(self.module, self.context.processes)
        self.module.eval()
        if not self._batches:
            progress = replace(progress, ended="nothing to learn")
        with self.context.run_log.progress(self.name, pace.horizon, "step") as bar:
            bar.advance(progress.step)
            while not progress.ended:
                until = pace.until(progress)
                loss, progress = self._train(progress, until, bar.advance)
                progress = self._validate(progress, loss, measure)
                self._checkpoint(progress)
        if self._best is not None:
            self.module.load_state_dict(self._best.weights)
        self.module.eval()
        return self._told(progress)

    def _told(self, progress: Progress) -> dict[str, Any]:
        self._draw(progress.epoch)  # passes differ in length
        return {
            "steps": progress.step,
            "epochs": round(progress.epoch + progress.place / max(len(self._batches), 1), 3),
            "best_step": progress.best_step,
            "stopped_by": progress.ended,
            "last_doubling": progress.last_doubling,
        }

    def _train(
        self, progress: Progress, until: int, tick: Callable[[float], None]
    ) -> tuple[float, Progress]:
        """Train up to a step; return the mean loss, which is finite, and how far it is then."""
        self.module.train()
        total, begun = 0.0, progress.step
        try:
            with torch.random.fork_rng(_devices(self.context.device)):
                while progress.step < until:
                    total += self._step(progress)
                    progress = self._next(progress)
                    tick(1)
        except Exception as error:
            if all_finite(self.module):
                raise
            # Whatever failed, it did so over weights that were none any more.
            raise self._diverged(progress.step + 1, "its weights are not finite") from error
        self.module.eval()
        (total,) = self.context.processes.totals(total)
        loss = total / max(progress.step - begun, 1)
        check_finite(
            self.name,
            f"at step {progress.step}",
            loss,
            self.module,
            self.trainer.optimiser,
            self.setting,
        )
        check_equal(self.name, progress.step, self.module, self.context.processes)
        return loss, progress

    def _step(self, progress: Progress) -> float:
        self._draw(progress.epoch)
        seed, rank = [self.context.seed, progress.step], self.context.processes.rank
        apart = np.random.SeedSequence([*seed, rank + 1])
        _seed(self.context.device, int(apart.generate_state(1)[0]))  # 32 bits: a CPU takes no more
        share = share_of_rate(progress.step, self._pace.warm_up, progress.decay)
        set_rate(self.trainer.optimiser, self.rate * share)
        return self.trainer.step(self._batches[progress.place], np.random.default_rng(seed))

    def _draw(self, epoch: int) -> None:
        """Let the batches be those of a pass."""
        if epoch != self._drawn:
            self._batches, self._drawn = self.trainer.batches(epoch), epoch

    def _next(self, progress: Progress) -> Progress:
        """Return how far it is a step later."""
        epoch, place = progress.epoch, progress.place + 1
        if place >= len(self._batches):
            epoch, place = epoch + 1, 0
        return replace(progress, step=progress.step + 1, epoch=epoch, place=place)

    def _validate(
        self, progress: Progress, loss: float, measure: Callable[[], dict[str, float]]
    ) -> Progress:
        """Measure, keep the best weights, and see whether the rate is to fall, or it is the end."""
        step, pace = progress.step, self._pace
        try:
            measured = measure()
        except DivergedError as error:
            seen = f"with a loss of {loss:.4g} its scores are not finite"
            raise self._diverged(step, seen) from error
        self.context.run_log.validated(step=step, loss=round(loss, 4), **measured)
        value = sum(measured.values()) / len(measured) if measured else float(step)
        progress = progress.validated(value)
        if progress.best_step == step:
            self._best = Weights.of(self.module, self.trainer.optimiser)
        progress = pace.judged(progress)
        if progress.decay is not None and progress.decay.start == step and self._best is not None:
            self._best.put_back(self.module, self.trainer.optimiser)
        if not measured and not (pace.horizon or pace.limit):
            raise RefusedError(
                f"training of {self.name} would never end: without a request to validate on, one of"
                " the settings minutes, steps and epochs has to say when"
            )
        if measured and self.context.watch is not None:
            share = pace.behind(progress)
            self.context.watch(
                Validated(self.name, step, share, measured, ends=bool(progress.ended))
            )
        return progress

    def _diverged(self, step: int, seen: str) -> DivergedError:
        return diverged(self.name, f"at step {step}", seen, self.trainer.optimiser, self.setting)

    def _checkpoint(self, progress: Progress) -> None:
        file = self.context.checkpoint(f"{self.name}.pt")
        if file is None or not self.context.processes.first:
            return
        run_log = self.context.run_log
        told = replace(
            progress, curve=list(run_log.curve), elapsed=[(s, p) for s, p in run_log.elapsed()]
        )
        last = Weights.of(self.module, self.trainer.optimiser, copied=False)
        Checkpoint(told, last, self._best or last).write(file, self._owner)

    def _resume(self) -> Progress | None:
        """Take up the last checkpoint; return how far it had come, ``None`` where there is none."""
        file = self.context.checkpoint(f"{self.name}.pt")
        found = None if file is None else self.context.processes.once(lambda: self._read(file))
        if file is None or found is None:
            return None
        progress = found.progress
        try:
            found.last.put_back(self.module, self.trainer.optimiser)
            elapsed = [Spent(*each) for each in progress.elapsed]
            self.context.run_log.take_up(progress.curve, elapsed)
        except MISFITS as error:
            raise DamagedError(file, f"or of another version: {type(error).__name__}") from error
        self._best = found.best
        return progress

    def _read(self, file: Path) -> Checkpoint | None:
        if not file.exists():
            return None
        # Others have a device of their own, and get it from memory that all can read.
        device = self.context.device if self.context.processes.count == 1 else "cpu"
        return Checkpoint.read(file, self._owner, device, self.module)

    @property
    def _owner(self) -> str:
        return f"{self.context.identity}/{self.name}"


def _devices(device: str) -> list[int]:
    """Return the GPUs whose generators a step may draw from."""
    return [torch.cuda.current_device()] if device == "cuda" else []


def _seed(device: str, seed: int) -> None:
    """Seed the generators that a step may draw from.

    `torch.manual_seed` asks every kind of device, and a build for CUDA formats the call stack for
    each one that it has not started, at every step.
    """
    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed(seed)


def train_to_best(
    name: str,
    model: Model,
    module: nn.Module,
    trainer: Trainer,
    settings: Budget,
    rate: float,
    validation: Validation,
    context: TrainingContext,
) -> None:
    """Train ``module``, leave it with its best weights, and note in the run log how it went.

    Args:
        name: names the progress bar and the checkpoint.
        model: what validation asks; it answers by ``module``.
        module: what is trained.
        trainer: takes the steps.
        settings: how long.
        rate: the highest learning rate.
        validation: decides which weights are best.
        context: seed, device, run log and checkpoint folder.
    """
    limit = settings.validation_requests or None
    loop = TrainingLoop(name, module, trainer, context, settings, rate)
    told = loop.run(lambda: validation.measure(model, limit))
    context.run_log.trained(name, told)
