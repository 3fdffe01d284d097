"""NDCG with exponential gain, as web search and recommender papers often have it."""

from __future__ import annotations

import numpy as np

from benchmark.evaluation.metrics.family import Family
from benchmark.evaluation.metrics.ndcg import normalised_dcg

__all__ = ["EXPNDCG"]

EXPNDCG = Family(
    name="expndcg",
    title="expnDCG",
    aliases=("nDCG(dcg='exp-log2')",),
    summary="as nDCG@{k}, with gain 2^grade - 1; equal to it where all grades are 1",
    reference="Burges et al. 2005, ICML, 'Learning to rank using gradient descent'",
    expected=lambda counts, cutoff: normalised_dcg(counts, np.exp2(counts.gain) - 1.0, cutoff),
    cutoffs=(),
)
