"""Training: both tasks together, then a copy of the weights for each task alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.unifiedssr.network import UnifiedSSRNetwork
from baselines.unifiedssr.sequences import Sequences, cut, learnable, of_rows, steps_back
from baselines.unifiedssr.settings import UnifiedSSRSettings
from benchmark.data.events import EventLog
from benchmark.data.requests import Task
from benchmark.learning.batches import length_order
from benchmark.learning.epoch_loop import EpochLoop
from benchmark.learning.position_losses import catalogue_loss, states_at
from benchmark.learning.schedules import set_rate
from benchmark.learning.steps import descend
from benchmark.model import TrainingContext

__all__ = ["Targets", "TaskSequences", "UnifiedSSRTrainer", "branch_loss", "noam_rate"]

WARM_UP = 0.05
"""Share of a phase in which the learning rate rises (cosine)."""
NOAM_STEPS = 4000
"""Steps in which the learning rate rises (noam)."""
JITTER = 8
"""Events by which a sequence may be longer than the next one of its epoch's order."""


@dataclass(frozen=True)
class Targets:
    """What the positions of a batch predict; both are ``[rows, positions]``.

    Attributes:
        item: int64, the item to be predicted, -1 where there is none.
        place: int64, the position whose state predicts it.
    """

    item: Tensor
    place: Tensor

    @classmethod
    def of_rows(
        cls,
        log: EventLog,
        rows: NDArray[np.int64],
        predicted: NDArray[np.bool_],
        steps: NDArray[np.int64],
        device: str,
    ) -> Targets:
        """Return the targets among the events at ``rows`` (``[n, positions]``).

        An event whose moment began before its stretch is none: its state would read nothing of
        what is earlier.

        Args:
            log: the events.
            rows: padded with ``PAD`` on the right.
            predicted: which of them are to be predicted.
            steps: positions before its own at which each event of the log is predicted.
            device: where the tensors go.
        """
        safe = np.maximum(rows, 0)
        place = np.arange(rows.shape[1]) - steps[safe]
        # Position 0 reads nothing: right only where the stretch begins with the user's first event.
        real = predicted & ((place > 0) | ((place == 0) & predicted[:, :1]))
        item = np.where(real, log.item[safe], -1).astype(np.int64)
        return cls(torch.as_tensor(item, device=device), torch.as_tensor(place, device=device))


@dataclass(frozen=True)
class TaskSequences:
    """The training sequences of one task.

    Attributes:
        log: the events that they are made of.
        steps: positions before its own at which each event is predicted, ``[events]``.
        words: of each query, last an empty row; ``None`` for recommendation.
    """

    log: EventLog
    steps: NDArray[np.int64]
    words: NDArray[np.int64] | None

    @classmethod
    def of(
        cls, log: EventLog, task: Task, history: str, words: NDArray[np.int64] | None
    ) -> TaskSequences:
        """Return the sequences of ``task`` in a log of training events."""
        events = learnable(log, task, history)
        return cls(events, steps_back(events, task), words)

    def batches(
        self, window: int, size: int, rng: np.random.Generator
    ) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """Return (log rows, which are predicted) of stretches of similar length."""
        rows, predicted = cut(self.log, window, rng)
        length = (rows >= 0).sum(axis=1)
        order = length_order(length, JITTER, rng)
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        longest = [int(length[batch].max()) for batch in batches]
        return [
            (rows[batch, :most], predicted[batch, :most])
            for batch, most in zip(batches, longest, strict=True)
        ]

    def read(
        self, rows: NDArray[np.int64], predicted: NDArray[np.bool_], device: str
    ) -> tuple[Sequences, Targets]:
        """Return a batch as the network reads it, and what it has to predict."""
        return (
            of_rows(self.log, rows, self.words, device),
            Targets.of_rows(self.log, rows, predicted, self.steps, device),
        )


@dataclass(frozen=True)
class _Phase:
    """One run of the epoch loop: its name, tasks, most epochs, highest rate and that's setting."""

    name: str
    tasks: tuple[Task, ...]
    epochs: int
    rate: float
    setting: str


class UnifiedSSRTrainer:
    """Trains one weight set for each task, each to its best validation NDCG@10.

    Args:
        sequences: what is learned from, by task.
        settings: of batches, losses and phases.
        context: seed, device, run log, checkpoint folder, and the processes that share a batch.
        measure: returns validation NDCG@10 by task with the weight sets as they are.
    """

    def __init__(
        self,
        sequences: Mapping[Task, TaskSequences],
        settings: UnifiedSSRSettings,
        context: TrainingContext,
        measure: Callable[[], dict[str, float]],
    ) -> None:
        self.sequences, self.settings = sequences, settings
        self.context, self.measure = context, measure

    def run(self, networks: dict[Task, UnifiedSSRNetwork]) -> None:
        """Pretrain the network that tasks share, then put a fine-tuned copy in each one's place.

        ``networks`` holds the same network for every task of the context, and is what ``measure``
        looks at.
        """
        settings, context = self.settings, self.context
        shared = networks[context.tasks[0]]
        best: dict[str, int] = {}
        with context.run_log.phase("pretrain"):
            phase = _Phase(
                "pretrain",
                context.tasks,
                settings.epochs,
                settings.learning_rate,
                "learning_rate",
            )
            best[phase.name] = self._train(shared, phase)
        for task in context.tasks:
            networks[task] = copy.deepcopy(shared)
            phase = _Phase(
                f"fine-tune-{task}",
                (task,),
                settings.finetune_epochs,
                settings.finetune_learning_rate,
                "finetune_learning_rate",
            )
            with context.run_log.phase(phase.name):
                best[phase.name] = self._train(networks[task], phase)
        context.run_log.facts["best_epoch"] = best
        if Task.SEARCH in context.tasks:
            share = float(networks[Task.SEARCH].product_share.detach())
            context.run_log.facts["product_share"] = share

    def _train(self, network: UnifiedSSRNetwork, phase: _Phase) -> int:
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
            phase.setting,
        )
        return loop.run(
            lambda epoch: self._epoch(network, optimiser, phase, epoch),
            lambda: {t: value for t, value in self.measure().items() if t in phase.tasks},
        )

    def _epoch(
        self,
        network: UnifiedSSRNetwork,
        optimiser: torch.optim.Optimizer,
        phase: _Phase,
        epoch: int,
    ) -> float:
        """Train for one epoch and return the mean loss of its batches."""
        total, steps = 0.0, 0
        for count, sequences, targets in self._batches(phase, epoch):
            self._set_rate(optimiser, phase, epoch * count + steps, phase.epochs * count)
            loss = self.loss(network, sequences, targets)
            descend(optimiser, loss, self.context.processes)
            network.clamp_share()
            total, steps = total + loss.item(), steps + 1
        (total,) = self.context.processes.totals(total)
        return total / max(steps, 1)

    def _batches(self, phase: _Phase, epoch: int) -> Iterator[tuple[int, Sequences, Targets]]:
        """Yield the number of batches, a process's part of a batch, and what it predicts.

        A batch is of one task; the tasks come in random order.
        """
        settings, device = self.settings, self.context.device
        rng = np.random.default_rng([self.context.seed, epoch, len(phase.tasks)])
        batches = [
            (own, *batch)
            for own in (self.sequences[task] for task in phase.tasks)
            for batch in own.batches(settings.max_history, settings.batch_size, rng)
        ]
        for place in rng.permutation(len(batches)).tolist():
            own, rows, predicted = batches[place]
            part = self.context.processes.part(len(rows))
            yield len(batches), *own.read(rows[part], predicted[part], device)

    def loss(self, network: UnifiedSSRNetwork, sequences: Sequences, targets: Targets) -> Tensor:
        """Return a process's part of the loss of a batch.

        That is the loss of each branch, a mean over targets, plus the correlations.
        """
        processes = self.context.processes
        if not len(sequences.user):
            processes.weights(0)
            return torch.zeros((), device=self.context.device)
        table = network.table()
        encoded = network(sequences, table)
        real = targets.item >= 0
        counts = [count for _, count in encoded.correlations]
        predicted, *correlated = processes.weights(real.sum(), *counts)
        means = [mean for mean, _ in encoded.correlations]
        first, *more = (weight * mean for weight, mean in zip(correlated, means, strict=True))
        total = self.settings.correlation * sum(more, start=first)
        for share, states in encoded.branches:
            loss = branch_loss(
                states_at(states, targets.place, real),
                targets.item[real],
                table[1:],
                self.settings,
            )
            total = total + share * (predicted * loss)
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
    states: Tensor, items: Tensor, table: Tensor, settings: UnifiedSSRSettings
) -> Tensor:
    """Return the mean loss of ``states`` (``[targets, width]``) against the targets' ``items``.

    ``table`` is ``[items, width]``. The binary loss draws ``settings.negatives`` other items
    uniformly for each target.
    """
    count = max(len(items), 1)
    if settings.loss == "binary":
        shape = (len(items), settings.negatives)
        others = torch.randint(max(len(table) - 1, 1), shape, device=items.device)
        others = (others + (others >= items[:, None]).long()).clamp_max(len(table) - 1)
        own = (states * functional.embedding(items, table)).sum(dim=1)
        other = (functional.embedding(others, table) * states[:, None]).sum(dim=2)
        return -(functional.logsigmoid(own).sum() + functional.logsigmoid(-other).sum()) / count
    return catalogue_loss(states, items, table) / count
