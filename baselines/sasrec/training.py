"""Training a sequence model with a loss at every position.

RecBole's trainer turns a sequence of n events into n - 1 padded samples. With a causal mask one
pass over the sequence gives the same n - 1 predictions. An event is predicted from the state of the
last event that is strictly earlier in time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from baselines.recbole_bridge.modules import RecBoleSASRec, build_sasrec
from baselines.sasrec.settings import SASRecSettings, SequenceSettings
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD, Requests
from benchmark.learning.batches import by_length
from benchmark.learning.dropout import use_byte_dropout
from benchmark.learning.position_losses import catalogue_loss, states_at
from benchmark.learning.simultaneous_duplicates import steps_to_moment
from benchmark.learning.steps import descend
from benchmark.learning.windows import stretches
from benchmark.model import TrainingContext

__all__ = [
    "PositionTrainer",
    "SequenceTrainer",
    "last_states",
    "learnable",
    "new_encoder",
    "states_of",
]

JITTER = 8
"""Events by which a sequence may be longer than the next one of its epoch's order."""


def learnable(log: EventLog, history: str) -> EventLog:
    """Return the events that are read and predicted, by the setting ``history``."""
    return log if history == "all" else log.select(log.kind == EventSource.RECOMMENDED)


def new_encoder(settings: SequenceSettings, items: int) -> RecBoleSASRec:
    """Return RecBole's SASRec with weights drawn by torch's own generator."""
    encoder = build_sasrec(
        items,
        settings.max_history,
        {
            "n_layers": settings.layers,
            "n_heads": settings.heads,
            "hidden_size": settings.width,
            "inner_size": settings.inner,
            "hidden_dropout_prob": settings.dropout,
            "attn_dropout_prob": settings.attention_dropout,
        },
    )
    use_byte_dropout(encoder)
    return encoder


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


def last_states(module: RecBoleSASRec, requests: Requests, settings: SequenceSettings) -> Tensor:
    """Return the state at the end of each request's history, ``[requests, width]``.

    A request without history is answered from a single padding position.
    """
    kind = None if settings.history == "all" else EventSource.RECOMMENDED
    history = requests.history(settings.max_history, kind)
    longest = max(int(history.length.max(initial=0)), 1)
    sequences = torch.as_tensor(history.item[:, :longest].astype(np.int64) + 1)
    last = torch.as_tensor(np.maximum(history.length - 1, 0), device=module.device)
    states = states_of(module, sequences.to(module.device))
    return states[torch.arange(len(requests), device=module.device), last]


class PositionTrainer(ABC):
    """Trains on the items of every user's events, a batch at a time, with a loss at each of them.

    Args:
        module: is trained.
        encoder: the part of it that reads the items.
        settings: sizes of batches and windows, rate.
        log: the events that are read and predicted.
        context: seed, device, and the processes that share each batch.
    """

    clip: float | None = None
    """The largest norm of a step's gradient."""

    def __init__(
        self,
        module: nn.Module,
        encoder: RecBoleSASRec,
        settings: SequenceSettings,
        log: EventLog,
        context: TrainingContext,
    ) -> None:
        self._encoder, self._windows, self.log, self.context = encoder, settings, log, context
        self._steps = steps_to_moment(log)
        self.optimiser = torch.optim.AdamW(
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return log rows of sequences of similar length, in random order; an event comes once."""
        rng = np.random.default_rng([self.context.seed, epoch])
        rows = stretches(self.log, self._windows.max_history, rng)
        length = (rows != PAD).sum(axis=1)
        batches = by_length(length, self._windows.batch_size, JITTER, rng)
        return [rows[batch, : int(length[batch].max())] for batch in batches]

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on log rows of sequences and return this process's part of the mean loss."""
        processes = self.context.processes
        loss, count = self.loss(batch[processes.part(len(batch))])
        (whole,) = processes.totals(count)
        loss = loss / max(whole, 1)
        descend(self.optimiser, loss, processes, self.clip)
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
            states_of(self._encoder, items[:, :-1]),
            torch.as_tensor(places, device=device),
            predicted,
        )
        return self._loss_of(states, items[:, 1:][predicted] - 1), len(states)

    @abstractmethod
    def _loss_of(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return the summed loss of the items ``targets`` (``[n]``), predicted from ``[n, width]``
        states."""


class SequenceTrainer(PositionTrainer):
    """Trains RecBole's SASRec; arguments as of :class:`PositionTrainer`."""

    def __init__(
        self,
        module: RecBoleSASRec,
        settings: SASRecSettings,
        log: EventLog,
        context: TrainingContext,
    ) -> None:
        super().__init__(module, module, settings, log, context)
        self.module, self.settings = module, settings

    def _loss_of(self, states: Tensor, targets: Tensor) -> Tensor:
        table = self.module.item_embedding.weight[1:]
        if self.settings.loss == "softmax":
            return catalogue_loss(states, targets, table)
        others = torch.randint(len(table), targets.shape, device=targets.device)
        own = (states * table[targets]).sum(dim=1)
        other = (states * table[others]).sum(dim=1)
        return -(functional.logsigmoid(own) + functional.logsigmoid(-other)).sum()
