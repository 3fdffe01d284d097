"""Gini index of exposure."""

from __future__ import annotations

from benchmark.data.shape import gini
from benchmark.evaluation.metrics.family import ListMetric, TopLists

__all__ = ["GINI"]


def _value(lists: TopLists) -> float:
    """Return 0 where all items are shown alike, near 1 where one item fills all lists."""
    return gini(lists.exposure())


GINI = ListMetric(
    name="gini@10",
    summary="inequality of exposure over the whole catalogue: 0 even, 1 all on one item",
    reference="Fleder and Hosanagar 2009, Management Science 55(5); Sun et al. 2020 (DaisyRec)",
    direction="lower",
    value=_value,
)
