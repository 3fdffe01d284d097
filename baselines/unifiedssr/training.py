"""Training: both tasks together, then a copy of the weights for each task alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.unifiedssr.network import UnifiedSSRNetwork
from baselines.unifiedssr.sequences import Sequences, learnable, of_rows, steps_back
from baselines.unifiedssr.settings import UnifiedSSRSettings
from benchmark.data.events import EventLog
from benchmark.data.requests import Task
from benchmark.learning.batches import length_order
from benchmark.learning.position_losses import catalogue_loss, states_at
from benchmark.learning.steps import descend
from benchmark.learning.targets import Targets
from benchmark.learning.training_loop import TrainingLoop
from benchmark.learning.windows import all_predicted
from benchmark.model import TrainingContext

__all__ = ["TaskSequences", "UnifiedSSRTrainer", "branch_loss"]

JITTER = 8
"""Events by which a sequence may be longer than the next one of its epoch's order."""


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
        rows, predicted = all_predicted(self.log, window, rng)
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


_Batch = tuple[TaskSequences, NDArray[np.int64], NDArray[np.bool_]]
"""A task's sequences, log rows of some of them, and which are predicted."""


@dataclass
class _Phase:
    """One training, of the tasks together or of one: it takes the steps of the loop.

    Attributes:
        owner: has sequences, settings and the loss.
        network: is trained.
        tasks: that are trained; the batches of each are its own, in random order.
        rate: the highest learning rate.
    """

    owner: UnifiedSSRTrainer
    network: UnifiedSSRNetwork
    tasks: tuple[Task, ...]
    rate: float

    def __post_init__(self) -> None:
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.rate,
            betas=(0.9, 0.98),
            eps=1e-9,
            weight_decay=self.owner.settings.weight_decay,
        )

    def batches(self, epoch: int) -> list[_Batch]:
        """Return the batches of an epoch."""
        settings = self.owner.settings
        rng = np.random.default_rng([self.owner.context.seed, epoch, len(self.tasks)])
        found = [
            (own, *batch)
            for own in (self.owner.sequences[task] for task in self.tasks)
            for batch in own.batches(settings.max_history, settings.batch_size, rng)
        ]
        return [found[place] for place in rng.permutation(len(found)).tolist()]

    def step(self, batch: _Batch, rng: np.random.Generator) -> float:
        """Take a step and return this process's part of the mean loss."""
        own, rows, predicted = batch
        processes = self.owner.context.processes
        part = processes.part(len(rows))
        read = own.read(rows[part], predicted[part], self.owner.context.device)
        loss = self.owner.loss(self.network, *read)
        descend(self.optimiser, loss, processes)
        self.network.clamp_share()
        return float(loss.item())


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
        each = settings.finetune_share
        whole = 1 - each * len(context.tasks)
        rate = "learning_rate", settings.learning_rate
        self._train("pretrain", shared, context.tasks, rate, whole, whole)
        rate = "finetune_learning_rate", settings.finetune_learning_rate
        for number, task in enumerate(context.tasks, 1):
            networks[task] = copy.deepcopy(shared)
            until = whole + number * each
            self._train(f"fine-tune-{task}", networks[task], (task,), rate, each, until)
        if Task.SEARCH in context.tasks:
            share = float(networks[Task.SEARCH].product_share.detach())
            context.run_log.facts["product_share"] = share

    def _train(
        self,
        name: str,
        network: UnifiedSSRNetwork,
        tasks: tuple[Task, ...],
        rate: tuple[str, float],
        share: float,
        until: float,
    ) -> None:
        """Train in a phase that has a share of the caps, and is over at a share of the time."""
        run_log, budget = self.context.run_log, self.settings.of_share(share)
        setting, highest = rate
        phase = _Phase(self, network, tasks, highest)
        with run_log.phase(name):
            loop = TrainingLoop(
                f"unifiedssr-{name}", network, phase, self.context, budget, highest, setting, until
            )
            told = loop.run(lambda: {t: v for t, v in self.measure().items() if t in tasks})
        run_log.trained(name, told)

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
