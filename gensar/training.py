"""Training the backbone on the six tasks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.model import FitContext, TrainView, Validation
from gensar.losses import CodeTable, code_loss, text_loss
from gensar.tasks import ItemTexts, Step

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
        self.train = train
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
        done, stopped = self._resume()
        with journal.progress("training", settings.epochs) as bar:
            bar.advance(done)
            for epoch in range(done, settings.epochs):
                if stopped:
                    break
                with torch.random.fork_rng():
                    torch.manual_seed(self.context.seed * 100_003 + epoch)
                    loss = self._epoch(epoch)
                bar.advance(1, f"loss {loss:.3f}")
                if (epoch + 1) % settings.validate_every == 0 or epoch + 1 == settings.epochs:
                    stopped = self._validate(epoch + 1, loss)
                    self._checkpoint(epoch + 1, stopped)
        self.model.backbone.load_state_dict(self.best)
        self.model.backbone.eval()
        journal.facts["best_epoch"] = self.best_epoch

    def _epoch(self, epoch: int) -> float:
        """Train for one epoch and return the mean loss per code of the users' own events."""
        settings, backbone = self.settings, self.model.backbone
        rng = np.random.default_rng([self.context.seed, epoch])
        steps, batches = self.model.regime.epoch(
            self.train, self.context.tasks, self.words, self.texts, rng
        )
        backbone.train()
        total = 0.0
        for number, step in enumerate(batches):
            self._set_rate((epoch + number / steps) / settings.epochs)
            total += self._backward(step)
            if (number + 1) % settings.accumulate == 0 or number + 1 == steps:
                torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
                self.optimiser.step()
                self.optimiser.zero_grad()
        backbone.eval()
        return total / max(steps, 1)

    def _backward(self, step: Step) -> float:
        """Add the gradients of one batch; each kind of target is averaged over its tokens."""
        backbone, device = self.model.backbone, self.context.device
        first = 0.0
        for number, (codes, weight) in enumerate(step.codes):
            loss, count = code_loss(backbone, self.table, codes)
            (weight / self.settings.accumulate * loss / max(count, 1)).backward()
            first = loss.item() / max(count, 1) if number == 0 else first
        for texts, weight in step.texts:
            loss, count = text_loss(backbone, texts, device)
            (weight / self.settings.accumulate * loss / max(count, 1)).backward()
        return first

    def _set_rate(self, done: float) -> None:
        """Warm up linearly, then fall as a cosine; ``done`` is the share of training behind."""
        warm = self.settings.warm_up
        if done < warm:
            share = done / warm
        else:
            share = 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1 - warm, 1e-9)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate * max(share, 1e-3)

    def _validate(self, epoch: int, loss: float) -> bool:
        """Measure, keep the best weights, and return whether patience has run out."""
        limit = self.settings.validation_requests or None
        measured = self.validation.measure(self.model, limit)
        self.context.journal.validated(epoch=epoch, loss=round(loss, 4), **measured)
        value = sum(measured.values()) / max(len(measured), 1)
        if value > self.best_value:
            self.best_value, self.best_epoch = value, epoch
            weights = self.model.backbone.state_dict()
            self.best = {name: weight.detach().clone() for name, weight in weights.items()}
        waited = (epoch - self.best_epoch) / self.settings.validate_every
        return waited >= self.settings.patience

    def _checkpoint(self, epoch: int, stopped: bool) -> None:
        folder = self.context.checkpoints
        if folder is None:
            return
        state = {
            "weights": self.model.backbone.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "epoch": epoch,
            "stopped": stopped,
            "best_value": self.best_value,
            "best_epoch": self.best_epoch,
            "curve": self.context.journal.curve,
        }
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, folder / "backbone.tmp")
        (folder / "backbone.tmp").replace(folder / "backbone.pt")

    def _resume(self) -> tuple[int, bool]:
        """Take up the last checkpoint; return the epochs behind and whether training had ended."""
        folder = self.context.checkpoints
        if folder is None or not (folder / "backbone.pt").exists():
            return 0, False
        # Tensors and plain values only: nothing in the file can be executed.
        state = torch.load(
            folder / "backbone.pt", weights_only=True, map_location=self.context.device
        )
        self.model.backbone.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best = state["best"]
        self.best_value, self.best_epoch = state["best_value"], state["best_epoch"]
        self.context.journal.curve[:] = state["curve"]
        return state["epoch"], state["stopped"]
