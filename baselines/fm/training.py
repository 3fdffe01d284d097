"""Training the joint factor model on events of both kinds, mixed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.event_batches import rows_of_tasks, shuffled
from baselines.fm.network import FMNetwork
from baselines.fm.settings import FMSettings
from baselines.words import Words
from benchmark.learning.position_losses import catalogue_loss
from benchmark.learning.steps import descend
from benchmark.model import TrainingContext, TrainView

__all__ = ["FMTrainer"]


class FMTrainer:
    """Trains the vectors on who took what by which words, a batch of events at a time.

    Args:
        network: is trained.
        words: turns queries into words.
        settings: loss, rate, sizes.
        train: the events; those of the context's tasks are learned from.
        context: tasks, seed, device, and the processes that share each batch.
    """

    def __init__(
        self,
        network: FMNetwork,
        words: Words,
        settings: FMSettings,
        train: TrainView,
        context: TrainingContext,
    ) -> None:
        self.network, self.settings, self.context = network, settings, context
        self.log, self.items = train.log, len(train.items)
        self.rows = rows_of_tasks(train.log, context.tasks)
        self._words = words.of_queries(train.queries, settings.words)
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,  # most of a step is the optimiser's, over all vectors
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the log rows of each batch of an epoch."""
        return shuffled(self.rows, self.settings.batch_size, self.context.seed, epoch)

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on events and return this process's part of the mean loss."""
        processes = self.context.processes
        others = rng.integers(0, self.items, len(batch))
        part = processes.part(len(batch))
        loss = self.loss(batch[part], others[part]) / len(batch)
        descend(self.optimiser, loss, processes)
        return loss.item()

    def loss(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> Tensor:
        """Return the summed loss of the events at log ``rows``, against ``others`` in BPR.

        Rendle et al. 2009, equation for BPR-OPT: ``-log sigmoid(score(own) - score(other))``.
        """
        vectors = self.network(
            self._tensor(self.log.user[rows]), self._tensor(self._words[self.log.query[rows]])
        )
        own = self._tensor(self.log.item[rows])
        if self.settings.loss == "softmax":
            return catalogue_loss(vectors, own, self.network.items.weight)
        apart = self.network.items(own) - self.network.items(self._tensor(others))
        return -functional.logsigmoid((vectors * apart).sum(dim=1)).sum()

    def _tensor(self, numbers: NDArray[np.integer]) -> Tensor:
        return torch.as_tensor(numbers.astype(np.int64), device=self.context.device)
