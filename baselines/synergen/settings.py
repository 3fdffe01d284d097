"""Settings and presets of the SynerGen-style model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.budget import Budget, budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "SynerGenSettings"]


@dataclass(frozen=True)
class SynerGenSettings(Budget):
    """Settings of :class:`~baselines.synergen.model.SynerGen`; the defaults are ``standard``."""

    width: int = setting(64, "width of embeddings and layers", low=1)
    layers: int = setting(2, "transformer layers", low=1)
    heads: int = setting(2, "attention heads; width / heads must be a multiple of 4", low=1)
    inner: int = setting(128, "width of the gated feed-forward layers", low=1)
    dropout: float = setting(0.3, "dropout of embeddings and layers", high=1)
    max_history: int = setting(50, "events of the history that are read", low=1)
    clock: Literal["gaps", "days"] = setting(
        "gaps", "wavelengths of the time rotation: from the data's gaps, or 1 day to 4 years"
    )
    queries: Literal["minilm", "words"] = setting(
        "minilm", "query vectors: bundled text encoder, or mean of learned word pieces"
    )
    query_words: int = setting(
        16, "word pieces of a query that are read, with queries=words", low=1
    )
    retrieval_loss: Literal["catalogue", "batch"] = setting(
        "batch", "InfoNCE against the batch's targets with logQ correction, or all items"
    )
    temperature: float = setting(0.05, "temperature of InfoNCE", low=1e-9)
    negatives: int = setting(
        4, "ranking tokens with another item for each target that is ranked", low=1
    )
    hard: float = setting(
        0.5, "share of the negatives drawn by retrieval score, not uniformly", high=1
    )
    ranked: float = setting(
        0.25, "share of the targets that get ranking tokens in an epoch", low=1e-9, high=1
    )
    ranking: Literal["score", "retrieval", "sum"] = setting(
        "sum", "final score: of the ranking token, retrieval's cosine / temperature, or their sum"
    )
    shortlist: int = setting(
        200, "best items by retrieval that are re-ranked, 0 for the whole catalogue"
    )
    batch_size: int = setting(16, "sequences in a batch", low=1)
    learning_rate: float = setting(1e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.01, "weight decay")

    def __post_init__(self) -> None:
        if self.width % (4 * self.heads):
            raise ValueError("synergen: width must be a multiple of 4 times heads")


PRESETS = budgeted(
    {
        "quick": {
            "ranked": 0.1,
            "validation_requests": 100,
            "shortlist": 50,
        },
        "thorough": {
            "width": 96,
            "heads": 3,
            "inner": 192,
            "layers": 3,
        },
        "paper": {
            "width": 128,
            "layers": 4,
            "heads": 4,
            "inner": 256,
            "clock": "days",
            "ranked": 1.0,
            "ranking": "score",
            "shortlist": 0,
            "epochs": 14,
            "validation_requests": 200,
        },
    }
)
