"""Counts as counts: how many candidates stand above the relevant item, how many level with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import PAD
from benchmark.errors import BenchmarkError

__all__ = ["Counts", "ranks_from_scores", "ranks_from_top"]


@dataclass(frozen=True)
class Counts:
    """The rank of each request's relevant item.

    Attributes:
        greater: int32 ``[requests]``, candidates scored strictly above it.
        tied: int32 ``[requests]``, other candidates scored equal to it.
        candidates: int32 ``[requests]``, all candidates, the relevant item included.
    """

    greater: NDArray[np.int32]
    tied: NDArray[np.int32]
    candidates: NDArray[np.int32]


def ranks_from_scores(
    scores: NDArray[np.float32],
    target: NDArray[np.integer],
    left_out: NDArray[np.bool_] | None = None,
    model: str = "model",
) -> Counts:
    """Count from the scores of all candidates.

    Args:
        scores: ``[requests, candidates]``; minus infinity where nothing was produced.
        target: column of the relevant item, ``[requests]``.
        left_out: ``[requests, candidates]``, columns that are no candidates of a request; the
            relevant item is one even so.
        model: named in errors.

    Raises:
        BenchmarkError: a score is NaN or plus infinity.
    """
    # The maximum is NaN where any score is, so one pass finds both faults.
    if scores.size and not scores.max() < np.inf:
        row = int(np.flatnonzero(~(scores.max(axis=1) < np.inf))[0])
        raise BenchmarkError(f"{model}: request {row} has a score that is NaN or infinite")
    rows = np.arange(len(scores))
    own = scores[rows, target][:, None]
    above, level = scores > own, scores == own
    size = np.full(len(scores), scores.shape[1], dtype=np.int32)
    if left_out is not None:
        kept = ~left_out
        kept[rows, target] = True
        above, level = above & kept, level & kept
        size = kept.sum(axis=1, dtype=np.int32)
    return Counts(
        greater=above.sum(axis=1, dtype=np.int32),
        tied=level.sum(axis=1, dtype=np.int32) - 1,
        candidates=size,
    )


def ranks_from_top(
    items: NDArray[np.integer],
    scores: NDArray[np.float32],
    target: NDArray[np.integer],
    candidates: NDArray[np.integer],
    model: str = "model",
) -> Counts:
    """Count from the best items only; all that are not listed are tied behind them.

    Args:
        items: ``[requests, k]``, distinct, ``PAD`` where there was none.
        scores: ``[requests, k]``.
        target: the relevant item, ``[requests]``.
        candidates: number of candidates of each request.
        model: named in errors.

    Raises:
        BenchmarkError: a score is NaN or infinite, or an item is listed twice.
    """
    real = items != PAD
    bad = real & ~np.isfinite(scores)
    if bad.any():
        row = int(np.flatnonzero(bad.any(axis=1))[0])
        raise BenchmarkError(f"{model}: request {row} has a retrieved item without finite score")
    ordered = np.sort(np.where(real, items, -1 - np.arange(items.shape[1])), axis=1)
    twice = (np.diff(ordered, axis=1) == 0).any(axis=1)
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise BenchmarkError(f"{model}: request {row} has an item retrieved twice")
    hit = items == target[:, None]
    found = hit.any(axis=1)
    own = np.where(found, np.where(hit, scores, -np.inf).max(axis=1), -np.inf)[:, None]
    listed = real.sum(axis=1)
    greater = np.where(found, (real & (scores > own)).sum(axis=1), listed)
    level = (real & (scores == own)).sum(axis=1)
    tied = np.where(found, level, candidates - listed) - 1
    return Counts(
        greater.astype(np.int32), tied.astype(np.int32), np.asarray(candidates, dtype=np.int32)
    )
