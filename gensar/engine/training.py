"""Training the backbone of a generator."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmark.learning.schedules import set_rate
from benchmark.learning.steps import take_step
from benchmark.model import TrainingContext
from gensar.engine.backbone import Backbone
from gensar.engine.losses import CodeTable, code_loss, text_loss
from gensar.engine.regime import Epochs
from gensar.engine.settings import GeneratorSettings
from gensar.engine.targets import Step

__all__ = ["Trainer"]

NO_LOSS = torch.zeros(()), 0
"""Loss and number of targets of a process that has none."""


class Trainer:
    """Trains for one epoch at a time; every random choice follows from seed and epoch.

    Args:
        backbone: the network.
        epochs: what it learns from.
        settings: learning rate, its course, weight decay and ``accumulate`` are used.
        context: seed, device, and the processes that share each step.
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
                take_step(self.optimiser, self.context.processes, clip=1.0)
                self.optimiser.zero_grad()
        return total / max(steps, 1)

    def _backward(self, step: Step, share: float) -> float:
        """Add ``share`` of the gradients of one batch; each kind of target is averaged by token."""
        backbone, device, processes = self.backbone, self.context.device, self.context.processes
        first = 0.0
        for number, (codes, weight) in enumerate(step.codes):
            own = codes.at(processes.part(len(codes.inputs)))
            loss, count = code_loss(backbone, self.table, own) if len(own.inputs) else NO_LOSS
            total, whole = processes.totals(loss.item(), count)
            self._add(share * weight * loss / max(whole, 1))
            first = total / max(whole, 1) if number == 0 else first
        for texts, weight in step.texts:
            part = texts.at(processes.part(len(texts.inputs)))
            loss, count = text_loss(backbone, part, device) if len(part.inputs) else NO_LOSS
            (whole,) = processes.totals(count)
            self._add(share * weight * loss / max(whole, 1))
        return first

    def _add(self, loss: Tensor) -> None:
        if loss.requires_grad:
            loss.backward()
