"""Training time until validation is as good as wanted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmark.data.requests import Task
from benchmark.model import Model, Validation

__all__ = ["Clock", "ReachedError"]


class ReachedError(Exception):
    """Validation is as good as wanted."""


@dataclass
class Clock:
    """A validation that stops training at ``wanted`` and leaves its own time out of the count.

    Attributes:
        inner: what measures.
        wanted: mean validation NDCG@10 of the tasks.
        curve: seconds of training, and the mean reached by then.
    """

    inner: Validation
    wanted: float = float("inf")
    curve: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._started, self._validating = time.perf_counter(), 0.0

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that are measured."""
        return self.inner.tasks

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        """Measure, and stop training if the wanted value is reached."""
        now = time.perf_counter()
        measured = self.inner.measure(model, limit)
        mean = sum(measured.values()) / len(measured)
        self.curve.append((now - self._started - self._validating, mean))
        if mean >= self.wanted:
            raise ReachedError
        self._validating += time.perf_counter() - now
        return measured
