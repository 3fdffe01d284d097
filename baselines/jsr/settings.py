"""Settings and presets of JSR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget, budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "JSRSettings"]


@dataclass(frozen=True)
class JSRSettings(Budget):
    """Settings of :class:`~baselines.jsr.model.JSR`; the defaults are ``standard``."""

    width: int = setting(64, "width of the vectors of users and items", low=1)
    layers: int = setting(
        0, "hidden layers on the product of user and item; 0 adds its entries up: a dot product"
    )
    dropout: float = setting(0.0, "dropout of that product and of hidden layers", high=1)
    negatives: int = setting(1, "random items that each event is held against", low=1)
    described_by: Literal["queries", "texts", "both"] = setting(
        "queries", "an item's words: of the searches that led to it, of its own text, or of both"
    )
    words: int = setting(32, "word pieces read of a query or of an item's text", low=1)
    language_weight: float = setting(0.01, "weight of the language models' loss (alpha)")
    batch_size: int = setting(1024, "events and texts in a batch", low=1)
    learning_rate: float = setting(5e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.0, "weight decay")


PRESETS = budgeted(
    {
        "paper": {
            "layers": 0,
            "dropout": 0.0,
            "negatives": 1,
            "language_weight": 0.01,
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
"""``paper`` is Thonet et al.'s for Last.fm; it has no patience, and here it is never spent."""
