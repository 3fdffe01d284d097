"""Training a RecBole module by its own loss, in the loop that all trained models share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from baselines.recbole_bridge.dataset import interaction
from baselines.recbole_bridge.environment import own_randomness
from baselines.recbole_bridge.samples import Samples
from baselines.recbole_bridge.settings import RecBoleSettings
from benchmark.learning.schedules import set_rate
from benchmark.learning.steps import descend
from benchmark.model import TrainingContext

__all__ = ["RecBoleTrainer"]

WARM_UP = 0.02
"""Share of the training in which the learning rate rises."""


class RecBoleTrainer:
    """Trains a module on samples of one target each, as RecBole does, an epoch at a time.

    Args:
        module: RecBole's, on the context's device.
        samples: what it learns from.
        settings: rate and number of epochs.
        context: seed and device.
    """

    def __init__(
        self,
        module: Any,
        samples: Samples,
        settings: RecBoleSettings,
        context: TrainingContext,
    ) -> None:
        self.module, self.samples = module, samples
        self.settings, self.context = settings, context
        self.optimiser = torch.optim.AdamW(
            module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def epoch(self, number: int) -> float:
        """Train on the samples of an epoch and return their mean loss."""
        total, seen = 0.0, 0
        settings, device = self.settings, self.context.device
        batches = max(self.samples.batches(), 1)
        with own_randomness(self.context.seed, number), _sums_in_one_order(device):
            for step, columns in enumerate(self.samples.epoch(number)):
                done = (number + step / batches) / settings.epochs
                set_rate(self.optimiser, settings.learning_rate, done, WARM_UP)
                batch = interaction(columns, device)
                loss = self.module.calculate_loss(batch)
                descend(self.optimiser, loss, self.context.processes)
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
