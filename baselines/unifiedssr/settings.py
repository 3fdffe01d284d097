"""Settings and presets of UnifiedSSR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmark.settings import check_heads, setting

__all__ = ["PRESETS", "UnifiedSSRSettings"]


@dataclass(frozen=True)
class UnifiedSSRSettings:
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
    schedule: Literal["cosine", "noam"] = setting(
        "cosine", "warm-up and cosine, or the paper's inverse root with 4,000 steps of warm-up"
    )
    learning_rate: float = setting(2e-3, "highest learning rate of pretraining (cosine)", low=1e-9)
    finetune_learning_rate: float = setting(
        5e-4, "highest learning rate of fine-tuning (cosine)", low=1e-9
    )
    weight_decay: float = setting(0.0, "weight decay")
    epochs: int = setting(24, "most epochs of pretraining")
    finetune_epochs: int = setting(4, "most epochs of fine-tuning, for each task")
    validate_every: int = setting(3, "epochs between validations", low=1)
    validation_requests: int = setting(0, "requests of each task in a validation, 0 for all")
    patience: int = setting(3, "validations without a gain before a phase stops", low=1)

    def __post_init__(self) -> None:
        check_heads(self.width, self.heads)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {
        "layers": 1,
        "dropout": 0.2,
        "epochs": 4,
        "finetune_epochs": 2,
        "learning_rate": 3e-3,
        "finetune_learning_rate": 1e-3,
        "validate_every": 4,
        "validation_requests": 200,
    },
    "thorough": {"epochs": 40, "finetune_epochs": 6, "patience": 5},
    "paper": {
        "width": 32,
        "inner": 64,
        "dropout": 0.5,
        "loss": "binary",
        "batch_size": 128,
        "schedule": "noam",
        "epochs": 100,
        "finetune_epochs": 100,
        "validate_every": 4,
    },
}
