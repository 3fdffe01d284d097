"""Rows of different length in flat arrays: the places that spans of numbers cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_in_spans", "spread"]


def spread(starts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return ``starts[i], starts[i] + 1, …`` for ``lengths[i]`` numbers of each ``i``, joined."""
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))


def find_in_spans(
    offsets: NDArray[np.integer],
    values: NDArray[np.integer],
    span: NDArray[np.integer],
    wanted: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Return where in ``values`` a span has a value, -1 where it has not, ``[n]``.

    Args:
        offsets: ``[spans + 1]``; span ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
        values: ascending within each span.
        span: ``[n]``, which one to look into.
        wanted: ``[n]``, the value to find there.
    """
    low, high = offsets[span].astype(np.int64), offsets[span + 1].astype(np.int64)
    end = high.copy()
    while (inside := np.flatnonzero(low < high)).size:
        middle = (low[inside] + high[inside]) // 2
        below = values[middle] < wanted[inside]
        low[inside] = np.where(below, middle + 1, low[inside])
        high[inside] = np.where(below, high[inside], middle)
    found = np.flatnonzero(low < end)
    found = found[values[low[found]] == wanted[found]]
    place = np.full(len(wanted), -1, dtype=np.int64)
    place[found] = low[found]
    return place
