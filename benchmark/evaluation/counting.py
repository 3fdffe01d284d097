"""Counting by comparison: how many candidates stand above a relevant item, how many level with it.

Nothing is sorted for a count. Scores are compared where they lie, a few rows at a time, so that a
row is still in the processor's cache for its second comparison and for the list of its best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import PAD
from benchmark.errors import BenchmarkError, DivergedError
from benchmark.top_k import top_k

__all__ = ["Places", "check_scores", "count_list", "count_scores"]

_AT_ONCE = 2**18
"""Scores compared at a time; they stay in the caches until they were read for the last time."""
_BYTE = 255
"""The most that a byte can count."""


@dataclass(frozen=True)
class Places:
    """Where relevant items stand, and the best candidates.

    Attributes:
        greater: int32 ``[rows]``, other candidates scored strictly above the relevant item.
        tied: int32 ``[rows]``, other candidates scored equal to it.
        candidates: int32 ``[requests]``, how many there are.
        columns: int32 ``[requests, k]``, the best candidates, best first, ``PAD`` where none.
        scores: float32 ``[requests, k]``, their scores, minus infinity where none.
    """

    greater: NDArray[np.int32]
    tied: NDArray[np.int32]
    candidates: NDArray[np.int32]
    columns: NDArray[np.int32]
    scores: NDArray[np.float32]


def count_scores(
    scores: NDArray[np.float32],
    request: NDArray[np.int64],
    column: NDArray[np.integer],
    left_out: NDArray[np.int64],
    k: int,
    model: str = "model",
    numbers: NDArray[np.int64] | None = None,
) -> Places:
    """Count from the scores of all candidates.

    Args:
        scores: ``[requests, candidates]``; minus infinity where nothing was produced. Rows may
            share memory, as those of a broadcast array do; nothing is written to it.
        request: row of each relevant item, ``[rows]``, ascending.
        column: column of each relevant item, ``[rows]``.
        left_out: places of ``scores`` that are no candidates, as ``request * candidates + column``,
            ascending and distinct. No relevant item is among them.
        k: how many of the best to list.
        model: named in errors.
        numbers: of the requests, for errors, ``[requests]``; 0, 1, … without.

    Raises:
        DivergedError: a score is NaN or plus infinity.
    """
    rows, width = scores.shape
    step = max(1, _AT_ONCE // max(width, 1))
    comparison = _Comparison(min(step, rows), width)
    greater = np.empty(len(request), dtype=np.int32)
    tied = np.empty(len(request), dtype=np.int32)
    columns = np.empty((rows, k), dtype=np.int32)
    best = np.empty((rows, k), dtype=np.float32)
    starts = np.arange(0, rows + step, step)
    pairs, outs = np.searchsorted(request, starts), np.searchsorted(left_out, starts * width)
    for number, start in enumerate(starts[:-1].tolist()):
        block = scores[start : start + step]
        check_scores(block, model, start, numbers)
        own = slice(pairs[number], pairs[number + 1])
        out = left_out[outs[number] : outs[number + 1]] - start * width
        if len(out):
            block = comparison.without(block, out)
        comparison.count(block, request[own] - start, column[own], greater[own], tied[own])
        columns[start : start + step], best[start : start + step] = top_k(block, k)
    excluded = np.diff(np.searchsorted(left_out, np.arange(rows + 1) * width)).astype(np.int32)
    # What is left out has minus infinity, and so is no tie of a relevant item without score.
    never = np.isneginf(scores[request, column])
    tied[never] -= excluded[request[never]]
    return Places(greater, tied, width - excluded, columns, best)


def check_scores(
    scores: NDArray[np.float32], model: str, start: int, numbers: NDArray[np.int64] | None
) -> None:
    """Refuse a score that is NaN or plus infinity.

    Args:
        scores: ``[requests, candidates]``.
        model: named in the error.
        start: the place of the first request in ``numbers``.
        numbers: of the requests; 0, 1, … without.

    Raises:
        DivergedError: there is one.
    """
    # The maximum is NaN where any score is, so one pass finds both faults.
    if scores.size and not scores.max() < np.inf:
        number = _number(start + np.flatnonzero(~(scores.max(axis=1) < np.inf)), numbers)
        raise DivergedError(f"{model}: request {number} has a score that is NaN or infinite")


def _number(rows: NDArray[np.integer], numbers: NDArray[np.int64] | None) -> int:
    """Return the number of the first of these requests."""
    return int(rows[0] if numbers is None else numbers[rows[0]])


class _Comparison:
    """Compares blocks of scores with those of relevant items, in memory that is used again.

    Args:
        rows: of a block, at most.
        width: number of candidates.
    """

    def __init__(self, rows: int, width: int) -> None:
        self._rows, self._width = rows, width
        self._copy = np.empty((0, width), dtype=np.float32)
        self._repeated = np.empty((0, width), dtype=np.float32)
        words = -(-width // 8)
        self._bytes = np.zeros((rows, 8 * words), dtype=np.bool_)
        self._parts = np.arange(0, words, _BYTE)

    def without(self, block: NDArray[np.float32], out: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return a copy of the block with minus infinity at the places ``out``."""
        if len(self._copy) == 0:
            self._copy = np.empty((self._rows, self._width), dtype=np.float32)
        copy = self._copy[: len(block)]
        copy[...] = block
        copy.reshape(-1)[out] = -np.inf
        return copy

    def count(
        self,
        block: NDArray[np.float32],
        row: NDArray[np.int64],
        column: NDArray[np.integer],
        greater: NDArray[np.int32],
        tied: NDArray[np.int32],
    ) -> None:
        """Fill ``greater`` and ``tied`` for the relevant items at ``row`` and ``column``."""
        own = block[row, column][:, None]
        if len(row) == len(block) and row[0] == 0 and (row[1:] > row[:-1]).all():
            self._compare(block, own, greater, tied)
            return
        if len(self._repeated) == 0:
            self._repeated = np.empty((self._rows, self._width), dtype=np.float32)
        for start in range(0, len(row), self._rows):
            part = slice(start, start + self._rows)
            repeated = self._repeated[: len(row[part])]
            np.take(block, row[part], axis=0, out=repeated, mode="clip")
            self._compare(repeated, own[part], greater[part], tied[part])

    def _compare(
        self,
        scores: NDArray[np.float32],
        own: NDArray[np.float32],
        greater: NDArray[np.int32],
        tied: NDArray[np.int32],
    ) -> None:
        mask = self._bytes[: len(scores), : self._width]
        np.greater(scores, own, out=mask)
        greater[...] = self._true(len(scores))
        np.equal(scores, own, out=mask)
        tied[...] = self._true(len(scores)) - 1

    def _true(self, rows: int) -> NDArray[np.int64]:
        """Return how many places of each row of the mask are true.

        Eight bytes are added as one word; no byte overflows within 255 words.
        """
        words = self._bytes[:rows].view(np.uint64)
        sums = np.add.reduceat(words, self._parts, axis=1)
        return sums.view(np.uint8).sum(axis=1, dtype=np.int64)


def count_list(
    items: NDArray[np.integer],
    scores: NDArray[np.float32],
    request: NDArray[np.int64],
    item: NDArray[np.integer],
    candidates: NDArray[np.integer],
    model: str = "model",
    numbers: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Count from a list of the best only; all candidates that are not listed are tied behind them.

    Args:
        items: ``[requests, k]``, distinct, ``PAD`` where there was none.
        scores: ``[requests, k]``.
        request: row of each relevant item, ``[rows]``.
        item: the relevant item, ``[rows]``.
        candidates: number of candidates of each request, ``[requests]``.
        model: named in errors.
        numbers: of the requests, for errors, ``[requests]``; 0, 1, … without.

    Returns:
        ``greater`` and ``tied`` of each relevant item, int32 ``[rows]``.

    Raises:
        DivergedError: a score is NaN or infinite.
        BenchmarkError: an item is listed twice.
    """
    real = items != PAD
    bad = (real & ~np.isfinite(scores)).any(axis=1)
    if bad.any():
        number = _number(np.flatnonzero(bad), numbers)
        told = f"{model}: request {number} has a retrieved item without finite score"
        raise DivergedError(told)
    ordered = np.sort(np.where(real, items, -1 - np.arange(items.shape[1])), axis=1)
    twice = (np.diff(ordered, axis=1) == 0).any(axis=1)
    if twice.any():
        number = _number(np.flatnonzero(twice), numbers)
        raise BenchmarkError(f"{model}: request {number} has an item retrieved twice")
    scores = np.where(real, scores, -np.inf)[request]
    hit = items[request] == item[:, None]
    own = np.where(hit, scores, -np.inf).max(axis=1, initial=-np.inf)
    listed = real.sum(axis=1)[request]
    level = np.where(
        np.isfinite(own), (scores == own[:, None]).sum(axis=1), candidates[request] - listed
    )
    greater = (scores > own[:, None]).sum(axis=1)
    return greater.astype(np.int32), (level - 1).astype(np.int32)
