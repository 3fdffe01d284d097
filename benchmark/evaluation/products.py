"""Counting from vectors: a large catalogue is multiplied and compared a few items at a time.

The scores of a million items for a few hundred requests fill a gigabyte, and to write and read
memory that far from the processor takes longer than to multiply. Here a block of scores stays in
the processor's caches until all was read of it that is wanted, and is then written over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import PAD
from benchmark.evaluation.counting import Places, check_scores, true_by_row
from benchmark.top_k import top_k

__all__ = ["count_products", "largest_of"]

_COLUMNS = 8192
"""Items multiplied at a time; NumPy compares shorter rows with a number each three times slower."""
_ROWS = 32
"""Requests whose scores of so many items are looked at together; they take a megabyte."""
_PENDING = 2**16
"""Scores that a few requests keep at most until it is decided which are among the best."""


def count_products(
    queries: NDArray[np.floating],
    vectors: NDArray[np.float32],
    request: NDArray[np.int64],
    item: NDArray[np.integer],
    left_out: NDArray[np.int64],
    k: int,
    model: str = "model",
    numbers: NDArray[np.int64] | None = None,
    largest: float | None = None,
) -> Places:
    """Count from the inner products of requests' and items' vectors.

    What is counted are the scores of all blocks, as if they stood in one matrix. A relevant item's
    own score is needed before its block comes, so it is multiplied beforehand; where a product has
    other last digits at another place of a block, all is counted once more by the block's.

    Args:
        queries: ``[requests, width]``; in double precision, products are made so and then rounded.
        vectors: ``[items, width]``.
        request: row of each relevant item, ``[rows]``, ascending.
        item: the relevant item, ``[rows]``.
        left_out: ``request * items + item`` of what is no candidate, ascending and distinct. No
            relevant item is among them.
        k: how many of the best to list.
        model: named in errors.
        numbers: of the requests, for errors, ``[requests]``; 0, 1, … without.
        largest: of ``vectors``, as :func:`largest_of` tells it.

    Raises:
        DivergedError: a product is NaN or plus infinity.
    """
    rows = np.arange(len(queries)) if numbers is None else numbers
    bound = largest_of(queries) * (largest_of(vectors) if largest is None else largest)
    blocks = _Blocks(queries, vectors, left_out)
    if not bound * queries.shape[1] < float(np.finfo(np.float32).max):
        blocks.check(model, rows)
    level = blocks.scores_of(request, item)
    while True:
        strips, own = blocks.count(request, item, level, k)
        if (own == level).all():
            break
        level = own
    greater, tied, columns, best = (
        np.concatenate(parts) for parts in zip(*(strip.found() for strip in strips), strict=True)
    )
    never = np.isneginf(level)  # and so is whatever is left out, which is no tie
    tied[never] -= blocks.excluded[request[never]]
    return Places(greater, tied, len(vectors) - blocks.excluded, columns, best)


def largest_of(vectors: NDArray[np.floating]) -> float:
    """Return the largest absolute value, NaN where there is one: a bound for all products."""
    return max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))


class _Blocks:
    """The scores of requests, a block of items at a time in memory that is used again."""

    def __init__(
        self,
        queries: NDArray[np.floating],
        vectors: NDArray[np.float32],
        left_out: NDArray[np.int64],
    ) -> None:
        self._queries, self._vectors = queries, vectors
        rows, items = len(queries), len(vectors)
        self._scores = np.empty(rows * _COLUMNS, dtype=np.float32)
        self._starts = np.arange(0, items + _COLUMNS, _COLUMNS)[: -(-items // _COLUMNS) + 1]
        row, column = np.divmod(left_out, max(items, 1))
        self.excluded = np.bincount(row, minlength=rows).astype(np.int32)
        order = np.argsort(column, kind="stable")
        self._out = row[order], column[order]
        self._outs = np.searchsorted(self._out[1], self._starts)

    def check(self, model: str, numbers: NDArray[np.int64]) -> None:
        """Refuse products that are NaN or plus infinity.

        Raises:
            DivergedError: there is one.
        """
        for first in self._starts[:-1].tolist():
            with np.errstate(all="ignore"):  # what comes of it is looked at
                scores = self._products(self._vectors[first : first + _COLUMNS])
            check_scores(scores, model, 0, numbers)

    def scores_of(
        self, request: NDArray[np.int64], item: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return the score of each pair."""
        level = np.empty(len(item), dtype=np.float32)
        for start in range(0, len(item), _COLUMNS):
            some = slice(start, start + _COLUMNS)
            scores = self._products(self._vectors[item[some]])
            level[some] = scores[request[some], np.arange(scores.shape[1])]
        return level

    def count(
        self,
        request: NDArray[np.int64],
        item: NDArray[np.integer],
        level: NDArray[np.float32],
        k: int,
    ) -> tuple[list[_Strip], NDArray[np.float32]]:
        """Return what was counted by ``level``, and the scores of the items in their blocks."""
        own, scratch = np.empty_like(level), _Scratch()
        tops = range(0, len(self._queries), _ROWS)
        ends = np.searchsorted(request, [*tops, len(self._queries)])
        strips = [
            _Strip(min(_ROWS, len(self._queries) - top), request[a:b] - top, level[a:b], k, scratch)
            for top, a, b in zip(tops, ends[:-1], ends[1:], strict=True)
        ]
        order = np.argsort(item, kind="stable")
        ends = np.searchsorted(item[order], self._starts)
        for number, first in enumerate(self._starts[:-1].tolist()):
            scores = self._products(self._vectors[first : first + _COLUMNS])
            these = order[ends[number] : ends[number + 1]]
            own[these] = scores[request[these], item[these] - first]
            out = slice(self._outs[number], self._outs[number + 1])
            row, column = self._out[0][out], self._out[1][out] - first
            scores[row, column] = -np.inf
            for top, strip in zip(tops, strips, strict=True):
                strip.read(first, scores[top : top + _ROWS])
        return strips, own

    def _products(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = len(self._queries), len(vectors)
        scores = self._scores[: rows * columns].reshape(rows, columns)
        if self._queries.dtype == np.float32:
            return np.matmul(self._queries, vectors.T, out=scores)
        scores[...] = self._queries @ vectors.astype(self._queries.dtype).T
        return scores


class _Scratch:
    """Memory that comparisons use again."""

    def __init__(self) -> None:
        self._bytes = np.zeros((_ROWS, _COLUMNS), dtype=np.bool_)
        self._copy = np.empty((_ROWS, _COLUMNS), dtype=np.float32)

    def where(
        self, compare: np.ufunc, scores: NDArray[np.float32], numbers: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Return where scores compare so with their row's number, ``[rows, 8192]``."""
        mask = self._bytes[: len(scores)]
        mask[:, scores.shape[1] :] = False
        compare(scores, numbers[:, None], out=mask[:, : scores.shape[1]])
        return mask

    def rows(self, scores: NDArray[np.float32], row: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of rows, at most 16."""
        copy = self._copy[: len(row), : scores.shape[1]]
        return np.take(scores, row, axis=0, out=copy, mode="clip")


class _Strip:
    """Counts of a few requests and their best, from blocks that come in the order of their items.

    After the first block only what is above the k-th best so far is looked at for the lists. That
    is settled anew whenever twice as many blocks have come, in which time a row finds about k.

    Args:
        rows: of a block.
        request: row of each relevant item, ascending.
        level: score of each.
        k: how many of the best are wanted.
        scratch: for comparisons.
    """

    def __init__(
        self,
        rows: int,
        request: NDArray[np.int64],
        level: NDArray[np.float32],
        k: int,
        scratch: _Scratch,
    ) -> None:
        self._rows, self._request, self._level, self._k = rows, request, level, k
        self._scratch = scratch
        self._greater = np.zeros(len(level), dtype=np.int32)
        self._tied = np.full(len(level), -1, dtype=np.int32)  # each is level with itself
        first = np.diff(request, prepend=-1) != 0
        # One score of each request is compared where the block lies, all others with copied rows.
        first &= np.count_nonzero(first) == rows
        self._firsts, self._others = np.flatnonzero(first), np.flatnonzero(~first)
        self._lowest = np.full(rows, -np.inf, dtype=np.float32)
        self._kept: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self._pending, self._read, self._settle = 0, 0, 1

    def read(self, first: int, scores: NDArray[np.float32]) -> None:
        """Take the columns from ``first``, ``[rows, columns]``."""
        if len(self._firsts):
            self._compare(self._firsts, scores)
        for start in range(0, len(self._others), _ROWS):
            some = self._others[start : start + _ROWS]
            self._compare(some, self._scratch.rows(scores, self._request[some]))
        if self._k:
            self._keep(first, scores)

    def _compare(self, which: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        level = self._level[which]
        self._greater[which] += true_by_row(self._scratch.where(np.greater, scores, level))
        self._tied[which] += true_by_row(self._scratch.where(np.equal, scores, level))

    def _keep(self, first: int, scores: NDArray[np.float32]) -> None:
        if first == 0:
            columns, values = top_k(scores, self._k)
            row, place = np.nonzero(columns != PAD)
            column, value = columns[row, place].astype(np.int64), values[row, place]
        else:
            above = self._scratch.where(np.greater, scores, self._lowest)
            row, column = np.divmod(np.flatnonzero(above), _COLUMNS)
            value = scores[row, column]
        self._kept.append((row, first + column, value))
        self._pending += len(row)
        self._read += 1
        if self._read == self._settle or self._pending > _PENDING:
            self._sort()
            self._settle = 2 * self._read

    def _sort(self) -> NDArray[np.int64]:
        """Keep the k best of each row, best first and equal ones by column; return their places."""
        row, column, value = (np.concatenate(each) for each in zip(*self._kept, strict=True))
        order = np.lexsort((column, -value, row))
        row = row[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = place < self._k
        order, row, place = order[kept], row[kept], place[kept]
        self._kept, self._pending = [(row, column[order], value[order])], 0
        last = place == self._k - 1
        self._lowest[row[last]] = value[order][last]
        return place

    def found(
        self,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Return ``greater``, ``tied``, and columns and scores of the best, ``[rows, k]``."""
        columns = np.full((self._rows, self._k), PAD, dtype=np.int32)
        best = np.full((self._rows, self._k), -np.inf, dtype=np.float32)
        if self._kept:
            place = self._sort()
            row, column, value = self._kept[0]
            columns[row, place], best[row, place] = column, value
        return self._greater, self._tied, columns, best
