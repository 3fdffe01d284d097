"""Recall, trec_eval's ``recall``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics.family import Family
from benchmark.evaluation.tie_groups import sum_over_ranks

__all__ = ["RECALL"]


def _expected(counts: Counts, cutoff: int) -> NDArray[np.float64]:
    groups = counts.tie_groups
    places = sum_over_ranks(np.ones(cutoff), groups.greater, groups.size)
    listed = groups.sums(groups.relevant * places / groups.size, counts.requests)
    return listed / np.maximum(counts.relevant, 1)


RECALL = Family(
    name="recall",
    title="R",
    aliases=("Recall",),
    summary="share of the relevant items among the first {k}",
    reference="trec_eval recall",
    expected=_expected,
)
