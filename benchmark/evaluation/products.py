"""Counting from vectors: a large catalogue is multiplied and compared a few items at a time.

The scores of a million items for a few hundred requests fill a gigabyte, and to write and read
memory that far from the processor takes longer than to multiply. Here a block of scores stays in
the processor's caches until all was read of it that is wanted, and is then written over.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import PAD
from benchmark.errors import BenchmarkError
from benchmark.evaluation.counting import Places, check_scores

__all__ = ["count_products", "largest_of"]

_ITEMS = 240
"""Items multiplied at a time; a byte can count them, and with a thousand requests their scores take
a megabyte."""
_TIMES = 4
"""How often all is counted at most; the first time does nearly always."""
_PENDING = 2**20
"""Scores that are kept at most until it is decided which are among the best."""


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
) -> tuple[Places, float]:
    """Count from the inner products of requests' and items' vectors, and time these products.

    What is counted are the scores of all blocks, as if they stood in one matrix. A relevant item's
    own score is needed before its block comes, so it is multiplied beforehand at the place that it
    has there, on which the last digits of a product hang. Where they are others all the same, all
    is counted once more by the block's.

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

    Returns:
        The places, and the seconds of the products alone, which are what another model's scores
        would take; counting is the harness's.

    Raises:
        DivergedError: a product is NaN or plus infinity.
        BenchmarkError: the same product comes to something else each time.
    """
    rows = np.arange(len(queries)) if numbers is None else numbers
    bound = largest_of(queries) * (largest_of(vectors) if largest is None else largest)
    blocks = _Blocks(queries, vectors, left_out)
    if not bound * queries.shape[1] < float(np.finfo(np.float32).max):
        blocks.check(model, rows)
    level = blocks.scores_of(request, item)
    for _ in range(_TIMES):
        levels, best, own = blocks.count(request, item, level, k)
        if (own == level).all():
            break
        level = own
    else:
        raise BenchmarkError(
            "the same product of matrices is another one each time on this machine"
        )
    never = np.isneginf(level)  # and so is whatever is left out, which is no tie
    levels.tied[never] -= blocks.excluded[request[never]]
    candidates = len(vectors) - blocks.excluded
    return Places(levels.greater, levels.tied, candidates, *best.lists()), blocks.seconds


def largest_of(vectors: NDArray[np.floating]) -> float:
    """Return the largest absolute value, NaN where there is one: a bound for all products."""
    return max(float(vectors.max(initial=0)), -float(vectors.min(initial=0)))


class _Blocks:
    """The scores of requests, ``[items, requests]``, a few items at a time in the same memory.

    Attributes:
        excluded: how many items of each request are no candidates, int32 ``[requests]``.
        seconds: that all products took so far.
    """

    def __init__(
        self,
        queries: NDArray[np.floating],
        vectors: NDArray[np.float32],
        left_out: NDArray[np.int64],
    ) -> None:
        self._queries, self._vectors, self.seconds = queries, vectors, 0.0
        rows, items = len(queries), len(vectors)
        self._memory = np.empty(_ITEMS * rows, dtype=np.float32)
        self._starts = np.arange(-(-items // _ITEMS) + 1) * _ITEMS
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
                scores = self._products(self._vectors[first : first + _ITEMS])
            check_scores(scores.T, model, 0, numbers)

    def scores_of(
        self, request: NDArray[np.int64], item: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Return the score of each pair, multiplied at the place that it has in its block."""
        level = np.empty(len(item), dtype=np.float32)
        items = len(self._vectors)
        distinct, which = np.unique(item, return_inverse=True)
        place = distinct % _ITEMS
        tail = items - items % _ITEMS  # the last block has another shape, and is taken as it is
        turn = np.where(distinct < tail, _turns(place), -1)
        order = np.argsort(turn[which], kind="stable")
        block = np.zeros((_ITEMS, self._vectors.shape[1]), dtype=self._vectors.dtype)
        for number in range(-1, int(turn.max(initial=-1)) + 1):
            pairs = order[slice(*np.searchsorted(turn[which][order], [number, number + 1]))]
            if len(pairs) == 0:
                continue
            if number >= 0:
                these = np.flatnonzero(turn == number)
                block[place[these]] = self._vectors[distinct[these]]
            scores = self._products(self._vectors[tail:] if number < 0 else block)
            level[pairs] = scores[place[which[pairs]], request[pairs]]
        return level

    def count(
        self,
        request: NDArray[np.int64],
        item: NDArray[np.integer],
        level: NDArray[np.float32],
        k: int,
    ) -> tuple[_Levels, _Best, NDArray[np.float32]]:
        """Return the counts by ``level``, the best, and the scores of the items in their blocks."""
        rows = len(self._queries)
        levels, best, own = _Levels(rows, request, level), _Best(rows, k), np.empty_like(level)
        order = np.argsort(item, kind="stable")
        ends = np.searchsorted(item[order], self._starts)
        for number, first in enumerate(self._starts[:-1].tolist()):
            scores = self._products(self._vectors[first : first + _ITEMS])
            these = order[ends[number] : ends[number + 1]]
            own[these] = scores[item[these] - first, request[these]]
            out = slice(self._outs[number], self._outs[number + 1])
            scores[self._out[1][out] - first, self._out[0][out]] = -np.inf
            levels.read(scores)
            best.read(first, scores)
        return levels, best, own

    def _products(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        started = time.perf_counter()
        shape = len(vectors), len(self._queries)
        scores = self._memory[: shape[0] * shape[1]].reshape(shape)
        if self._queries.dtype == np.float32:
            np.matmul(vectors, self._queries.T, out=scores)
        else:
            scores[...] = vectors.astype(self._queries.dtype) @ self._queries.T
        self.seconds += time.perf_counter() - started
        return scores


def _turns(place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each place how many equal ones stand before it."""
    order = np.argsort(place, kind="stable")
    turn = np.empty_like(order)
    turn[order] = np.arange(len(order)) - np.searchsorted(place[order], place[order])
    return turn


class _Mask:
    """Compares the scores of requests with a number each, in memory that is used again."""

    def __init__(self, rows: int) -> None:
        self._memory = np.empty(_ITEMS * rows, dtype=np.bool_)

    def where(
        self, compare: np.ufunc, scores: NDArray[np.float32], numbers: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Return where the comparison holds, in the shape of the scores."""
        mask = self._memory[: scores.size].reshape(scores.shape)
        compare(scores, numbers, out=mask)
        return mask

    def count(
        self, compare: np.ufunc, scores: NDArray[np.float32], numbers: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return for how many items of each request it holds; there are at most 255."""
        mask = self.where(compare, scores, numbers)
        held: NDArray[np.uint8] = np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8)
        return held


class _Levels:
    """Counts what stands above the scores of relevant items, and what is level with them.

    Args:
        rows: number of requests.
        request: of each score, ascending.
        level: the scores.

    Attributes:
        greater: int32, for each score.
        tied: likewise; without the item itself.
    """

    def __init__(self, rows: int, request: NDArray[np.int64], level: NDArray[np.float32]) -> None:
        self.greater = np.zeros(len(level), dtype=np.int32)
        self.tied = np.full(len(level), -1, dtype=np.int32)
        self._rows, self._request, self._level = rows, request, level
        first = np.diff(request, prepend=-1) != 0
        # One score of each request is compared where the block lies, all others with copies.
        first &= np.count_nonzero(first) == rows
        self._firsts, self._others = np.flatnonzero(first), np.flatnonzero(~first)
        self._mask, self._copy = _Mask(rows), np.empty(_ITEMS * rows, dtype=np.float32)

    def read(self, scores: NDArray[np.float32]) -> None:
        """Take the next block, ``[items, requests]``."""
        if len(self._firsts):
            self._compare(self._firsts, scores)
        for start in range(0, len(self._others), self._rows):
            some = self._others[start : start + self._rows]
            copy = self._copy[: len(scores) * len(some)].reshape(len(scores), len(some))
            np.take(scores, self._request[some], axis=1, out=copy, mode="clip")
            self._compare(some, copy)

    def _compare(self, which: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        level = self._level[which]
        self.greater[which] += self._mask.count(np.greater, scores, level)
        self.tied[which] += self._mask.count(np.equal, scores, level)


class _Best:
    """The best of blocks that come in the order of their items.

    After the first block only what is above the k-th best so far is looked at. That is settled anew
    whenever twice as many blocks have come, in which time a request finds about k such scores.

    Args:
        rows: number of requests.
        k: how many of the best are wanted.
    """

    def __init__(self, rows: int, k: int) -> None:
        self._rows, self._k = rows, k
        self._lowest = np.full(rows, -np.inf, dtype=np.float32)
        self._kept: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self._pending, self._read, self._settle = 0, 0, 1
        self._mask = _Mask(rows)

    def read(self, first: int, scores: NDArray[np.float32]) -> None:
        """Take the items from ``first``, ``[items, requests]``."""
        if self._k == 0:
            return
        above = self._mask.where(np.greater, scores, self._lowest)
        column, row = np.divmod(np.flatnonzero(above), self._rows)
        self._kept.append((row, first + column, scores[column, row]))
        self._pending += len(row)
        self._read += 1
        if self._read == self._settle or self._pending > _PENDING:
            self._sort()
            self._settle = 2 * self._read

    def _sort(self) -> NDArray[np.int64]:
        """Keep the k best of each row, best first and equal ones by item; return their places."""
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

    def lists(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the items and scores of the best, ``[rows, k]``; see :class:`Places`."""
        columns = np.full((self._rows, self._k), PAD, dtype=np.int32)
        best = np.full((self._rows, self._k), -np.inf, dtype=np.float32)
        if self._kept:
            place = self._sort()
            row, column, value = self._kept[0]
            columns[row, place], best[row, place] = column, value
        return columns, best
