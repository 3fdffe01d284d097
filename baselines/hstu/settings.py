"""Settings and presets of HSTU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from baselines.sequential.settings import SequenceSettings
from benchmark.budget import budgeted
from benchmark.settings import setting

__all__ = ["PRESETS", "HSTUSettings"]


@dataclass(frozen=True)
class HSTUSettings(SequenceSettings):
    """Settings of :class:`~baselines.hstu.model.HSTU`; the defaults are ``standard``."""

    temperature: float = setting(0.05, "what the cosines are divided by", low=1e-3)
    time: Literal["off", "last", "request"] = setting(
        "off",
        "whether attention reads how long ago an event was: before the last event, or before the"
        " request, which in data that knows no requests is the time of the answer",
    )


PRESETS = budgeted(
    {
        "thorough": {"width": 128},
        "paper": {
            "max_history": 200,
            "width": 50,
            "heads": 1,
            "time": "last",
            "loss": "sampled",
            "negatives": 128,
            "batch_size": 128,
            "epochs": 101,
            "decay": 0.0,
            "warm_up": 0,
            "validation_requests": 0,
        },
    }
)
