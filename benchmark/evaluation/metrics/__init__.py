"""Metrics, declared one a module and computed in closed form from counts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.declared import FAMILIES, LIST_METRICS, MAIN, METRICS, parse
from benchmark.evaluation.metrics.family import (
    CUTOFFS,
    Family,
    ListMetric,
    Metric,
    TopLists,
)

__all__ = [
    "CUTOFFS",
    "FAMILIES",
    "LIST_METRICS",
    "MAIN",
    "METRICS",
    "Family",
    "ListMetric",
    "Metric",
    "TopLists",
    "compute",
    "describe_lists",
    "parse",
]


def compute(
    counts: Counts, names: Iterable[str] = tuple(METRICS)
) -> dict[str, NDArray[np.float64]]:
    """Return each metric's values by request, ``{name: [requests]}``, under the names as given.

    Raises:
        InputError: a name that no metric has.
    """
    return {name: parse(name).values(counts) for name in names}


def describe_lists(lists: TopLists) -> dict[str, float]:
    """Return all metrics of a run's lists, ``{name: value}``."""
    return {name: metric.value(lists) for name, metric in LIST_METRICS.items()}
