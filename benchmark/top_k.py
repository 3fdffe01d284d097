"""The best of many scores, at little more than the cost of reading them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["top_k"]

_AT_ONCE = 2**18
"""Scores worked on at a time; they stay in the caches until they were read for the last time."""
_GROUPS = 8
"""Groups of columns for each wanted item, see :func:`_sure_bound`."""
_CROWD = 4
"""A row with more candidates than this for each wanted item is better served one by one."""


def top_k(scores: NDArray[np.float32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return columns and values of the ``k`` highest scores of each row, best first.

    Equal scores come in the order of their columns. Scores of minus infinity are never returned;
    their places hold column -1.

    Args:
        scores: ``[rows, columns]``; rows may share memory, as those of a broadcast array do.
        k: how many; more than there are columns is allowed.

    Returns:
        int32 and float32 ``[rows, k]``.
    """
    rows, columns = scores.shape
    items = np.full((rows, k), -1, dtype=np.int32)
    best = np.full((rows, k), -np.inf, dtype=np.float32)
    if k == 0:
        return items, best
    if columns <= 2 * _GROUPS * k:
        fill = _sorted_whole
    else:
        fill = _Selection(max(1, _AT_ONCE // columns), columns).sorted_few
    step = max(1, _AT_ONCE // max(columns, 1))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        fill(scores[part], items[part], best[part])
    return items, best


def _sorted_whole(
    scores: NDArray[np.float32], items: NDArray[np.int32], best: NDArray[np.float32]
) -> None:
    """Fill ``items`` and ``best`` by sorting all scores."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, : items.shape[1]]
    kept = slice(0, order.shape[1])
    best[:, kept] = np.take_along_axis(scores, order, axis=1)
    items[:, kept] = np.where(np.isneginf(best[:, kept]), -1, order)


class _Selection:
    """Finds the scores that may be among the best, and sorts only these.

    Args:
        rows: at most so many at a time.
        columns: of each row.
    """

    def __init__(self, rows: int, columns: int) -> None:
        # Memory that is used again: to get new pages would cost more than all else here.
        half = (columns + 1) // 2
        self._folded = tuple(np.empty((rows, width), np.float32) for width in (half, half // 2 + 1))
        self._reached = np.empty((rows, columns), dtype=np.bool_)

    def sorted_few(
        self, scores: NDArray[np.float32], items: NDArray[np.int32], best: NDArray[np.float32]
    ) -> None:
        """Fill ``items`` and ``best``.

        Rows with a crowd of equal scores at the boundary, or with NaN, are left to
        :func:`_one_by_one`.
        """
        k = items.shape[1]
        bound = self._sure_bound(scores, k)
        lowest = np.maximum(bound, np.finfo(np.float32).min)[:, None]
        reached = np.greater_equal(scores, lowest, out=self._reached[: len(scores)])
        crowded = np.isnan(bound)
        if np.count_nonzero(reached) > _CROWD * k * len(reached):
            crowded |= np.count_nonzero(reached, axis=1) > _CROWD * k
        if crowded.any():
            items[crowded], best[crowded] = _one_by_one(scores[crowded], k)
            reached[crowded] = False
        row, column = np.divmod(np.flatnonzero(reached), scores.shape[1])
        values = scores[row, column]
        order = np.lexsort((-values, row))  # stable: equal scores stay in the order of columns
        place = np.arange(len(order)) - np.searchsorted(row, row)
        kept = place < k
        order, row, place = order[kept], row[kept], place[kept]
        items[row, place] = column[order]
        best[row, place] = values[order]

    def _sure_bound(self, scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
        """Return a score for each row that at least ``k`` of its scores reach; NaN if one is NaN.

        Columns fall into disjoint groups, and the ``k``-th highest of the groups' maxima is reached
        in ``k`` groups. Maxima are taken by folding each row in half, which reads memory in its
        order.
        """
        maxima, turn = scores, 0
        while maxima.shape[1] > 2 * _GROUPS * k:
            width = maxima.shape[1]
            half = (width + 1) // 2
            folded = self._folded[turn][: len(scores), :half]
            folded[:, width - half :] = maxima[:, width - half : half]
            np.maximum(maxima[:, : width - half], maxima[:, half:], out=folded[:, : width - half])
            maxima, turn = folded, 1 - turn
        # NaN comes out as the highest maximum.
        highest = np.partition(maxima, (-k, -1), axis=1)
        return np.where(np.isnan(highest[:, -1]), np.float32(np.nan), highest[:, -k])


def _one_by_one(
    scores: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Take the first highest score ``k`` times."""
    left = np.array(scores)
    rows = np.arange(len(left))
    items = np.empty((len(left), k), dtype=np.int32)
    best = np.empty((len(left), k), dtype=np.float32)
    for place in range(k):
        items[:, place] = left.argmax(axis=1)
        best[:, place] = left[rows, items[:, place]]
        left[rows, items[:, place]] = -np.inf
    return np.where(np.isneginf(best), -1, items), best
