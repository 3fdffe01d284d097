"""Training the backbone on the six tasks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.model import FitContext, TrainView, Validation
from gensar.losses import CodeTable, code_loss, text_loss
from gensar.tasks import CodeTargets, ItemTexts, TextTargets, item_side_batch, sequence_batches

if TYPE_CHECKING:
    from gensar.model import GenSAR

__all__ = ["Trainer"]


class Trainer:
    """Trains one GenSAR to the best mean validation NDCG@10 of the tasks.

    Every random choice of an epoch follows from seed and epoch number alone, so that training
    resumed from a checkpoint goes on exactly as it would have.
    """

    def __init__(
        self, model: GenSAR, train: TrainView, validation: Validation, context: FitContext
    ) -> None:
        self.model = model
        self.settings = model.settings
        self.validation = validation
        self.context = context
        self.log = train.log
        self.table = CodeTable(model.backbone, context.device)
        vocabulary = model.vocabulary
        self.words = vocabulary.encode(train.queries.texts, self.settings.query_tokens)
        self.texts = ItemTexts.of(train.items.texts, vocabulary, self.settings.item_text_tokens)
        self.optimiser = torch.optim.AdamW(
            model.backbone.parameters(),
            lr=self.settings.rate,
            weight_decay=self.settings.weight_decay,
        )
        self.best: dict[str, Tensor] = {}
        self.best_value, self.best_epoch = -math.inf, -1

    def run(self) -> None:
        """Train, then leave the model with its best weights."""
        settings, journal = self.settings, self.context.journal
        with journal.progress("training", settings.epochs) as bar:
            for epoch in range(settings.epochs):
                with torch.random.fork_rng():
                    torch.manual_seed(self.context.seed * 100_003 + epoch)
                    loss = self._epoch(epoch)
                bar.advance(1, f"loss {loss:.3f}")
                last = epoch + 1 == settings.epochs
                if (epoch + 1) % settings.validate_every == 0 or last:
                    self._validate(epoch + 1, loss)
                    waited = (epoch + 1 - self.best_epoch) / settings.validate_every
                    if waited >= settings.patience:
                        break
        self.model.backbone.load_state_dict(self.best)
        self.model.backbone.eval()

    def _epoch(self, epoch: int) -> float:
        settings = self.settings
        rng = np.random.default_rng([self.context.seed, epoch])
        batches = list(
            sequence_batches(
                self.log, self.model.sequences, self.words, settings.window, settings.batch, rng
            )
        )
        self.model.backbone.train()
        total = 0.0
        for step, (codes, texts) in enumerate(batches):
            self._set_rate((epoch + step / len(batches)) / settings.epochs)
            extra = item_side_batch(self.model.sequences, self.texts, settings.item_samples, rng)
            total += self._step([codes, extra[0]], [texts, extra[1]])
        self.model.backbone.eval()
        return total / max(len(batches), 1)

    def _step(self, codes: list[CodeTargets], texts: list[TextTargets | None]) -> float:
        backbone, device = self.model.backbone, self.context.device
        self.optimiser.zero_grad()
        main = 0.0
        for number, targets in enumerate(codes):
            loss, count = code_loss(backbone, self.table, targets)
            weight = 1.0 if number == 0 else self.settings.item_weight
            (weight * loss / max(count, 1)).backward()
            main = loss.item() / max(count, 1) if number == 0 else main
        for written in texts:
            if written is not None:
                loss, count = text_loss(backbone, written, device)
                (self.settings.text_weight * loss / max(count, 1)).backward()
        torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
        self.optimiser.step()
        return main

    def _set_rate(self, done: float) -> None:
        """Warm up linearly, then fall as a cosine; ``done`` is the share of training behind."""
        warm = self.settings.warm_up
        if done < warm:
            share = done / warm
        else:
            share = 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1 - warm, 1e-9)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * max(share, 1e-3)

    def _validate(self, epoch: int, loss: float) -> None:
        limit = self.settings.validation_requests or None
        measured = self.validation.measure(self.model, limit)
        self.context.journal.validated(epoch=epoch, loss=round(loss, 4), **measured)
        value = sum(measured.values()) / max(len(measured), 1)
        if value > self.best_value:
            self.best_value, self.best_epoch = value, epoch
            self.best = {n: w.clone() for n, w in self.model.backbone.state_dict().items()}
