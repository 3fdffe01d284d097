"""Settings and presets of UnifiedSSR."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from benchmark.budget import Budget, budgeted
from benchmark.settings import check_heads, setting

__all__ = ["PRESETS", "UnifiedSSRSettings"]


@dataclass(frozen=True)
class UnifiedSSRSettings(Budget):
    """Settings of :class:`baselines.unifiedssr.model.UnifiedSSR`; defaults are ``standard``."""

    width: int = setting(64, "width of embeddings and layers", low=1)
    layers: int = setting(2, "layers of the Siamese encoder", low=1)
    heads: int = setting(4, "attention heads", low=1)
    inner: int = setting(128, "width of the feed-forward layers", low=1)
    dropout: float = setting(0.3, "dropout of embeddings and layers", high=1)
    attention_dropout: float = setting(0.1, "dropout of attention weights", high=1)
    sessions: int = setting(2, "windows that a sequence is divided into", low=1)
    correlation: float = setting(0.1, "weight of the correlation losses of the windows")
    max_history: int = setting(50, "events of the history that are read", low=1)
    history: Literal["all", "rec"] = setting(
        "all", "recommendation reads and predicts all events, or recommendation events only"
    )
    query_words: int = setting(12, "word pieces of a query that are read", low=1)
    item_vectors: Literal["id", "text"] = setting(
        "id", "a vector for each item, or that plus the mean of the words of its text"
    )
    item_words: int = setting(24, "word pieces of an item's text that are read", low=1)
    masking: Literal["causal", "padding"] = setting(
        "causal", "positions see earlier ones only, or all real ones as in the published code"
    )
    layering: Literal["stacked", "published"] = setting(
        "stacked", "a layer reads the one before, or all read the input as in the published code"
    )
    windows: Literal["own", "batch"] = setting(
        "own", "windows lie in the sequence itself, or in the batch's padded length as published"
    )
    edges: Literal["soft", "hard"] = setting(
        "soft", "windows end gradually and learn, or abruptly and never move as published"
    )
    loss: Literal["softmax", "binary"] = setting(
        "softmax", "over the whole catalogue, or against random items as in the paper"
    )
    negatives: int = setting(4, "random items for each position of the binary loss")
    batch_size: int = setting(32, "sequences in a batch", low=1)
    learning_rate: float = setting(2e-3, "highest learning rate of pretraining", low=1e-9)
    finetune_learning_rate: float = setting(5e-4, "highest learning rate of fine-tuning", low=1e-9)
    finetune_share: float = setting(
        0.25,
        "share of the caps that each task's fine-tuning gets; pretraining gets the rest",
        0.01,
        0.49,
    )
    weight_decay: float = setting(0.0, "weight decay")

    def of_share(self, share: float) -> UnifiedSSRSettings:
        """Return the settings of a phase that has a share of the caps told in steps and epochs.

        The time of a run is told by one clock for all phases; see :class:`TrainingLoop`.
        """
        steps, epochs = (math.ceil(share * most) for most in (self.steps, self.epochs))
        return replace(self, steps=steps, epochs=epochs)

    def __post_init__(self) -> None:
        check_heads(self.width, self.heads)


PRESETS = budgeted(
    {
        "quick": {
            "layers": 1,
            "dropout": 0.2,
            "learning_rate": 3e-3,
            "finetune_learning_rate": 1e-3,
        },
        "paper": {
            "width": 32,
            "inner": 64,
            "dropout": 0.5,
            "loss": "binary",
            "batch_size": 128,
            "learning_rate": 2.8e-3,
            "finetune_learning_rate": 2.8e-3,
            "warm_up": 4000,
            "finetune_share": 1 / 3,
            "epochs": 300,
            "validation_requests": 0,
        },
    }
)
