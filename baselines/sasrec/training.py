"""Training a sequence model with a loss at every position.

RecBole's trainer turns a sequence of n events into n - 1 padded samples. With a causal mask one
pass over the sequence gives the same n - 1 predictions. An event is predicted from the state of the
last event that is strictly earlier in time.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from baselines.recbole_bridge.modules import RecBoleSASRec
from baselines.sasrec.settings import SASRecSettings
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD
from benchmark.learning.batches import by_length
from benchmark.learning.position_losses import catalogue_loss, states_at
from benchmark.learning.simultaneous_duplicates import steps_to_moment
from benchmark.learning.steps import descend
from benchmark.learning.windows import stretches
from benchmark.model import TrainingContext

__all__ = ["SequenceTrainer", "learnable", "states_of"]

JITTER = 8
"""Events by which a sequence may be longer than the next one of its epoch's order."""


def learnable(log: EventLog, history: str) -> EventLog:
    """Return the events that are read and predicted, by the setting ``history``."""
    return log if history == "all" else log.select(log.kind == EventSource.RECOMMENDED)


def states_of(module: RecBoleSASRec, sequences: Tensor) -> Tensor:
    """Return the states of every position, ``[rows, positions, width]``.

    ``sequences`` is int64 ``[rows, positions]`` of rows of the embedding table, padded with 0 on
    the right. RecBole's own ``forward`` is this up to its last line, which keeps one position only.
    """
    places = torch.arange(sequences.shape[1], device=sequences.device)
    embedded = module.item_embedding(sequences) + module.position_embedding(places)
    embedded = module.dropout(module.LayerNorm(embedded))
    mask = module.get_attention_mask(sequences)
    return module.trm_encoder(embedded, mask, output_all_encoded_layers=True)[-1]


class SequenceTrainer:
    """Trains RecBole's SASRec on the items of every user's events, a batch at a time.

    Args:
        module: is trained.
        settings: sizes of batches and windows, rate, loss.
        log: the events that are read and predicted.
        context: seed, device, and the processes that share each batch.
    """

    def __init__(
        self,
        module: RecBoleSASRec,
        settings: SASRecSettings,
        log: EventLog,
        context: TrainingContext,
    ) -> None:
        self.module, self.settings, self.log, self.context = module, settings, log, context
        self._steps = steps_to_moment(log)
        self.optimiser = torch.optim.AdamW(
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return log rows of sequences of similar length, in random order; an event comes once."""
        rng = np.random.default_rng([self.context.seed, epoch])
        rows = stretches(self.log, self.settings.max_history, rng)
        length = (rows != PAD).sum(axis=1)
        batches = by_length(length, self.settings.batch_size, JITTER, rng)
        return [rows[batch, : int(length[batch].max())] for batch in batches]

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on log rows of sequences and return this process's part of the mean loss."""
        processes = self.context.processes
        loss, count = self.loss(batch[processes.part(len(batch))])
        (whole,) = processes.totals(count)
        loss = loss / max(whole, 1)
        descend(self.optimiser, loss, processes)
        return loss.item()

    def loss(self, rows: NDArray[np.int64]) -> tuple[Tensor, int]:
        """Return the summed loss over all predictions, and their number.

        ``rows`` is ``[sequences, events]`` of the log, padded with ``PAD`` on the right. An event
        without a strictly earlier one in its sequence is not predicted.
        """
        device = self.context.device
        if not len(rows):
            return torch.zeros((), device=device), 0
        safe = np.maximum(rows, 0)
        items = torch.as_tensor(
            np.where(rows == PAD, PAD, self.log.item[safe]).astype(np.int64) + 1, device=device
        )
        places = np.arange(rows.shape[1] - 1) - self._steps[safe[:, 1:]]
        predicted = torch.as_tensor((rows[:, 1:] != PAD) & (places >= 0), device=device)
        states = states_at(
            states_of(self.module, items[:, :-1]),
            torch.as_tensor(places, device=device),
            predicted,
        )
        return self._loss_of(states, items[:, 1:][predicted] - 1), len(states)

    def _loss_of(self, states: Tensor, targets: Tensor) -> Tensor:
        table = self.module.item_embedding.weight[1:]
        if self.settings.loss == "softmax":
            return catalogue_loss(states, targets, table)
        others = torch.randint(len(table), targets.shape, device=targets.device)
        own = (states * table[targets]).sum(dim=1)
        other = (states * table[others]).sum(dim=1)
        return -(functional.logsigmoid(own) + functional.logsigmoid(-other)).sum()
