"""NDCG with linear gain, trec_eval's ``ndcg_cut``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.family import Family
from benchmark.evaluation.tie_groups import sum_over_ranks

__all__ = ["NDCG", "normalised_dcg"]


def normalised_dcg(counts: Counts, gains: NDArray[np.float64], cutoff: int) -> NDArray[np.float64]:
    """Return the expected DCG over the DCG of the best order of all relevant items, ``[requests]``.

    DCG is linear, so each item adds its gain times its mean discount over the ranks of its tie.

    Args:
        counts: the places of the relevant items.
        gains: the gain of each row, ``[rows]``.
        cutoff: ranks beyond it count nothing.
    """
    discounts = 1.0 / np.log2(np.arange(2.0, cutoff + 2.0))
    size = counts.tied.astype(np.int64) + 1
    share = sum_over_ranks(discounts, counts.greater, size) / size
    reached = counts.sums(np.where(counts.greater < counts.candidates, gains * share, 0.0))
    order = np.lexsort((-gains, counts.request))
    starts = np.searchsorted(counts.request, np.arange(counts.requests))
    place = np.arange(len(gains)) - starts[counts.request]
    ideal = counts.sums(gains[order] * sum_over_ranks(discounts, place, np.ones_like(place)))
    # The sums add in different orders, so a perfect list could stand a digit above 1.
    return np.minimum(reached / np.where(ideal > 0, ideal, 1.0), 1.0)


NDCG = Family(
    name="ndcg",
    title="nDCG",
    summary="sum of grade / log2(rank + 1) up to rank {k}, over that of the best order",
    reference="Järvelin and Kekäläinen 2002, ACM TOIS 20(4); trec_eval ndcg_cut",
    expected=lambda counts, cutoff: normalised_dcg(counts, counts.gain, cutoff),
)
