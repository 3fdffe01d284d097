"""The shape of counts: histograms in bins that people read, and how uneven counts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bin", "equal_bins", "gini", "histogram", "top_share"]

_SINGLE = 12
"""Whole numbers that get a bin each; a wider range is cut where numbers double."""


@dataclass(frozen=True)
class Bin:
    """How many values lie from ``low`` to ``high``, both included."""

    low: int
    high: int
    count: int

    def to_dict(self) -> dict[str, int]:
        """Return the bin JSON-ready."""
        return asdict(self)


def histogram(values: NDArray[np.integer]) -> list[Bin]:
    """Return how often whole numbers from 0 occur, from the lowest that does to the highest.

    Up to twelve different numbers have a bin each. More are cut at 1, 2, 4, 8 and so on: as users
    and items differ by factors, bins of one width would put nearly all of them into the first.

    Args:
        values: ``[n]``, 0 or more.
    """
    if not len(values):
        return []
    low, high = int(values.min()), int(values.max())
    if high - low < _SINGLE:
        edges = np.arange(low, high + 2)
    else:
        doubling = np.array([0, 1, *(2**power + 1 for power in range(62))])
        first = int(np.searchsorted(doubling, low, side="right")) - 1
        last = int(np.searchsorted(doubling, high, side="right"))
        edges = doubling[first : last + 1]
    counts = np.bincount(np.searchsorted(edges, values, side="right") - 1, minlength=len(edges) - 1)
    return _bins(edges, counts)


def equal_bins(values: NDArray[np.integer], most: int) -> list[Bin]:
    """Return how many values lie in each of at most ``most`` bins of one width."""
    if not len(values):
        return []
    low, high = int(values.min()), int(values.max())
    width = -(-(high - low + 1) // most)
    edges = low + width * np.arange(-(-(high - low + 1) // width) + 1)
    return _bins(edges, np.bincount((values - low) // width, minlength=len(edges) - 1))


def _bins(edges: NDArray[np.integer], counts: NDArray[np.integer]) -> list[Bin]:
    ends: Sequence[int] = edges.tolist()
    return [
        Bin(low, behind - 1, count)
        for low, behind, count in zip(ends[:-1], ends[1:], counts.tolist(), strict=True)
    ]


def gini(counts: NDArray[np.integer]) -> float:
    """Return the Gini index of counts: 0 where all are alike, near 1 where one has everything."""
    ordered = np.sort(counts).astype(np.float64)
    number, total = len(ordered), ordered.sum()
    weights = 2.0 * np.arange(1, number + 1) - number - 1
    return float(weights @ ordered / (number * total)) if total else 0.0


def top_share(counts: NDArray[np.integer], part: float) -> float:
    """Return the share of all that the largest counts have: of ``part`` of them, one at least."""
    total = int(counts.sum())
    most = max(1, round(part * len(counts)))
    largest = np.partition(counts, max(0, len(counts) - most))[-most:]
    return float(largest.sum() / total) if total else 0.0
