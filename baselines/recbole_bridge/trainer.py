"""Training a RecBole module by its own loss, in the loop that all trained models share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from baselines.recbole_bridge.environment import own_randomness
from baselines.recbole_bridge.samples import Samples
from benchmark.learning.epoch_loop import set_rate, train_to_best
from benchmark.model import TrainingContext, Validation

if TYPE_CHECKING:
    from baselines.recbole_bridge.model import RecBoleModel

__all__ = ["RecBoleTrainer"]

WARM_UP = 0.02
"""Share of the training in which the learning rate rises."""


class RecBoleTrainer:
    """Trains a model on samples of one target each, as RecBole does."""

    def __init__(
        self,
        model: RecBoleModel,
        samples: Samples,
        validation: Validation,
        context: TrainingContext,
    ) -> None:
        self.model, self.samples = model, samples
        self.validation, self.context = validation, context
        self.optimiser = torch.optim.AdamW(
            model.module.parameters(),
            lr=model.settings.learning_rate,
            weight_decay=model.settings.weight_decay,
        )

    def run(self) -> None:
        """Train, then leave the model with its best weights."""
        train_to_best(
            f"recbole-{self.model.recbole_name}",
            self.model,
            self.model.module,
            self.optimiser,
            self.model.settings,
            self.validation,
            self.context,
            self._epoch,
        )

    def _epoch(self, epoch: int) -> float:
        settings, total, seen = self.model.settings, 0.0, 0
        batches = max(self.samples.batches(), 1)
        with own_randomness(self.context.seed, epoch), _sums_in_one_order(self.context.device):
            for number, columns in enumerate(self.samples.epoch(epoch)):
                done = (epoch + number / batches) / settings.epochs
                set_rate(self.optimiser, settings.learning_rate, done, WARM_UP)
                batch = self.model.interaction(columns)
                loss = self.model.module.calculate_loss(batch)
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
                total, seen = total + loss.item() * len(batch), seen + len(batch)
        return total / max(seen, 1)


@contextmanager
def _sums_in_one_order(device: str) -> Iterator[None]:
    """Let gradients through ``table[index]`` not depend on the number of threads, on the CPU."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(before or device == "cpu", warn_only=warn_only)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
