"""Settings and presets of UnifiedSSR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["PRESETS", "UnifiedSSRSettings"]


def _doc(default: Any, text: str) -> Any:
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True)
class UnifiedSSRSettings:
    """Settings of :class:`baselines.unifiedssr.model.UnifiedSSR`; defaults are ``standard``."""

    width: int = _doc(64, "width of embeddings and layers")
    layers: int = _doc(2, "layers of the Siamese encoder")
    heads: int = _doc(4, "attention heads")
    inner: int = _doc(128, "width of the feed-forward layers")
    dropout: float = _doc(0.3, "dropout of embeddings and layers")
    attention_dropout: float = _doc(0.1, "dropout of attention weights")
    sessions: int = _doc(2, "windows that a sequence is divided into")
    correlation: float = _doc(0.1, "weight of the correlation losses of the windows")
    window: int = _doc(50, "events of the history that are read")
    history: Literal["all", "rec"] = _doc(
        "all", "recommendation reads and predicts all events, or recommendation events only"
    )
    query_words: int = _doc(12, "word pieces of a query that are read")
    item_vectors: Literal["id", "text"] = _doc(
        "id", "a vector for each item, or that plus the mean of the words of its text"
    )
    item_words: int = _doc(24, "word pieces of an item's text that are read")
    masking: Literal["causal", "padding"] = _doc(
        "causal", "positions see earlier ones only, or all real ones as in the published code"
    )
    layering: Literal["stacked", "published"] = _doc(
        "stacked", "a layer reads the one before, or all read the input as in the published code"
    )
    windows: Literal["own", "batch"] = _doc(
        "own", "windows lie in the sequence itself, or in the batch's padded length as published"
    )
    edges: Literal["soft", "hard"] = _doc(
        "soft", "windows end gradually and learn, or abruptly and never move as published"
    )
    loss: Literal["softmax", "binary"] = _doc(
        "softmax", "over the whole catalogue, or against random items as in the paper"
    )
    negatives: int = _doc(4, "random items for each position of the binary loss")
    batch: int = _doc(32, "sequences in a batch")
    schedule: Literal["cosine", "noam"] = _doc(
        "cosine", "warm-up and cosine, or the paper's inverse root with 4,000 steps of warm-up"
    )
    rate: float = _doc(2e-3, "highest learning rate of pretraining (cosine)")
    finetune_rate: float = _doc(5e-4, "highest learning rate of fine-tuning (cosine)")
    weight_decay: float = _doc(0.0, "weight decay")
    epochs: int = _doc(24, "most epochs of pretraining")
    finetune_epochs: int = _doc(4, "most epochs of fine-tuning, for each task")
    validate_every: int = _doc(3, "epochs between validations")
    validation_requests: int = _doc(0, "requests of each task in a validation, 0 for all")
    patience: int = _doc(3, "validations without a gain before a phase stops")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {
        "layers": 1,
        "dropout": 0.2,
        "epochs": 4,
        "finetune_epochs": 2,
        "rate": 3e-3,
        "finetune_rate": 1e-3,
        "validate_every": 4,
        "validation_requests": 200,
    },
    "thorough": {"epochs": 40, "finetune_epochs": 6, "patience": 5},
    "paper": {
        "width": 32,
        "inner": 64,
        "dropout": 0.5,
        "loss": "binary",
        "batch": 128,
        "schedule": "noam",
        "epochs": 100,
        "finetune_epochs": 100,
        "validate_every": 4,
    },
}
