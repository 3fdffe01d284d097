"""Training a sequence model with a loss at every position.

RecBole's trainer turns a sequence of n events into n - 1 padded samples. With a causal mask one
pass over the sequence gives the same n - 1 predictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.data.events import EventLog
from benchmark.data.requests import PAD
from benchmark.learning.epoch_loop import set_rate, train_to_best
from benchmark.learning.windows import stretches
from benchmark.model import TrainingContext, Validation

if TYPE_CHECKING:
    from baselines.sasrec import SASRec

__all__ = ["SequenceTrainer", "catalogue_loss"]

WARM_UP = 0.02
"""Share of the training in which the learning rate rises."""
LOGITS_AT_ONCE = 2**24
"""Upper bound of the logits that a softmax over the catalogue holds at a time."""


class SequenceTrainer:
    """Trains a sequence model on the items of every user's events."""

    def __init__(
        self, model: SASRec, log: EventLog, validation: Validation, context: TrainingContext
    ) -> None:
        self.model = model
        self.settings = model.settings
        self.validation = validation
        self.context = context
        self.log = log
        self.optimiser = torch.optim.AdamW(
            model.module.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )

    def run(self) -> None:
        """Train, then leave the model with its best weights."""
        train_to_best(
            "sasrec",
            self.model,
            self.model.module,
            self.optimiser,
            self.settings,
            self.validation,
            self.context,
            self._epoch,
        )

    def _epoch(self, epoch: int) -> float:
        total, predicted = 0.0, 0
        settings = self.settings
        batches = self._batches(np.random.default_rng([self.context.seed, epoch]))
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / settings.epochs
            set_rate(self.optimiser, settings.learning_rate, done, WARM_UP)
            sequences = torch.as_tensor(batch, device=self.context.device)
            loss, count = self.loss(sequences[:, :-1], sequences[:, 1:])
            self.optimiser.zero_grad()
            (loss / max(count, 1)).backward()
            self.optimiser.step()
            total, predicted = total + loss.item(), predicted + count
        return total / max(predicted, 1)

    def _batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Return batches of sequences of similar length, in random order."""
        rows = stretches(self.log, self.settings.max_history, rng)
        sequences = (
            np.where(rows >= 0, self.log.item[np.maximum(rows, 0)], PAD).astype(np.int64) + 1
        )
        length = (sequences > 0).sum(axis=1)
        order = np.argsort(length + rng.uniform(0, 8, len(length)), kind="stable")
        starts = rng.permutation(np.arange(0, len(order), self.settings.batch_size))
        chosen = [order[start : start + self.settings.batch_size] for start in starts]
        return [sequences[rows, : int(length[rows].max())] for rows in chosen]

    def loss(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, int]:
        """Return the summed loss over all real positions, and their number.

        Both arguments are ``[rows, positions]``, 0 where there is no event.
        """
        real = targets > 0
        states = self.model.hidden(inputs)[real]
        wanted = targets[real]
        table = self.model.module.item_embedding.weight[1:]
        if self.settings.loss == "binary":
            others = torch.randint(len(table), wanted.shape, device=wanted.device)
            own = (states * table[wanted - 1]).sum(dim=1)
            other = (states * table[others]).sum(dim=1)
            return -(functional.logsigmoid(own) + functional.logsigmoid(-other)).sum(), len(wanted)
        return catalogue_loss(states, wanted - 1, table), len(wanted)


def catalogue_loss(states: Tensor, wanted: Tensor, table: Tensor) -> Tensor:
    """Return the summed cross-entropy of ``wanted`` items over the whole catalogue.

    Args:
        states: ``[n, width]``; a score is a dot product with an item's vector.
        wanted: int64 ``[n]``.
        table: ``[items, width]``.
    """
    size = max(1, LOGITS_AT_ONCE // len(table))
    parts = [
        functional.cross_entropy(some @ table.T, item, reduction="sum")
        for some, item in zip(states.split(size), wanted.split(size), strict=True)
    ]
    return torch.stack(parts).sum()
