"""Histories as sets of items in the order in which each was last taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmark.data.requests import Requests

__all__ = ["distinct_events", "recency_weights"]


def distinct_events(
    offsets: NDArray[np.int64], items: NDArray[np.int32], catalogue: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return lists without their repeats: an item stands where it stood last.

    Args:
        offsets: ``[lists + 1]``; list ``i`` holds ``items[offsets[i]:offsets[i + 1]]``.
        items: of all lists, oldest first.
        catalogue: number of items there are.
    """
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    keys = owner * catalogue + items
    _, last = np.unique(keys[::-1], return_index=True)
    kept = np.sort(len(keys) - 1 - last)
    counts = np.bincount(owner[kept], minlength=len(offsets) - 1)
    return np.concatenate([[0], np.cumsum(counts)]), items[kept]


def recency_weights(requests: Requests, rate: float) -> csr_array:
    """Return ``exp(rate * age)`` for the items of each history, ``[requests, items]``.

    Args:
        requests: whose histories.
        rate: at most 0; the last item has age 0, the one before it age 1.
    """
    offsets, items = distinct_events(*requests.seen(), requests.items)
    stop = np.repeat(offsets[1:], np.diff(offsets))
    age = stop - 1 - np.arange(len(items))
    weights = np.exp(rate * age).astype(np.float32)
    return csr_array((weights, items, offsets), shape=(len(requests), requests.items))
