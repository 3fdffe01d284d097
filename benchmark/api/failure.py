"""A run that came to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.running.plan import Experiment

__all__ = ["Failure"]


@dataclass(frozen=True)
class Failure:
    """A run that came to nothing.

    Attributes:
        plan: what was to be run.
        seed: of its training.
        reason: one line.
    """

    plan: Experiment
    seed: int
    reason: str
