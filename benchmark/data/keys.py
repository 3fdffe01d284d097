"""Pairs of numbers as one number, and finding such keys among others by sorting.

``np.unique`` and ``np.isin`` tell integers apart by a hash table, which takes minutes for a million
keys ``a * n + b`` (NumPy 2.4); sorting takes a tenth of a second for any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["among", "distinct", "order_by", "place_among"]


def distinct(keys: NDArray[np.integer]) -> NDArray:
    """Return the keys once each, ascending."""
    ordered = np.sort(keys, axis=None)
    new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


def place_among(keys: NDArray[np.integer], ascending: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where each of ``keys`` stands first in ``ascending``, -1 where it does not."""
    if not len(ascending):
        return np.full(keys.shape, -1, dtype=np.int64)
    place = np.searchsorted(ascending, keys)
    place[place == len(ascending)] = 0
    place[ascending[place] != keys] = -1
    return place


def among(keys: NDArray[np.integer], ascending: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which of ``keys`` stand in ``ascending``, which may repeat itself."""
    return place_among(keys, ascending) >= 0


def order_by(keys: Sequence[NDArray[np.integer]]) -> NDArray[np.intp]:
    """Return what ``np.lexsort`` does, the last key leading: the stable order of rows.

    Neighbouring keys that fit together into 63 bits are sorted as one number, of which a leading
    one that ascends already costs little.
    """
    joint: list[NDArray[np.int64]] = []
    width = 2**62
    for key in reversed(keys):
        own, span = _from_zero(key)
        if width * span < 2**62:
            joint[0], width = joint[0] * span + own, width * span
        else:
            joint.insert(0, own)
            width = span
    return np.argsort(joint[0], kind="stable") if len(joint) == 1 else np.lexsort(joint)


def _from_zero(key: NDArray[np.integer]) -> tuple[NDArray[np.int64], int]:
    """Return a key counted from its least value, and how many values lie up to its greatest."""
    if not len(key):
        return key.astype(np.int64), 1
    low, high = int(key.min()), int(key.max())
    if high - low >= 2**62:
        key, low, high = np.unique(key, return_inverse=True)[1], 0, len(key) - 1
    return np.subtract(key, low, dtype=np.int64), high - low + 1
