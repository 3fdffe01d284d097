"""Training: every event of both kinds is predicted once in an epoch, in one pass over its user's.

An event is predicted from the state before its moment, that is from strictly earlier events, and
from its own query where it is a search.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.gru_words.network import GRUWordsNetwork
from baselines.gru_words.settings import GRUWordsSettings
from benchmark.data.events import NO_QUERY, EventLog
from benchmark.data.requests import PAD
from benchmark.learning.batches import by_length
from benchmark.learning.position_losses import catalogue_loss, states_at
from benchmark.learning.simultaneous_duplicates import steps_to_moment
from benchmark.learning.steps import descend
from benchmark.learning.targets import Targets
from benchmark.learning.windows import all_predicted
from benchmark.model import TrainingContext

__all__ = ["GRUWordsTrainer"]

JITTER = 8
"""Events by which a sequence may be longer than the next one of its epoch's order."""

_Batch = tuple[NDArray[np.int64], NDArray[np.bool_]]
"""Log rows of sequences, padded with ``PAD`` on the right, and which are predicted."""


class GRUWordsTrainer:
    """Trains the network on all events of a log, a batch of sequences at a time.

    Args:
        network: is trained.
        settings: sizes of batches and windows, rate.
        log: the events that are read and predicted.
        words: word pieces of each query, last an empty row, ``[queries + 1, words]``.
        context: seed, device, and the processes that share each batch.
    """

    def __init__(
        self,
        network: GRUWordsNetwork,
        settings: GRUWordsSettings,
        log: EventLog,
        words: NDArray[np.int64],
        context: TrainingContext,
    ) -> None:
        self.network, self.settings, self.context = network, settings, context
        self.log, self.words = log, words
        self._steps = steps_to_moment(log)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def batches(self, epoch: int) -> list[_Batch]:
        """Return sequences of similar length, in random order."""
        rng = np.random.default_rng([self.context.seed, epoch])
        rows, predicted = all_predicted(self.log, self.settings.max_history, rng)
        length = (rows != PAD).sum(axis=1)
        batches = by_length(length, self.settings.batch_size, JITTER, rng)
        longest = [int(length[batch].max()) for batch in batches]
        return [
            (rows[batch, :most], predicted[batch, :most])
            for batch, most in zip(batches, longest, strict=True)
        ]

    def step(self, batch: _Batch, rng: np.random.Generator) -> float:
        """Take a step and return this process's part of the mean loss."""
        processes = self.context.processes
        part = processes.part(len(batch[0]))
        loss, count = self.loss(batch[0][part], batch[1][part])
        (whole,) = processes.totals(count)
        loss = loss / max(whole, 1)
        descend(self.optimiser, loss, processes)
        return loss.item()

    def loss(self, rows: NDArray[np.int64], predicted: NDArray[np.bool_]) -> tuple[Tensor, int]:
        """Return the summed cross-entropy of all predictions, and their number.

        Args:
            rows: ``[sequences, events]`` of the log, padded with ``PAD`` on the right.
            predicted: which of them are to be predicted.
        """
        device = self.context.device
        if not len(rows):
            return torch.zeros((), device=device), 0
        safe = np.maximum(rows, 0)
        words = self.words[np.where(rows == PAD, NO_QUERY, self.log.query[safe])]
        queries = self.network.words(torch.as_tensor(words, device=device))
        items, kinds = (
            torch.as_tensor(column[safe[:, :-1]].astype(np.int64), device=device)
            for column in (self.log.item, self.log.kind)
        )
        targets = Targets.of_rows(self.log, rows, predicted, self._steps, device)
        real = targets.item >= 0
        states = states_at(self.network.states(items, kinds, queries[:, :-1]), targets.place, real)
        wanted = self.network.wanted(states, queries[real])
        return catalogue_loss(wanted, targets.item[real], self.network.items.weight), len(states)
