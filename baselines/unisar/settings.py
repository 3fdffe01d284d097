"""The settings of UniSAR and its presets."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.two_histories.settings import TwoHistoriesSettings
from benchmark.budget import budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "UniSARSettings"]


@dataclass(frozen=True, kw_only=True)
class UniSARSettings(TwoHistoriesSettings):
    """Settings of :class:`baselines.unisar.model.UniSAR`; the defaults are ``standard``."""

    experts: int = setting(4, "experts that both tasks share, and experts of each task", low=1)
    search_weight: float = setting(1.0, "weight of the search loss (mu); of recommendation: 1")
    contrast_weight: float = setting(0.01, "weight of the contrast of the views (lambda 2)")
    contrast_temperature: float = setting(0.1, "temperature of that contrast", low=1e-9)


PRESETS = budgeted(
    {
        "quick": {"batch_size": 256, "validation_requests": 50},
        "thorough": {
            "batch_size": 256,
            "dropout": 0.2,
            "negatives": 64,
            "ahead": 3,
        },
        "paper": {
            "words": 50,
            "match": False,
            "loss": "binary",
            "negatives": 4,
            "ahead": 1,
            "search_weight": 0.01,
            "align_negatives": 1024,
            "align_pairs": 0,
            "batch_size": 1024,
            "epochs": 100,
            "validation_requests": 0,
            "patience": 5,
        },
    }
)
