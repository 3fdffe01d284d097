"""Settings and presets of SASRec."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.sequential.settings import ReadingSettings, SequenceSettings
from benchmark.budget import budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "EncoderSettings", "SASRecSettings"]


@dataclass(frozen=True)
class EncoderSettings(ReadingSettings):
    """Settings of SASRec's network, whatever stands for an item."""

    dropout: float = setting(0.4, "dropout of embeddings and layers", high=1)
    attention_dropout: float = setting(0.3, "dropout of attention weights", high=1)
    inner: int = setting(256, "width of the feed-forward layers", low=1)


@dataclass(frozen=True)
class SASRecSettings(EncoderSettings, SequenceSettings):
    """Settings of :class:`~baselines.sasrec.model.SASRec`; the defaults are ``standard``."""


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
