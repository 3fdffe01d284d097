"""Training SASRec: a loss at every position against RecBole's own trainer.

Both train RecBole's module with the same sizes on the same events, on the CPU. The peer trains for
a bounded time and is then measured; ours trains until its validation NDCG@10 is as high.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from baselines.sasrec import SASRec, SASRecSettings
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import FitContext, Model
from perf.measurement import Measurement
from perf.recbole_peer import RecBolePeer

__all__ = ["measure", "with_weights_of"]

SIZES = {"n_layers": 2, "n_heads": 2, "hidden_size": 64, "inner_size": 256}


class _ReachedError(Exception):
    """Validation is as good as wanted."""


@dataclass
class _Clock:
    """A validation that stops training at ``wanted`` and leaves its own time out of the count."""

    inner: HarnessValidation
    wanted: float
    curve: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._started, self._validating = time.perf_counter(), 0.0

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self.inner.tasks

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        """Measure, and stop training if the wanted value is reached."""
        now = time.perf_counter()
        measured = self.inner.measure(model, limit)
        self.curve.append((now - self._started - self._validating, measured["rec"]))
        if measured["rec"] >= self.wanted:
            raise _ReachedError
        self._validating += time.perf_counter() - now
        return measured


def measure(budget: float) -> Measurement:
    """Run the comparison on ``ml-100k`` as RecBole ships it (recommendation only).

    Args:
        budget: seconds of training after which the peer starts no further epoch.
    """
    folder = Path(next(iter(find_spec("recbole").submodule_search_locations)))  # type: ignore
    data = load_dataset(folder / "dataset_example" / "ml-100k", seen="keep")
    validation = HarnessValidation(data, (Task.REC,))
    ours = SASRec(SASRecSettings(validate_every=1, validation_requests=0, epochs=100))
    chosen = ours.settings
    with tempfile.TemporaryDirectory() as temporary:
        peer = RecBolePeer.prepare(
            data,
            Path(temporary),
            {
                **SIZES,
                "hidden_dropout_prob": chosen.dropout,
                "attn_dropout_prob": chosen.attention_dropout,
                "MAX_ITEM_LIST_LENGTH": chosen.window,
            },
        )
        while peer.seconds < budget:
            peer.train_epoch()
        by_recbole = peer.validation_ndcg()
    by_us = validation.measure(with_weights_of(peer, ours, len(data.items)))["rec"]
    clock = _Clock(validation, by_us)
    try:
        ours.fit(data.train, clock, FitContext((Task.REC,), seed=1))
    except _ReachedError:
        reached = True
    else:
        reached = False
    return Measurement(
        name="sasrec",
        ours_s=clock.curve[-1][0],
        peer=f"RecBole {version('recbole')} trainer",
        peer_s=peer.seconds,
        agree=reached and abs(by_us - by_recbole) < 1e-4,
        details={
            "validation_ndcg@10": by_us,
            "validation_ndcg@10 of the same weights by RecBole": by_recbole,
            "peer_epochs": peer.epochs,
            "our_curve": clock.curve,
        },
    )


def with_weights_of(peer: RecBolePeer, like: SASRec, items: int) -> SASRec:
    """Return our model with the peer's weights, its items in the order of our catalogue."""
    model = SASRec(like.settings)
    weights = dict(peer.trainer.model.state_dict())
    table = weights["item_embedding.weight"]
    rows = torch.as_tensor(peer.rows)
    weights["item_embedding.weight"] = torch.cat([table[:1], table[rows]])
    model.restore({name: weight.numpy() for name, weight in weights.items()}, {"items": items})
    return model
