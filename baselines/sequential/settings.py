"""Settings that all models of sequences have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget
from benchmark.settings import check_heads, setting

__all__ = ["ReadingSettings", "SequenceSettings"]


@dataclass(frozen=True)
class ReadingSettings(Budget):
    """How the items of a history are read, and learned from, whatever stands for an item."""

    width: int = setting(64, "width of embeddings and layers", low=1)
    layers: int = setting(2, "layers", low=1)
    heads: int = setting(2, "attention heads", low=1)
    dropout: float = setting(0.2, "dropout of embeddings and layers", high=1)
    max_history: int = setting(50, "events of the history that are read", low=1)
    history: Literal["all", "rec"] = setting(
        "all", "read and predict all events, or recommendation events only"
    )
    batch_size: int = setting(32, "sequences in a batch", low=1)
    learning_rate: float = setting(1e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.0, "weight decay")

    def __post_init__(self) -> None:
        check_heads(self.width, self.heads)


@dataclass(frozen=True)
class SequenceSettings(ReadingSettings):
    """Settings of a :class:`~baselines.sequential.model.SequenceModel`."""

    loss: Literal["softmax", "sampled", "binary"] = setting(
        "softmax", "over the whole catalogue, over drawn items, or against one drawn item"
    )
    negatives: int = setting(
        256, "items that a batch draws for loss=sampled, the same for all its positions", low=1
    )
