"""Training JSR on events, and on the words of searches and items."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.event_batches import rows_of_tasks, shuffled
from baselines.jsr.network import JSRNetwork
from baselines.jsr.settings import JSRSettings
from baselines.jsr.vocabulary import Vocabulary
from benchmark.data.requests import PAD, Task
from benchmark.learning.steps import descend
from benchmark.model import TrainingContext, TrainView

__all__ = ["JSRTrainer"]


class JSRTrainer:
    """Trains on log rows, and on texts of items, which are numbered -1, -2, … for items 0, 1, ….

    Args:
        network: is trained.
        vocabulary: turns queries and texts into words.
        settings: weights of the losses, rate, sizes.
        train: events of the context's tasks are learned from; words where it has search.
        context: tasks, seed, device, and the processes that share each batch.
    """

    def __init__(
        self,
        network: JSRNetwork,
        vocabulary: Vocabulary,
        settings: JSRSettings,
        train: TrainView,
        context: TrainingContext,
    ) -> None:
        self.network, self.settings, self.context = network, settings, context
        self.log, self.items = train.log, len(train.items)
        self._of_query = vocabulary.of_queries(train.queries, settings.words)
        self._of_item = vocabulary.rows(train.items.texts, settings.words)
        if settings.described_by == "texts":
            self._of_query = np.full_like(self._of_query, PAD)
        texts = np.flatnonzero((self._of_item != PAD).any(axis=1))
        if settings.described_by == "queries" or Task.SEARCH not in context.tasks:
            texts = texts[:0]
        self.units = np.concatenate([rows_of_tasks(train.log, context.tasks), -1 - texts])
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,  # most of a step is the optimiser's, over all vectors
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the log rows and texts of each batch of an epoch."""
        return shuffled(self.units, self.settings.batch_size, self.context.seed, epoch)

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on log rows and texts; return this process's part of the loss."""
        processes = self.context.processes
        rows, (items, words) = batch[batch >= 0], self.described(batch)
        others = rng.integers(0, self.items, (len(rows), self.settings.negatives))
        part = processes.part(len(rows))
        loss = self.event_loss(rows[part], others[part]) / max(len(rows), 1)
        if len(items):
            part = processes.part(len(items))
            language = self.network.language_loss(
                self._tensor(items[part]), self._tensor(words[part])
            )
            loss = loss + self.settings.language_weight * language / len(items)
        descend(self.optimiser, loss, processes)
        return loss.item()

    def described(self, batch: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the items of a batch that have words there, and these, ``[n]`` and ``[n, words]``.

        They are those of searches with a word that is known, then those of texts.
        """
        rows, texts = batch[batch >= 0], -1 - batch[batch < 0]
        of_rows = self._of_query[self.log.query[rows]]
        items = np.concatenate([self.log.item[rows].astype(np.int64), texts])
        width = max(of_rows.shape[1], self._of_item.shape[1])
        words = np.full((len(items), width), PAD, dtype=np.int64)
        words[: len(rows), : of_rows.shape[1]] = of_rows
        words[len(rows) :, : self._of_item.shape[1]] = self._of_item[texts]
        some = (words != PAD).any(axis=1)
        return items[some], words[some]

    def event_loss(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> Tensor:
        """Return the summed binary cross-entropy of events, of each the mean with its negatives.

        Args:
            rows: ``[events]``, of the log.
            others: ``[events, negatives]``, items to hold them against.
        """
        items = np.concatenate([self.log.item[rows][:, None], others], axis=1)
        users = self.network.users(self._tensor(self.log.user[rows]))[:, None]
        scores = self.network.match(users, self.network.items(self._tensor(items)))
        losses = torch.cat(
            [-functional.logsigmoid(scores[:, :1]), -functional.logsigmoid(-scores[:, 1:])], dim=1
        )
        return losses.mean(dim=1).sum()

    def _tensor(self, numbers: NDArray[np.integer]) -> Tensor:
        return torch.as_tensor(numbers.astype(np.int64), device=self.context.device)
