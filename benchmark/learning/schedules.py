"""Schedules of the learning rate."""

from __future__ import annotations

import math

import torch

__all__ = ["set_rate"]


def set_rate(optimiser: torch.optim.Optimizer, rate: float, done: float, warm_up: float) -> None:
    """Let the learning rate rise linearly to ``rate``, then fall to 0 as a cosine.

    Args:
        optimiser: whose rate is set.
        rate: the highest learning rate.
        done: share of the training behind, 0 to 1.
        warm_up: share of the training in which the rate rises.
    """
    if done < warm_up:
        share = done / warm_up
    else:
        share = 0.5 * (1 + math.cos(math.pi * (done - warm_up) / max(1 - warm_up, 1e-9)))
    for group in optimiser.param_groups:
        group["lr"] = rate * max(share, 1e-3)
