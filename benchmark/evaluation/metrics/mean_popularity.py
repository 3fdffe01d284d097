"""Mean popularity of what is shown."""

from __future__ import annotations

from benchmark.evaluation.metrics.family import ListMetric, TopLists

__all__ = ["MEAN_POPULARITY"]


def _value(lists: TopLists) -> float:
    exposure = lists.exposure()
    shown = int(exposure.sum())
    return float(exposure @ lists.training_events) / shown if shown else 0.0


MEAN_POPULARITY = ListMetric(
    name="popularity@10",
    summary="mean number of training events of the listed items",
    reference="Abdollahpouri et al. 2019, FLAIRS, 'Managing popularity bias' (ARP)",
    direction="neither",
    value=_value,
)
