"""The means that a record states, held against its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import METRICS, compute

__all__ = ["check_means"]

Columns = Mapping[str, NDArray[Any]]
"""``request, gain, greater, tied, candidates`` of each relevant item, ``[rows]``."""

_CUTOFF = max(metric.cutoff for metric in METRICS.values())
_ROUNDING = 1e-9


def check_means(stated: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Columns]) -> None:
    """Compare the means of each task and protocol with what its rows give.

    Metrics that this version does not know are left alone.

    Args:
        stated: means by metric, and ``requests``, by task and protocol.
        asked: the rows, by the same.

    Raises:
        BenchmarkError: they differ by more than rounding, or the number of requests does.
    """
    parts: list[Counts] = []
    weights: list[NDArray[np.float64]] = []
    for name, columns in asked.items():
        counts, told = Counts.of_table(columns), stated[name]["requests"]
        if told != counts.requests:
            raise BenchmarkError(f"{name}: states {told} requests and has {counts.requests}")
        kinds, sizes = _kinds(counts)
        parts.append(replace(kinds, request=kinds.request + sum(w.size for w in weights)))
        weights.append(sizes / max(counts.requests, 1))
    if not parts:
        return
    owner, weight = (
        np.repeat(np.arange(len(parts)), [w.size for w in weights]),
        np.concatenate(weights),
    )
    names = [name for name in METRICS if any(name in means for means in stated.values())]
    for metric, values in compute(Counts.concatenate(parts), names).items():
        found = np.bincount(owner, values * weight, minlength=len(parts)).tolist()
        for name, mean in zip(asked, found, strict=True):
            told = stated[name].get(metric, mean)
            if told is None or abs(mean - told) > _ROUNDING:
                raise BenchmarkError(f"{name}: states {metric} {told}, its rows give {mean}")


def _kinds(counts: Counts) -> tuple[Counts, NDArray[np.int64]]:
    """Return each kind of request once, and how many there are, ``[kinds]``.

    Requests with a single relevant item at the same place count the same, and so do all that have
    it beyond every cutoff or nowhere. This makes the means of many requests cheap.
    """
    if counts.requests < len(counts.request):
        return counts, np.ones(counts.requests, dtype=np.int64)
    far = (counts.greater >= np.minimum(counts.candidates, _CUTOFF)) | (counts.gain <= 0)
    places = np.where(far, _CUTOFF, counts.greater).astype(np.int64)
    pairs, weights = np.unique(places << 32 | np.where(far, 0, counts.tied), return_counts=True)
    greater, tied = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    number = np.arange(len(pairs))
    return Counts(number, np.ones(len(pairs)), greater, tied, greater + tied + 1), weights
