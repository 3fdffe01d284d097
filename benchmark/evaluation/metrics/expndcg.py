"""NDCG with exponential gain, as web search and recommender papers often have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.family import Family
from benchmark.evaluation.metrics.ndcg import normalised_dcg

__all__ = ["EXPNDCG"]


def _gains(counts: Counts) -> NDArray[np.float64]:
    """Return 2^grade - 1 over 2^(best grade of the request): large grades stay finite."""
    best = np.zeros(counts.requests)
    np.maximum.at(best, counts.request, counts.gain)
    best = best[counts.request]
    return np.exp2(counts.gain - best) - np.exp2(-best)


EXPNDCG = Family(
    name="expndcg",
    title="expnDCG",
    aliases=("nDCG(dcg='exp-log2')",),
    summary="as nDCG@{k}, with gain 2^grade - 1; equal to it where all grades are 1",
    reference="Burges et al. 2005, ICML, 'Learning to rank using gradient descent'",
    expected=lambda counts, cutoff: normalised_dcg(counts, _gains(counts), cutoff),
    cutoffs=(),
)
