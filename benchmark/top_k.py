"""The best of many scores, at little more than the cost of reading them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["top_k"]

_AT_ONCE = 2**18
"""Scores worked on at a time; they stay in the caches until they were read for the last time."""
_GROUPS = 8
"""Groups of columns that there are at least for each wanted item."""
_MEMBERS = 16
"""Columns of a group, where there are enough of them."""
_CROWD = 4
"""A row with more promising groups than this for each wanted item is served one by one."""


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
        fill = _Selection(max(1, _AT_ONCE // columns), columns, k).sorted_few
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

    Columns fall into groups of at most 16, and all scores are read once, for the maximum of each
    group. At least ``k`` groups have one of the ``k`` highest maxima, so whatever is below these is
    not among the best, and whole groups need no second look.

    Args:
        rows: at most so many at a time.
        columns: of each row.
        k: how many of the best are wanted.
    """

    def __init__(self, rows: int, columns: int, k: int) -> None:
        self._groups = max(_GROUPS * k, -(-columns // _MEMBERS))
        # Memory that is used again: to get new pages would cost more than all else here.
        self._maxima = np.empty((rows, self._groups), dtype=np.float32)

    def sorted_few(
        self, scores: NDArray[np.float32], items: NDArray[np.int32], best: NDArray[np.float32]
    ) -> None:
        """Fill ``items`` and ``best``.

        Rows with a crowd of equal scores at the boundary, or with NaN, are left to
        :func:`_one_by_one`.
        """
        k = items.shape[1]
        maxima = self._group_maxima(scores)
        bound = _reached_by(maxima, k)
        lowest = np.maximum(bound, np.finfo(np.float32).min)
        promising = maxima >= lowest[:, None]
        crowded = np.isnan(bound)
        if np.count_nonzero(promising) > _CROWD * k * len(promising):
            crowded |= np.count_nonzero(promising, axis=1) > _CROWD * k
        if crowded.any():
            items[crowded], best[crowded] = _one_by_one(scores[crowded], k)
            promising[crowded] = False
        row, column, values = self._members(scores, promising, lowest)
        order = np.lexsort((column, -values, row))
        place = np.arange(len(order)) - np.searchsorted(row, row)
        kept = place < k
        order, row, place = order[kept], row[kept], place[kept]
        items[row, place] = column[order]
        best[row, place] = values[order]

    def _group_maxima(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the maximum of columns g, g + groups, g + 2 groups, … for each group g."""
        groups, maxima = self._groups, self._maxima[: len(scores)]
        maxima[...] = scores[:, :groups]
        for start in range(groups, scores.shape[1], groups):
            members = scores[:, start : start + groups]
            first = maxima[:, : members.shape[1]]
            np.maximum(first, members, out=first)
        return maxima

    def _members(
        self,
        scores: NDArray[np.float32],
        promising: NDArray[np.bool_],
        lowest: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Return row, column and value of the scores of these groups that are not too low."""
        columns = scores.shape[1]
        row, group = np.divmod(np.flatnonzero(promising), self._groups)
        column = group[:, None] + np.arange(0, columns, self._groups)
        values = scores[row[:, None], np.minimum(column, columns - 1)]
        which, member = np.nonzero((values >= lowest[row, None]) & (column < columns))
        return row[which], column[which, member], values[which, member]


def _reached_by(maxima: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return for each row what at least ``k`` of ``maxima`` reach; NaN where one of them is NaN.

    Folding a row in half joins groups, which leaves fewer maxima to choose among.
    """
    while maxima.shape[1] > 2 * _GROUPS * k:
        half = (maxima.shape[1] + 1) // 2
        folded = maxima[:, :half].copy()
        pairs = maxima.shape[1] - half
        np.maximum(folded[:, :pairs], maxima[:, half:], out=folded[:, :pairs])
        maxima = folded
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
