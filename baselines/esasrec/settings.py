"""Settings and presets of eSASRec."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.sequential.settings import SequenceSettings
from benchmark.budget import budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "ESASRecSettings"]


@dataclass(frozen=True)
class ESASRecSettings(SequenceSettings):
    """Settings of :class:`~baselines.esasrec.model.ESASRec`; the defaults are ``standard``."""

    inner: int = setting(256, "width of the feed-forward layers", low=1)


PRESETS = budgeted(
    {
        "thorough": {"width": 128, "inner": 512},
        "paper": {
            "max_history": 200,
            "loss": "sampled",
            "heads": 1,
            "dropout": 0.1,
            "batch_size": 128,
            "epochs": 100,
            "patience": 50,
            "decay": 0.0,
            "validation_requests": 0,
        },
    }
)
