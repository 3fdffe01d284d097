"""Batches of rows of similar length, which spare most of the padding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["by_length", "length_order"]


def length_order(
    length: NDArray[np.integer], jitter: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return rows from short to long, those of similar length in random order.

    Args:
        length: ``[rows]``.
        jitter: how much longer a row may be at most and still come first.
        rng: draws one number for each row.
    """
    return np.argsort(length + rng.uniform(0, jitter, len(length)), kind="stable")


def by_length(
    length: NDArray[np.integer], size: int, jitter: float, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Cut rows into batches of similar length and return these in random order.

    Every row is in exactly one batch.

    Args:
        length: ``[rows]``.
        size: rows in a batch; one batch may hold fewer.
        jitter: see :func:`length_order`.
        rng: draws the order of rows, then that of batches.
    """
    order = length_order(length, jitter, rng)
    starts = rng.permutation(np.arange(0, len(order), size))
    return [order[start : start + size] for start in starts]
