"""The settings of SESRec and its presets."""

from __future__ import annotations

from dataclasses import dataclass

from baselines.two_histories.settings import TwoHistoriesSettings
from benchmark.budget import budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "SESRecSettings"]


@dataclass(frozen=True, kw_only=True)
class SESRecSettings(TwoHistoriesSettings):
    """Settings of :class:`baselines.sesrec.model.SESRec`; the defaults are ``standard``."""

    negatives: int = setting(256, "random items that the positives of a history are held against")
    batch_size: int = setting(256, "events in a batch", low=1)
    learning_rate: float = setting(3e-3, "learning rate", low=1e-9)
    separate_weight: float = setting(
        1e-3, "weight of setting similar and dissimilar interests apart"
    )
    separate_margin: float = setting(
        0.1, "how much further the dissimilar ones are to be from the history than the similar"
    )


PRESETS = budgeted(
    {
        "quick": {"validation_requests": 50},
        "thorough": {"dropout": 0.2, "ahead": 3},
        "paper": {
            "heads": 4,
            "max_history": 15,
            "match": False,
            "loss": "binary",
            "negatives": 4,
            "ahead": 1,
            "align_negatives": 1024,
            "align_pairs": 0,
            "learning_rate": 1e-3,
            "validation_requests": 0,
        },
    }
)
