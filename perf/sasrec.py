"""Training SASRec: a loss at every position against RecBole's own trainer.

Both train RecBole's module with the same sizes on the same events, on the CPU. The peer trains for
a bounded time and is then measured; ours trains until its validation NDCG@10 is as high.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from baselines.sasrec.model import SASRec
from baselines.sasrec.settings import SASRecSettings
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from perf.clock import Clock, ReachedError
from perf.measurement import Measurement
from perf.recbole_peer import RecBolePeer

__all__ = ["measure", "with_weights_of"]

SIZES = {"n_layers": 2, "n_heads": 2, "hidden_size": 64, "inner_size": 256}


def measure(budget: float) -> Measurement:
    """Run the comparison on ``ml-100k`` as RecBole ships it (recommendation only).

    Args:
        budget: seconds of training after which the peer starts no further epoch.
    """
    folder = Path(next(iter(find_spec("recbole").submodule_search_locations)))  # type: ignore
    data = load_dataset(folder / "dataset_example" / "ml-100k", seen="keep")
    validation = HarnessValidation(data, (Task.REC,))
    ours = SASRec(SASRecSettings(minutes=0.0, validate_every=60, validation_requests=0, epochs=100))
    chosen = ours.settings
    with tempfile.TemporaryDirectory() as temporary:
        peer = RecBolePeer.prepare(
            data,
            Path(temporary),
            {
                **SIZES,
                "hidden_dropout_prob": chosen.dropout,
                "attn_dropout_prob": chosen.attention_dropout,
                "MAX_ITEM_LIST_LENGTH": chosen.max_history,
            },
        )
        while peer.seconds < budget:
            peer.train_epoch()
        by_recbole = peer.validation_ndcg()
    by_us = validation.measure(with_weights_of(peer, ours, len(data.items)))["rec"]
    clock = Clock(validation, by_us)
    try:
        ours.fit(data.train, clock, TrainingContext((Task.REC,), seed=1))
    except ReachedError:
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
