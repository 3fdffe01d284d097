"""Numbers by lot that hang on what they are for and on their place, not on who asks when."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stream", "classes", "uniforms"]


class Stream(IntEnum):
    """What numbers are drawn for; each has a generator of its own, so that none moves another."""

    ITEM_TASTE = 0
    ITEM_TOPIC = 1
    ITEM_SUBJECT = 2
    ITEM_COUPLED = 3
    ITEM_RANK = 4
    ITEM_SEARCH_RANK = 5
    ITEM_WORDS = 6
    USER_TASTE = 7
    USER_INTEREST = 8
    USER_COUPLED = 9
    USER_ACTIVITY = 10
    EVENT_WITHIN = 11
    EVENT_MOMENT = 12
    EVENT_YEAR = 13
    QUERY_SLOT = 14
    QUERY_TOLD = 15
    QUERY_OTHER = 16
    EVENT_ITEM = 100
    """The first of several: an item that its user has already is drawn again from the next."""


def uniforms(seed: int, stream: int, start: int, stop: int, width: int = 1) -> NDArray[np.float64]:
    """Return the numbers ``start`` to ``stop`` of a stream, in [0, 1).

    Args:
        seed: of the data set.
        stream: one of :class:`Stream`, or a later one of the last.
        start: the first; of the rows, where there are several numbers in each.
        stop: the first that is left out.
        width: numbers in each row.

    Returns:
        ``[stop - start]``, or ``[stop - start, width]`` for more than one.
    """
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(stream),)))
    bits.advance(start * width)
    drawn = np.random.Generator(bits).random((stop - start) * width)
    return drawn if width == 1 else drawn.reshape(-1, width)


def classes(lots: NDArray[np.float64], count: int) -> NDArray[np.int32]:
    """Return classes of equal size by lot, ``[lots]``, from 0 to below ``count``."""
    rank = np.empty(len(lots), dtype=np.int64)
    rank[np.argsort(lots, kind="stable")] = np.arange(len(lots))
    return (rank % count).astype(np.int32)
