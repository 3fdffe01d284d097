"""Training GenSAR: the packed regime against one target per sample, as published.

Both regimes train a T5 of the same sizes and the same start, to write the same identifiers of
``ml-100k``, on the CPU. The peer trains for a given number of epochs, by the forward pass of
``transformers`` with its eager attention, on padded batches in random order; ours trains until its
mean validation NDCG@10 of both tasks is as high as the peer's best.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.training_loop import train_to_best
from benchmark.model import TrainingContext, Validation
from benchmark.run_log import RunLog
from gensar.engine.backbone import Backbone, t5_of
from gensar.engine.generator import Identified
from gensar.engine.regime import Epochs
from gensar.engine.settings import GeneratorSettings
from gensar.engine.targets import Step
from gensar.engine.training import Trainer
from gensar.engine.vocabulary import PADDING
from gensar.model import GenSAR
from gensar.settings import GenSARSettings
from perf.clock import Clock, ReachedError
from perf.measurement import Measurement

__all__ = ["measure"]

OURS = GenSARSettings(minutes=0.0, epochs=9, validate_every=60, validation_requests=0)
PEER = GenSARSettings(
    regime="plain",
    item_tokens="codes",
    softmax="vocabulary",
    batch_size=64,
    learning_rate=1e-3,
    minutes=0.0,
    validate_every=1000,
    validation_requests=0,
)
TASKS = (Task.REC, Task.SEARCH)


class _Given(GenSAR):
    """GenSAR with identifiers that are there already."""

    def __init__(self, settings: GenSARSettings, identified: Identified) -> None:
        super().__init__(settings)
        self._identified = identified

    def identify(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> Identified:
        return self._identified


class _Counting(Trainer):
    """A trainer that counts its targets."""

    targets = 0

    def _backward(self, step: Step, share: float) -> float:
        self.targets += sum(int((codes.visible > 0).sum()) for codes, _ in step.codes)
        self.targets += sum(len(texts.text) for texts, _ in step.texts)
        return self._learn(step, share)

    def _learn(self, step: Step, share: float) -> float:
        return super()._backward(step, share)


class _Eager(_Counting):
    """Learns from all samples of a batch in one pass of ``transformers``, with its own dropout."""

    def __init__(
        self,
        backbone: Backbone,
        epochs: Epochs,
        settings: GeneratorSettings,
        context: TrainingContext,
    ) -> None:
        plain = t5_of(settings, backbone.vocabulary.size)
        plain.load_state_dict(backbone.t5.state_dict())
        plain.set_attn_implementation("eager")
        backbone.t5 = plain
        super().__init__(backbone, epochs, settings, context)

    def _learn(self, step: Step, share: float) -> float:
        rows: list[tuple[Any, Any, Any]] = []
        for codes, _ in step.codes:
            tokens = self.table.padded[codes.identifier[:, 0], codes.item[:, 0]]
            first = codes.start[:, 0]
            if (first != PADDING).any():  # a behaviour token is written too
                tokens = torch.cat([torch.as_tensor(first).unsqueeze(1), tokens], dim=1)
                first = np.zeros_like(first)
            rows.append((codes.inputs[:, :, 0], first, tokens))
        rows += [(texts.inputs[:, :, 0], texts.start, texts.text) for texts, _ in step.texts]
        inputs, labels = (_stacked([row[part] for row in rows]) for part in (0, 2))
        start = torch.as_tensor(np.concatenate([row[1] for row in rows]))
        written = torch.cat([start.unsqueeze(1), labels[:, :-1]], dim=1)
        loss = self.backbone.t5(
            input_ids=inputs.clamp_min(PADDING),
            attention_mask=(inputs >= 0).long(),
            decoder_input_ids=written.clamp_min(PADDING),
            labels=labels.masked_fill(labels <= PADDING, -100),
        ).loss
        (share * loss).backward()
        return loss.item()


def measure(epochs: int) -> Measurement:
    """Run the comparison.

    Args:
        epochs: that the peer trains for; its learning rate falls to 0 at the end.
    """
    data = load_dataset("ml-100k")
    validation = HarnessValidation(data, TASKS)
    context = TrainingContext(TASKS, seed=1, run_log=RunLog())
    identified = GenSAR(OURS).identify(data.train, validation, context)
    peer, peer_curve = _train(data, identified, PEER, epochs, float("inf"), _Eager)
    peer_s, wanted = max(peer_curve, key=lambda point: point[1])
    ours, our_curve = _train(data, identified, OURS, OURS.epochs, wanted, _Counting)
    seconds, reached = our_curve[-1]
    return Measurement(
        name="train",
        ours_s=seconds,
        peer=f"transformers {version('transformers')} eager, one target per sample",
        peer_s=peer_s,
        agree=reached >= wanted,
        details={
            "mean validation ndcg@10 to be reached": wanted,
            "our targets per second": ours.targets / seconds,
            "peer's targets per second": peer.targets / peer_curve[-1][0],
            "our_curve": our_curve,
            "peer_curve": peer_curve,
        },
    )


def _train(
    data: Dataset,
    identified: Identified,
    settings: GenSARSettings,
    epochs: int,
    wanted: float,
    trainer_class: type[_Counting],
) -> tuple[_Counting, list[tuple[float, float]]]:
    """Train to the wanted value at most; return the trainer, and the curve over its seconds."""
    model = _Given(replace(settings, epochs=epochs), identified)
    validation = HarnessValidation(data, TASKS)
    context = TrainingContext(TASKS, seed=1, run_log=RunLog())
    model.prepare(data.train, validation, context)
    clock = Clock(validation, wanted)
    epochs_of = model.regime.training(data.train, TASKS)
    trainer = trainer_class(model.backbone, epochs_of, model.settings, context)
    with suppress(ReachedError):
        train_to_best(
            "backbone",
            model,
            model.backbone,
            trainer,
            model.settings,
            model.settings.learning_rate,
            clock,
            context,
        )
    return trainer, clock.curve


def _stacked(parts: list[Any]) -> torch.Tensor:
    """Put rows of different lengths below each other, filled up with -1 on the right."""
    longest = max(part.shape[1] for part in parts)
    wide = [
        functional.pad(torch.as_tensor(part), (0, longest - part.shape[1]), value=-1)
        for part in parts
    ]
    return torch.cat(wide)
