"""Training: both tasks together, then a copy of the weights for each task alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.learning.position_losses import catalogue_loss
from baselines.unifiedssr.network import Network
from baselines.unifiedssr.sequences import Sequences, cut, learnable, of_rows
from baselines.unifiedssr.settings import UnifiedSSRSettings
from benchmark.data.events import EventLog
from benchmark.data.requests import Task
from benchmark.learning.epoch_loop import EpochLoop, set_rate
from benchmark.model import TrainingContext, TrainView, Validation

if TYPE_CHECKING:
    from baselines.unifiedssr.model import UnifiedSSR

__all__ = ["Trainer", "branch_loss", "noam_rate"]

WARM_UP = 0.05
"""Share of a phase in which the learning rate rises (cosine)."""
NOAM_STEPS = 4000
"""Steps in which the learning rate rises (noam)."""


@dataclass(frozen=True)
class _Source:
    """The training sequences of one task."""

    task: Task
    log: EventLog
    words: NDArray[np.int64] | None

    def batches(
        self, window: int, size: int, rng: np.random.Generator
    ) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """Return (log rows, which are predicted) of stretches of similar length."""
        rows, predicted = cut(self.log, window, rng)
        length = (rows >= 0).sum(axis=1)
        order = np.argsort(length + rng.uniform(0, 8, len(length)), kind="stable")
        chosen = [order[start : start + size] for start in range(0, len(order), size)]
        longest = [int(length[some].max()) for some in chosen]
        return [
            (rows[some, :most], predicted[some, :most])
            for some, most in zip(chosen, longest, strict=True)
        ]


@dataclass(frozen=True)
class _Phase:
    """One run of the epoch loop: its name, tasks, most epochs and highest rate."""

    name: str
    tasks: tuple[Task, ...]
    epochs: int
    rate: float


class Trainer:
    """Trains a model's weight sets, each to its best validation NDCG@10."""

    def __init__(
        self, model: UnifiedSSR, train: TrainView, validation: Validation, context: TrainingContext
    ) -> None:
        self.model = model
        self.settings: UnifiedSSRSettings = model.settings
        self.validation = validation
        self.context = context
        self.sources = {
            task: _Source(
                task,
                learnable(train.log, task, self.settings.history),
                model.query_words(train.queries) if task == Task.SEARCH else None,
            )
            for task in context.tasks
        }

    def run(self, network: Network) -> None:
        """Pretrain ``network``, fine-tune copies and leave them with the model."""
        settings, context = self.settings, self.context
        tasks = context.tasks
        self.model.networks = dict.fromkeys(tasks, network)
        best: dict[str, int] = {}
        with context.run_log.phase("pretrain"):
            phase = _Phase("pretrain", tasks, settings.epochs, settings.learning_rate)
            best[phase.name] = self._train(network, phase)
        for task in tasks:
            self.model.networks[task] = copy.deepcopy(network)
            phase = _Phase(
                f"fine-tune-{task}",
                (task,),
                settings.finetune_epochs,
                settings.finetune_learning_rate,
            )
            with context.run_log.phase(phase.name):
                best[phase.name] = self._train(self.model.networks[task], phase)
        context.run_log.facts["best_epoch"] = best
        if Task.SEARCH in tasks:
            share = float(self.model.networks[Task.SEARCH].product_share.detach())
            context.run_log.facts["product_share"] = share

    def _train(self, network: Network, phase: _Phase) -> int:
        settings = self.settings
        optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=phase.rate,
            betas=(0.9, 0.98),
            eps=1e-9,
            weight_decay=settings.weight_decay,
        )
        loop = EpochLoop(
            f"unifiedssr-{phase.name}",
            network,
            optimiser,
            self.context,
            phase.epochs,
            settings.validate_every,
            settings.patience,
        )
        return loop.run(
            lambda epoch: self._epoch(network, optimiser, phase, epoch),
            lambda: self._measure(phase.tasks),
        )

    def _measure(self, tasks: tuple[Task, ...]) -> dict[str, float]:
        limit = self.settings.validation_requests or None
        measured = self.validation.measure(self.model, limit)
        return {task: value for task, value in measured.items() if task in tasks}

    def _epoch(
        self, network: Network, optimiser: torch.optim.Optimizer, phase: _Phase, epoch: int
    ) -> float:
        """Train for one epoch and return the mean loss of its batches."""
        total, steps = 0.0, 0
        for count, sequences, wanted in self._batches(phase, epoch):
            self._set_rate(optimiser, phase, epoch * count + steps, phase.epochs * count)
            loss = self.loss(network, sequences, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            network.clamp_share()
            total, steps = total + loss.item(), steps + 1
        return total / max(steps, 1)

    def _batches(self, phase: _Phase, epoch: int) -> Iterator[tuple[int, Sequences, Tensor]]:
        """Yield the number of batches, a batch of sequences, and the items wanted of them.

        The latter is ``[rows, positions]``, -1 where nothing is predicted. A batch is of one
        task; the tasks come in random order.
        """
        settings, device = self.settings, self.context.device
        rng = np.random.default_rng([self.context.seed, epoch, len(phase.tasks)])
        drawn = [
            (source, *batch)
            for source in (self.sources[task] for task in phase.tasks)
            for batch in source.batches(settings.max_history, settings.batch_size, rng)
        ]
        for place in rng.permutation(len(drawn)).tolist():
            source, rows, predicted = drawn[place]
            wanted = np.where(predicted, source.log.item[np.maximum(rows, 0)], -1)
            yield (
                len(drawn),
                of_rows(source.log, rows, source.words, device),
                torch.as_tensor(wanted.astype(np.int64), device=device),
            )

    def loss(self, network: Network, sequences: Sequences, wanted: Tensor) -> Tensor:
        """Return the loss of a batch: by branch, each a mean over positions, plus correlation."""
        table = network.table()
        encoded = network(sequences, table)
        real = wanted >= 0
        total = self.settings.correlation * encoded.correlation
        for share, states in encoded.branches:
            total = total + share * branch_loss(
                states[real], wanted[real], table[1:], self.settings
            )
        return total

    def _set_rate(
        self, optimiser: torch.optim.Optimizer, phase: _Phase, done: int, steps: int
    ) -> None:
        if self.settings.schedule == "cosine":
            set_rate(optimiser, phase.rate, done / steps, WARM_UP)
            return
        for group in optimiser.param_groups:
            group["lr"] = noam_rate(self.settings.width, done + 1)


def noam_rate(width: int, step: int) -> float:
    """Return the learning rate of Vaswani et al. 2017 at ``step`` (from 1)."""
    return width**-0.5 * min(step**-0.5, step * NOAM_STEPS**-1.5)


def branch_loss(
    states: Tensor, wanted: Tensor, table: Tensor, chosen: UnifiedSSRSettings
) -> Tensor:
    """Return the mean loss of ``states`` (``[positions, width]``) against the items ``wanted``.

    ``table`` is ``[items, width]``. The binary loss draws ``chosen.negatives`` other items
    uniformly for each position.
    """
    count = max(len(wanted), 1)
    if chosen.loss == "binary":
        shape = (len(wanted), chosen.negatives)
        others = torch.randint(max(len(table) - 1, 1), shape, device=wanted.device)
        others = (others + (others >= wanted[:, None]).long()).clamp_max(len(table) - 1)
        own = (states * functional.embedding(wanted, table)).sum(dim=1)
        other = (functional.embedding(others, table) * states[:, None]).sum(dim=2)
        return -(functional.logsigmoid(own).sum() + functional.logsigmoid(-other).sum()) / count
    return catalogue_loss(states, wanted, table) / count
