"""Average precision, trec_eval's ``map_cut``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.family import Family
from benchmark.evaluation.tie_groups import sum_over_ranks

__all__ = ["MAP"]


def _expected(counts: Counts, cutoff: int) -> NDArray[np.float64]:
    """Sum the expected precision at relevant ranks.

    Place p of a group of s with r relevant items is relevant with probability r / s, and the places
    in front of it then hold (p - 1) (r - 1) / (s - 1) relevant items on average, so that the sum of
    (before + 1 + (p - 1) (r - 1) / (s - 1)) / (greater + p) over the places splits into a sum of
    1 / rank and a number of ranks.
    """
    groups = counts.tie_groups
    ranks = np.arange(1.0, cutoff + 1.0)
    reciprocals = sum_over_ranks(1.0 / ranks, groups.greater, groups.size)
    places = sum_over_ranks(np.ones(cutoff), groups.greater, groups.size)
    density = (groups.relevant - 1) / np.maximum(groups.size - 1, 1)
    precisions = (groups.before + 1 - density * (groups.greater + 1)) * reciprocals
    precisions += density * places
    total = groups.sums(groups.relevant / groups.size * precisions, counts.requests)
    return total / np.maximum(counts.relevant, 1)


MAP = Family(
    name="map",
    title="AP",
    summary="sum of precision at relevant ranks up to {k}, over the number of relevant items",
    reference="trec_eval map_cut",
    expected=_expected,
)
