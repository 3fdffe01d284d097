"""Settings and presets of the joint factor model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget, budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "FMSettings"]


@dataclass(frozen=True)
class FMSettings(Budget):
    """Settings of :class:`~baselines.fm.model.FM`; the defaults are ``standard``."""

    width: int = setting(64, "width of the vectors of users, items and words", low=1)
    words: int = setting(16, "word pieces read of a query", low=1)
    pooling: Literal["mean", "sum"] = setting("mean", "a query's vector, of those of its words")
    loss: Literal["bpr", "softmax"] = setting(
        "bpr", "against one random item as published, or over the whole catalogue"
    )
    dropout: float = setting(0.0, "dropout of the request's vector", high=1)
    batch_size: int = setting(1024, "events in a batch", low=1)
    learning_rate: float = setting(5e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.0, "weight decay")


PRESETS = budgeted(
    {
        "paper": {
            "loss": "bpr",
            "dropout": 0.0,
            "batch_size": 1024,
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "epochs": 100,
            "decay": 0.0,
            "warm_up": 0,
            "patience": 100,
            "validation_requests": 0,
        },
    }
)
"""``paper`` is HyperSaR's for all its baselines; it has no patience, and here it is never spent."""
