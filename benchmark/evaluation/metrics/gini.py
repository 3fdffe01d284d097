"""Gini index of exposure."""

from __future__ import annotations

import numpy as np

from benchmark.evaluation.metrics.family import ListMetric, TopLists

__all__ = ["GINI"]


def _value(lists: TopLists) -> float:
    """Return 0 where all items are shown alike, near 1 where one item fills all lists."""
    exposure = np.sort(lists.exposure()).astype(np.float64)
    items, shown = len(exposure), exposure.sum()
    weights = 2.0 * np.arange(1, items + 1) - items - 1
    return float(weights @ exposure / (items * shown)) if shown else 0.0


GINI = ListMetric(
    name="gini@10",
    summary="inequality of exposure over the whole catalogue: 0 even, 1 all on one item",
    reference="Fleder and Hosanagar 2009, Management Science 55(5); Sun et al. 2020 (DaisyRec)",
    direction="lower",
    value=_value,
)
