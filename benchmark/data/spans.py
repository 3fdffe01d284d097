"""Rows of different length in flat arrays: the places that spans of numbers cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread"]


def spread(starts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return ``starts[i], starts[i] + 1, …`` for ``lengths[i]`` numbers of each ``i``, joined."""
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))
