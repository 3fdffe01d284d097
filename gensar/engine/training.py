"""Training the backbone of a generator."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.learning.schedules import set_rate
from benchmark.model import TrainingContext
from gensar.engine.backbone import Backbone
from gensar.engine.losses import CodeTable, code_loss, text_loss
from gensar.engine.regime import Epochs
from gensar.engine.settings import GeneratorSettings
from gensar.engine.targets import Step

__all__ = ["Trainer"]


class Trainer:
    """Trains for one epoch at a time; every random choice follows from seed and epoch.

    Args:
        backbone: the network.
        epochs: what it learns from.
        settings: learning rate, its course, weight decay and ``accumulate`` are used.
        context: seed and device.
    """

    def __init__(
        self,
        backbone: Backbone,
        epochs: Epochs,
        settings: GeneratorSettings,
        context: TrainingContext,
    ) -> None:
        self.backbone = backbone
        self.epochs = epochs
        self.settings = settings
        self.context = context
        self.table = CodeTable(backbone, context.device)
        self.optimiser = torch.optim.AdamW(
            backbone.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def epoch(self, number: int) -> float:
        """Train for the epoch of this number; return the mean loss per code of first targets.

        The first targets of a step are, in the packed form, the users' own events.
        """
        settings, many = self.settings, self.settings.accumulate
        rng = np.random.default_rng([self.context.seed, number])
        steps, batches = self.epochs(rng)
        total = 0.0
        for row, step in enumerate(batches):
            done = (number + row / steps) / settings.epochs
            set_rate(self.optimiser, settings.learning_rate, done, settings.warm_up)
            together = min(many, steps - row // many * many)
            total += self._backward(step, 1 / together)
            if (row + 1) % many == 0 or row + 1 == steps:
                torch.nn.utils.clip_grad_norm_(self.backbone.parameters(), 1.0)
                self.optimiser.step()
                self.optimiser.zero_grad()
        return total / max(steps, 1)

    def _backward(self, step: Step, share: float) -> float:
        """Add ``share`` of the gradients of one batch; each kind of target is averaged by token."""
        backbone, device = self.backbone, self.context.device
        first = 0.0
        for number, (codes, weight) in enumerate(step.codes):
            loss, count = code_loss(backbone, self.table, codes)
            (share * weight * loss / max(count, 1)).backward()
            first = loss.item() / max(count, 1) if number == 0 else first
        for texts, weight in step.texts:
            loss, count = text_loss(backbone, texts, device)
            (share * weight * loss / max(count, 1)).backward()
        return first
