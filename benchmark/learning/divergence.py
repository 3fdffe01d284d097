"""Divergence, told as such: a loss or a weight that is not finite any more."""

from __future__ import annotations

import math

import torch
from torch import nn

from benchmark.errors import DivergedError

__all__ = ["all_finite", "check_finite", "diverged"]


def all_finite(module: nn.Module) -> bool:
    """Return whether every weight of a module is a finite number."""
    return all(bool(torch.isfinite(weight).all()) for weight in module.parameters())


def check_finite(
    name: str,
    at: str,
    loss: float,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    setting: str = "learning_rate",
) -> None:
    """Refuse to go on with what has diverged.

    Args:
        name: of what is trained.
        at: where, as ``at step 3``.
        loss: the mean since it was last looked at.
        module: what is trained.
        optimiser: knows the learning rate.
        setting: that says the learning rate.

    Raises:
        DivergedError: the loss or a weight is not finite.
    """
    if not math.isfinite(loss) or not all_finite(module):
        raise diverged(name, at, f"its loss is {loss:.4g}", optimiser, setting)


def diverged(
    name: str, at: str, seen: str, optimiser: torch.optim.Optimizer, setting: str
) -> DivergedError:
    """Return the error that tells what was ``seen`` at some place, and the mend."""
    rate = optimiser.defaults["lr"]  # the highest: schedules change that of the groups
    return DivergedError(
        f"training of {name} diverged {at}: {seen} at a learning rate of {rate:.4g};"
        f" lower the learning rate (--set {setting}=…)"
    )
