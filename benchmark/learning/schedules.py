"""Schedules of the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

__all__ = ["Decay", "set_rate", "share_of_rate"]

LEAST = 1e-3
"""Share of the rate that is always left, so that the last step moves too."""


@dataclass(frozen=True)
class Decay:
    """When the rate falls.

    Attributes:
        start: the step from which it does.
        steps: in how many it reaches 0.
    """

    start: int
    steps: int


def share_of_rate(step: int, warm_up: int, decay: Decay | None) -> float:
    """Return the share of the highest rate at a step.

    It rises linearly over ``warm_up`` steps and stays; in the decay it is 1 minus the square root
    of the share behind (Hägele et al. 2024, section 4, where that came out best).

    Args:
        step: steps behind.
        warm_up: steps in which it rises.
        decay: when it falls, ``None`` where it does not yet.
    """
    share = min(1.0, (step + 1) / max(warm_up, 1))
    if decay is not None:
        share *= 1 - math.sqrt(min(max(step - decay.start, 0) / max(decay.steps, 1), 1.0))
    return max(share, LEAST)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all weights."""
    for group in optimiser.param_groups:
        group["lr"] = rate
