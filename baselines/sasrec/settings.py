"""Settings and presets of SASRec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget, budgeted
from benchmark.settings import check_heads, setting

__all__ = ["PRESETS", "SASRecSettings", "SequenceSettings"]


@dataclass(frozen=True)
class SequenceSettings(Budget):
    """How items of a history are read, and learned from, whatever stands for an item."""

    width: int = setting(64, "width of embeddings and layers", low=1)
    layers: int = setting(2, "transformer layers", low=1)
    heads: int = setting(2, "attention heads", low=1)
    inner: int = setting(256, "width of the feed-forward layers", low=1)
    dropout: float = setting(0.4, "dropout of embeddings and layers", high=1)
    attention_dropout: float = setting(0.3, "dropout of attention weights", high=1)
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
class SASRecSettings(SequenceSettings):
    """Settings of :class:`~baselines.sasrec.model.SASRec`; the defaults are ``standard``."""

    loss: Literal["softmax", "binary"] = setting(
        "softmax", "over the whole catalogue, or against one random item as in the paper"
    )


PRESETS = budgeted(
    {
        "thorough": {"width": 128, "dropout": 0.5},
        "paper": {
            "max_history": 200,
            "width": 50,
            "heads": 1,
            "inner": 50,
            "dropout": 0.2,
            "attention_dropout": 0.2,
            "loss": "binary",
            "batch_size": 128,
            "epochs": 400,
            "decay": 0.0,
            "validation_requests": 0,
        },
    }
)
