"""Settings that scorers of candidates from two histories share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget
from benchmark.settings import check_heads, setting

__all__ = ["TwoHistoriesSettings"]


@dataclass(frozen=True, kw_only=True)
class TwoHistoriesSettings(Budget):
    """Sizes of vectors and histories, what a positive is held against, alignment, optimiser."""

    width: int = setting(64, "width of items, users, queries and layers", low=1)
    id_width: int = setting(32, "width of the embeddings of users, items and word pieces", low=1)
    layers: int = setting(1, "layers of each transformer", low=1)
    heads: int = setting(2, "attention heads", low=1)
    inner: int = setting(64, "width of the feed-forward layers", low=1)
    match: bool = setting(True, "add a bilinear score of candidate and request, not in the paper")
    dropout: float = setting(0.1, "dropout of the layers", high=1)
    max_history: int = setting(
        30, "last recommendation events, and as many last search events, read", low=1
    )
    words: int = setting(32, "word pieces read of a query or of an item's text", low=1)
    loss: Literal["softmax", "binary"] = setting(
        "softmax", "of a positive among its negatives: cross-entropy, or binary as in the paper"
    )
    negatives: int = setting(32, "random items that the positives of a history are held against")
    ahead: int = setting(8, "next events of a task that one reading of a history predicts", low=1)
    align_weight: float = setting(0.1, "weight of aligning queries with clicked items")
    align_temperature: float = setting(
        0.1, "temperature of that alignment at the start; learned", low=1e-9
    )
    align_negatives: int = setting(256, "random items, and random queries, held against each pair")
    align_pairs: int = setting(512, "most pairs of a batch's histories that are aligned")
    batch_size: int = setting(64, "events in a batch of the task that has more of them", low=1)
    learning_rate: float = setting(1e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(1e-5, "L2 penalty, not of biases")

    def __post_init__(self) -> None:
        check_heads(self.width, self.heads)
