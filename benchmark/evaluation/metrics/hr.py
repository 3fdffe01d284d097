"""Hit rate, trec_eval's ``success``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.family import Family

__all__ = ["HR"]


def _expected(counts: Counts, cutoff: int) -> NDArray[np.float64]:
    """Sum the probabilities that the first relevant item stands at rank 1, 2, … cutoff."""
    groups = counts.tie_groups.first()
    hit = np.zeros(len(groups.size))
    for place, chance in groups.first_relevant_at(cutoff):
        hit += np.where(groups.greater + place <= cutoff, chance, 0.0)
    # A group that ends within the cutoff holds it for certain.
    certain = groups.greater + groups.size <= cutoff
    hit = np.where(certain, 1.0, np.minimum(hit, 1.0))
    return groups.sums(hit, counts.requests)


HR = Family(
    name="hr",
    title="Success",
    aliases=("HitRate", "Hit"),
    summary="1 if a relevant item is among the first {k}, else 0",
    reference="trec_eval success",
    expected=_expected,
)
