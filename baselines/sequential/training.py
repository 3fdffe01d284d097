"""Training a sequence model with a loss at every position.

A sequence of n events could be turned into n - 1 padded samples. With a causal mask one pass over
the sequence gives the same n - 1 predictions. An event is predicted from the state of the last
event that is strictly earlier in time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from baselines.sequential.network import ReadsSequences, SequenceNetwork, Sequences
from baselines.sequential.settings import ReadingSettings, SequenceSettings
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD, events_at
from benchmark.learning.batches import by_length
from benchmark.learning.position_losses import catalogue_loss, sampled_loss, states_at
from benchmark.learning.simultaneous_duplicates import steps_to_moment
from benchmark.learning.steps import descend
from benchmark.learning.windows import stretches
from benchmark.model import TrainingContext

__all__ = ["PositionTrainer", "SequenceTrainer", "learnable"]

JITTER = 8
"""Events by which a sequence may be longer than the next one of its epoch's order."""


def learnable(log: EventLog, history: str) -> EventLog:
    """Return the events that are read and predicted, by the setting ``history``."""
    return log if history == "all" else log.select(log.kind == EventSource.RECOMMENDED)


class PositionTrainer(ABC):
    """Trains on the items of every user's events, a batch at a time, with a loss at each of them.

    Args:
        module: is trained.
        reader: the part of it that reads the items.
        settings: sizes of batches and windows, rate.
        log: the events that are read and predicted.
        context: seed, device, and the processes that share each batch.
    """

    clip: ClassVar[float | None] = None
    """The largest norm of a step's gradient."""

    def __init__(
        self,
        module: nn.Module,
        reader: ReadsSequences,
        settings: ReadingSettings,
        log: EventLog,
        context: TrainingContext,
    ) -> None:
        self._reader, self._reading, self.log, self.context = reader, settings, log, context
        self._steps = steps_to_moment(log)
        self.optimiser = torch.optim.AdamW(
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return log rows of sequences of similar length, in random order; an event comes once."""
        rng = np.random.default_rng([self.context.seed, epoch])
        rows = stretches(self.log, self._reading.max_history, rng)
        length = (rows != PAD).sum(axis=1)
        batches = by_length(length, self._reading.batch_size, JITTER, rng)
        return [rows[batch, : int(length[batch].max())] for batch in batches]

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on log rows of sequences and return this process's part of the mean loss."""
        processes = self.context.processes
        loss, count = self.loss(batch[processes.part(len(batch))], rng)
        (whole,) = processes.totals(count)
        loss = loss / max(whole, 1)
        descend(self.optimiser, loss, processes, self.clip)
        return loss.item()

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the summed loss over all predictions, and their number.

        An event without a strictly earlier one in its sequence is not predicted.

        Args:
            rows: of the log, ``[sequences, events]``, padded with ``PAD`` on the right.
            rng: draws what the loss needs, the same in every process.
        """
        device = self.context.device
        if not len(rows):
            return torch.zeros((), device=device), 0
        events, behind = events_at(self.log, rows), rows[:, 1:]
        # The last event of a sequence predicts nothing, and what is not read has no position.
        read = np.where(behind == PAD, PAD, events.item[:, :-1])
        places = np.arange(behind.shape[1]) - self._steps[np.maximum(behind, 0)]
        predicted = torch.as_tensor((behind != PAD) & (places >= 0), device=device)
        sequences = Sequences.of(read, events.time[:, :-1], events.time[:, 1:], device)
        states = states_at(
            self._reader.states_of(sequences), torch.as_tensor(places, device=device), predicted
        )
        items = torch.as_tensor(events.item[:, 1:].astype(np.int64), device=device)
        return self._loss_of(states, items[predicted], rng), len(states)

    @abstractmethod
    def _loss_of(self, states: Tensor, targets: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the summed loss of the items ``targets`` (``[n]``), each after one of the
        ``states`` (``[n, width]``)."""


class SequenceTrainer(PositionTrainer):
    """Trains a network that scores by products of states and items' vectors.

    Arguments are those of :class:`PositionTrainer`; the loss is the settings'.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        settings: SequenceSettings,
        log: EventLog,
        context: TrainingContext,
    ) -> None:
        super().__init__(network, network, settings, log, context)
        self.network, self.settings = network, settings

    def _loss_of(self, states: Tensor, targets: Tensor, rng: np.random.Generator) -> Tensor:
        table = self.network.item_table()
        if self.settings.loss == "softmax":
            return catalogue_loss(states, targets, table)
        if self.settings.loss == "sampled":
            drawn = torch.as_tensor(rng.integers(len(table), size=self.settings.negatives))
            return sampled_loss(states, targets, table, drawn.to(table.device))
        others = torch.randint(len(table), targets.shape, device=targets.device)
        own = (states * table[targets]).sum(dim=1)
        other = (states * table[others]).sum(dim=1)
        return -(functional.logsigmoid(own) + functional.logsigmoid(-other)).sum()
