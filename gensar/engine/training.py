"""Training the backbone of a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmark.learning.epoch_loop import set_rate, train_to_best
from benchmark.model import TrainingContext, TrainView, Validation
from gensar.engine.losses import CodeTable, code_loss, text_loss
from gensar.engine.targets import Step

if TYPE_CHECKING:
    from gensar.engine.generator import Generator

__all__ = ["Trainer"]


class Trainer:
    """Trains one generator to the best mean validation NDCG@10 of the tasks."""

    def __init__(
        self, model: Generator, train: TrainView, validation: Validation, context: TrainingContext
    ) -> None:
        self.model = model
        self.settings = model.settings
        self.validation = validation
        self.context = context
        self.table = CodeTable(model.backbone, context.device)
        self.epochs = model.regime.training(train, context.tasks)
        self.optimiser = torch.optim.AdamW(
            model.backbone.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )

    def run(self) -> None:
        """Train, then leave the model with its best weights."""
        train_to_best(
            "backbone",
            self.model,
            self.model.backbone,
            self.optimiser,
            self.settings,
            self.validation,
            self.context,
            self._epoch,
        )

    def _epoch(self, epoch: int) -> float:
        """Train for one epoch; return the mean loss per code of each step's first targets.

        In the packed regime those are the users' own events.
        """
        settings, backbone = self.settings, self.model.backbone
        many = settings.accumulate
        rng = np.random.default_rng([self.context.seed, epoch])
        steps, batches = self.epochs(rng)
        total = 0.0
        for number, step in enumerate(batches):
            done = (epoch + number / steps) / settings.epochs
            set_rate(self.optimiser, settings.learning_rate, done, settings.warm_up)
            together = min(many, steps - number // many * many)
            total += self._backward(step, 1 / together)
            if (number + 1) % many == 0 or number + 1 == steps:
                torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
                self.optimiser.step()
                self.optimiser.zero_grad()
        return total / max(steps, 1)

    def _backward(self, step: Step, share: float) -> float:
        """Add ``share`` of the gradients of one batch; each kind of target is averaged by token."""
        backbone, device = self.model.backbone, self.context.device
        first = 0.0
        for number, (codes, weight) in enumerate(step.codes):
            loss, count = code_loss(backbone, self.table, codes)
            (share * weight * loss / max(count, 1)).backward()
            first = loss.item() / max(count, 1) if number == 0 else first
        for texts, weight in step.texts:
            loss, count = text_loss(backbone, texts, device)
            (share * weight * loss / max(count, 1)).backward()
        return first
