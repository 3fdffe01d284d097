"""Coverage of the catalogue."""

from __future__ import annotations

import numpy as np

from benchmark.evaluation.metrics.family import ListMetric, TopLists

__all__ = ["COVERAGE"]


def _value(lists: TopLists) -> float:
    exposure = lists.exposure()
    return int(np.count_nonzero(exposure)) / len(exposure)


COVERAGE = ListMetric(
    name="coverage@10",
    summary="share of the catalogue that stands in any list",
    reference="Ge, Delgado-Battenfeld and Jannach 2010, RecSys, 'Beyond accuracy'",
    direction="higher",
    value=_value,
)
