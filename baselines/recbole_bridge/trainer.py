"""Training a RecBole module by its own loss, in the loop that all trained models share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.recbole_bridge.dataset import interaction
from baselines.recbole_bridge.environment import own_randomness
from baselines.recbole_bridge.samples import Samples
from baselines.recbole_bridge.settings import RecBoleSettings
from benchmark.learning.steps import descend
from benchmark.model import TrainingContext

__all__ = ["RecBoleTrainer"]


class RecBoleTrainer:
    """Trains a module on samples of one target each, as RecBole does, a batch at a time.

    Args:
        module: RecBole's, on the context's device.
        samples: what it learns from.
        settings: rate and weight decay.
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

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the training events of each batch of an epoch."""
        return self.samples.batches(epoch)

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step on training events and return the mean loss."""
        device = self.context.device
        columns = self.samples.of(batch, rng)
        with own_randomness(int(rng.integers(2**32))), _sums_in_one_order(device):
            loss = self.module.calculate_loss(interaction(columns, device))
            descend(self.optimiser, loss, self.context.processes)
        return float(loss.item())


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
