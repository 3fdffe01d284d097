"""Reciprocal rank, trec_eval's ``recip_rank`` with a cutoff."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.family import Family

__all__ = ["MRR"]


def _expected(counts: Counts, cutoff: int) -> NDArray[np.float64]:
    groups = counts.tie_groups.first()
    reciprocal = np.zeros(len(groups.size))
    for place, chance in groups.first_relevant_at(cutoff):
        rank = groups.greater + place
        reciprocal += np.where(rank <= cutoff, chance / rank, 0.0)
    return groups.sums(reciprocal, counts.requests)


MRR = Family(
    name="mrr",
    title="RR",
    aliases=("recip_rank",),
    summary="1 / rank of the first relevant item, 0 beyond rank {k}",
    reference="Voorhees 1999, TREC-8 question answering track; trec_eval recip_rank",
    expected=_expected,
)
