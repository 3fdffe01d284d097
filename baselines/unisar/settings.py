"""The settings of UniSAR and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["PRESETS", "UniSARSettings"]


def _doc(default: Any, text: str) -> Any:
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True)
class UniSARSettings:
    """Settings of :class:`baselines.unisar.model.UniSAR`; the defaults are ``standard``."""

    width: int = _doc(64, "width of items, users, queries and layers")
    id_width: int = _doc(32, "width of the embeddings of users, items and word pieces")
    layers: int = _doc(1, "layers of each of the three transformers")
    heads: int = _doc(2, "attention heads")
    inner: int = _doc(64, "width of the feed-forward layers")
    experts: int = _doc(4, "experts that both tasks share, and experts of each task")
    match: bool = _doc(True, "add a bilinear score of candidate and request, not in the paper")
    dropout: float = _doc(0.1, "dropout of transformers, experts and towers")
    window: int = _doc(30, "last recommendation events, and as many last search events, read")
    words: int = _doc(32, "word pieces read of a query or of an item's text")
    loss: Literal["softmax", "binary"] = _doc(
        "softmax", "of a positive among its negatives: cross-entropy, or binary as in the paper"
    )
    negatives: int = _doc(32, "random items that the positives of a history are held against")
    ahead: int = _doc(8, "next events of a task that are predicted from one reading of a history")
    search_weight: float = _doc(1.0, "weight of the search loss (mu), beside 1 for recommendation")
    align_weight: float = _doc(0.1, "weight of aligning queries with clicked items (lambda 1)")
    align_temperature: float = _doc(0.1, "temperature of that alignment at the start; learned")
    align_negatives: int = _doc(256, "random items, and random queries, held against each pair")
    align_pairs: int = _doc(512, "most pairs of a batch's histories that are aligned")
    contrast_weight: float = _doc(0.01, "weight of the contrast of the views (lambda 2)")
    contrast_temperature: float = _doc(0.1, "temperature of that contrast")
    batch: int = _doc(256, "events in a batch of the task that has more of them")
    rate: float = _doc(1e-3, "learning rate")
    weight_decay: float = _doc(1e-5, "L2 penalty, not of biases")
    epochs: int = _doc(6, "most epochs; the rate falls to 0 by then")
    validate_every: int = _doc(1, "epochs between validations")
    validation_requests: int = _doc(300, "requests in a validation, 0 for all")
    patience: int = _doc(3, "validations without a gain before training stops")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {"epochs": 1},
    "thorough": {"epochs": 10},
    "paper": {
        "words": 50,
        "match": False,
        "loss": "binary",
        "negatives": 4,
        "ahead": 1,
        "search_weight": 0.01,
        "align_negatives": 1024,
        "align_pairs": 0,
        "batch": 1024,
        "epochs": 100,
        "validation_requests": 0,
        "patience": 5,
    },
}
