"""Training the backbone of a generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.learning.steps import take_step
from benchmark.model import TrainingContext
from gensar.engine.backbone import Backbone
from gensar.engine.losses import CodeTable, code_loss, text_loss
from gensar.engine.regime import Epochs, MakeStep
from gensar.engine.settings import GeneratorSettings
from gensar.engine.targets import Step

__all__ = ["Trainer"]

NO_LOSS = torch.zeros(()), 0
"""Loss and number of targets of a process that has none."""


class Trainer:
    """Trains a step at a time; every random choice follows from the seed and the step.

    Args:
        backbone: the network.
        epochs: what it learns from.
        settings: learning rate, weight decay and ``accumulate`` are used.
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

    def batches(self, epoch: int) -> list[tuple[MakeStep, ...]]:
        """Return what makes the batches of each step; ``accumulate`` of them make one."""
        every = self.epochs(np.random.default_rng([self.context.seed, epoch]))
        many = self.settings.accumulate
        return [tuple(every[at : at + many]) for at in range(0, len(every), many)]

    def step(self, batch: Sequence[MakeStep], rng: np.random.Generator) -> float:
        """Take a step and return this process's part of the mean loss per code of first targets.

        These are, in the packed form, the users' own events.
        """
        self.optimiser.zero_grad()
        total = sum(self._backward(make(rng), 1 / len(batch)) for make in batch)
        take_step(self.optimiser, self.context.processes, clip=1.0)
        return total / len(batch)

    def _backward(self, step: Step, share: float) -> float:
        """Add ``share`` of the gradients of one batch; each kind of target is averaged by token."""
        backbone, device, processes = self.backbone, self.context.device, self.context.processes
        first = 0.0
        for number, (codes, weight) in enumerate(step.codes):
            own = codes.at(processes.part(len(codes.inputs)))
            loss, count = code_loss(backbone, self.table, own) if len(own.inputs) else NO_LOSS
            (whole,) = processes.totals(count)
            mean = loss / max(whole, 1)
            self._add(share * weight * mean)
            first = mean.item() if number == 0 else first
        for texts, weight in step.texts:
            part = texts.at(processes.part(len(texts.inputs)))
            loss, count = text_loss(backbone, part, device) if len(part.inputs) else NO_LOSS
            (whole,) = processes.totals(count)
            self._add(share * weight * loss / max(whole, 1))
        return first

    def _add(self, loss: Tensor) -> None:
        if loss.requires_grad:
            loss.backward()
