"""Training events for models that read no history: who took what, by which query."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Task

__all__ = ["rows_of_tasks", "shuffled"]


def rows_of_tasks(log: EventLog, tasks: Iterable[Task]) -> NDArray[np.int64]:
    """Return the log rows of the events that answer ``tasks``, ascending."""
    wanted = {
        Task.REC: EventSource.RECOMMENDED,
        Task.SEARCH: EventSource.SEARCHED,
    }
    return np.flatnonzero(np.isin(log.kind, [int(wanted[task]) for task in tasks]))


def shuffled(rows: NDArray[np.int64], size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Cut ``rows`` into batches of ``size``, in a random order that seed and epoch decide.

    Every row is in exactly one batch; the last one may be smaller.
    """
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return [order[start : start + size] for start in range(0, len(order), size)]
