"""Counting by comparison: how many candidates stand above a relevant item, how many level with it.

Nothing is sorted for a count. Scores are compared where they lie, a few rows at a time, and of rows
of a large catalogue a few columns, so that they are still in the processor's cache for their second
comparison and for the list of the best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import PAD
from benchmark.errors import BenchmarkError, DivergedError
from benchmark.top_k import GROUPS, Selection, top_k

__all__ = ["Places", "count_list", "count_scores"]

_AT_ONCE = 2**18
"""Scores compared at a time; they stay in the caches until they were read for the last time."""
_COLUMNS = 2**14
"""Columns compared at a time, at least, where a row is longer than :data:`_AT_ONCE`."""
_BYTE = 255
"""The most that a byte can count."""

_Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows and columns."""


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
    columns = _columns(width, k)
    step = max(1, _AT_ONCE // max(columns, 1))
    comparison = _Comparison(min(step, rows), columns)
    best = _Best(min(step, rows), columns, width, k)
    greater = np.zeros(len(request), dtype=np.int32)
    tied = np.full(len(request), -1, dtype=np.int32)  # each is level with itself
    listed = np.empty((rows, k), dtype=np.int32), np.empty((rows, k), dtype=np.float32)
    level = scores[request, column]
    starts = np.arange(0, rows + step, step)
    pairs, outs = np.searchsorted(request, starts), np.searchsorted(left_out, starts * width)
    for number, start in enumerate(starts[:-1].tolist()):
        block = scores[start : start + step]
        own = slice(pairs[number], pairs[number + 1])
        out = np.divmod(left_out[outs[number] : outs[number + 1]] - start * width, width)
        for first, gone in _pieces(width, columns, out):
            piece = block[:, first : first + columns]
            _check(piece, model, start, numbers)
            if len(gone[0]):
                piece = comparison.without(piece, gone)
            comparison.count(piece, request[own] - start, level[own], greater[own], tied[own])
            best.read(first, piece)
        best.fill(block, out, *(each[start : start + step] for each in listed))
    excluded = np.diff(np.searchsorted(left_out, np.arange(rows + 1) * width)).astype(np.int32)
    # What is left out has minus infinity, and so is no tie of a relevant item without score.
    never = np.isneginf(level)
    tied[never] -= excluded[request[never]]
    return Places(greater, tied, width - excluded, *listed)


def _columns(width: int, k: int) -> int:
    """Return how many columns are compared at a time: all, or a part of those of a long row."""
    columns = max(_COLUMNS, GROUPS * k)
    return width if width <= max(_AT_ONCE, 2 * columns) else columns


def _pieces(width: int, columns: int, out: _Pairs) -> Iterator[tuple[int, _Pairs]]:
    """Yield the first column of each piece, and rows and columns in it that are left out."""
    if columns >= width:
        yield 0, out
        return
    number = out[1] // columns
    order = np.argsort(number, kind="stable")
    firsts = range(0, width, columns)
    ends = np.searchsorted(number[order], np.arange(len(firsts) + 1))
    for piece, first in enumerate(firsts):
        these = order[ends[piece] : ends[piece + 1]]
        yield first, (out[0][these], out[1][these] - first)


def _check(
    scores: NDArray[np.float32], model: str, start: int, numbers: NDArray[np.int64] | None
) -> None:
    # The maximum is NaN where any score is, so one pass finds both faults.
    if scores.size and not scores.max() < np.inf:
        number = _number(start + np.flatnonzero(~(scores.max(axis=1) < np.inf)), numbers)
        raise DivergedError(f"{model}: request {number} has a score that is NaN or infinite")


def _number(rows: NDArray[np.integer], numbers: NDArray[np.int64] | None) -> int:
    """Return the number of the first of these requests."""
    return int(rows[0] if numbers is None else numbers[rows[0]])


class _Best:
    """Lists the best of blocks that come piece by piece.

    Args:
        rows: of a block, at most.
        columns: of a piece.
        width: of the block.
        k: how many of the best.
    """

    def __init__(self, rows: int, columns: int, width: int, k: int) -> None:
        self._k = k
        self._whole: NDArray[np.float32] | None = None
        self._selection = Selection(rows, columns) if 0 < k and columns < width else None

    def read(self, first: int, piece: NDArray[np.float32]) -> None:
        """Take the columns from ``first``, those that are left out at minus infinity."""
        if self._selection is None:
            self._whole = piece
        else:
            self._selection.read(first, piece)

    def fill(
        self,
        block: NDArray[np.float32],
        out: _Pairs,
        items: NDArray[np.int32],
        best: NDArray[np.float32],
    ) -> None:
        """Fill ``items`` and ``best`` (``[rows, k]``) from the block whose pieces were read."""
        if self._selection is not None:
            items[...], best[...] = PAD, -np.inf
            self._selection.sorted_few(block, items, best, out)
        elif self._whole is not None:
            items[...], best[...] = top_k(self._whole, self._k)


class _Comparison:
    """Compares pieces of scores with those of relevant items, in memory that is used again.

    Args:
        rows: of a piece, at most.
        width: number of its candidates, at most.
    """

    def __init__(self, rows: int, width: int) -> None:
        self._rows, self._width = rows, width
        self._copy = np.empty((0, width), dtype=np.float32)
        self._repeated = np.empty((0, width), dtype=np.float32)
        words = -(-width // 8)
        self._bytes = np.zeros((rows, 8 * words), dtype=np.bool_)
        self._parts = np.arange(0, words, _BYTE)

    def without(self, piece: NDArray[np.float32], out: _Pairs) -> NDArray[np.float32]:
        """Return a copy of the piece with minus infinity at the rows and columns ``out``."""
        if len(self._copy) == 0:
            self._copy = np.empty((self._rows, self._width), dtype=np.float32)
        copy = self._copy[: len(piece), : piece.shape[1]]
        copy[...] = piece
        copy[out] = -np.inf
        return copy

    def count(
        self,
        piece: NDArray[np.float32],
        row: NDArray[np.int64],
        level: NDArray[np.float32],
        greater: NDArray[np.int32],
        tied: NDArray[np.int32],
    ) -> None:
        """Add to ``greater`` and ``tied`` what the piece holds above a score, and level with it.

        Args:
            piece: ``[rows, candidates]``.
            row: of each score, ``[n]``, ascending.
            level: the scores, ``[n]``.
            greater: ``[n]``, changed.
            tied: likewise.
        """
        self._bytes[:, piece.shape[1] :] = False
        first = np.flatnonzero(np.diff(row, prepend=-1))
        if len(first) == len(piece):
            self._compare(piece, level, greater, tied, first)
            rest = np.flatnonzero(np.diff(row, prepend=-1) == 0)
        else:
            rest = np.arange(len(row))
        if len(rest) and len(self._repeated) == 0:
            self._repeated = np.empty((self._rows, self._width), dtype=np.float32)
        for start in range(0, len(rest), self._rows):
            some = rest[start : start + self._rows]
            repeated = self._repeated[: len(some), : piece.shape[1]]
            np.take(piece, row[some], axis=0, out=repeated, mode="clip")
            self._compare(repeated, level, greater, tied, some)

    def _compare(
        self,
        scores: NDArray[np.float32],
        level: NDArray[np.float32],
        greater: NDArray[np.int32],
        tied: NDArray[np.int32],
        which: NDArray[np.int64],
    ) -> None:
        """Compare each row of scores with the level of ``which``."""
        mask = self._bytes[: len(scores), : scores.shape[1]]
        own = level[which][:, None]
        np.greater(scores, own, out=mask)
        greater[which] += self._true(len(scores))
        np.equal(scores, own, out=mask)
        tied[which] += self._true(len(scores))

    def _true(self, rows: int) -> NDArray[np.int32]:
        """Return how many places of each row of the mask are true.

        Eight bytes are added as one word; no byte overflows within 255 words.
        """
        words = self._bytes[:rows].view(np.uint64)
        sums = np.add.reduceat(words, self._parts, axis=1)
        return sums.view(np.uint8).sum(axis=1, dtype=np.int32)


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
