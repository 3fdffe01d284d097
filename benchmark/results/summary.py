"""The means of all metrics, for reading: nothing is computed from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmark.data.dataset import Dataset
from benchmark.evaluation.evaluate import TaskOutcome
from benchmark.evaluation.metrics import TopLists, compute, describe_lists

__all__ = ["summarise"]


def summarise(
    outcomes: Iterable[TaskOutcome], dataset: Dataset
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the means of all metrics by task and protocol, ``metrics`` of ``run.json``."""
    events = np.bincount(dataset.train.log.item, minlength=len(dataset.items))
    metrics: dict[str, dict[str, dict[str, float | None]]] = {}
    for outcome in outcomes:
        values, requests = compute(outcome.counts), len(outcome.requests)
        means: dict[str, float | None] = {n: float(np.mean(v)) for n, v in values.items()}
        means["requests"] = requests
        means["seconds_per_request"] = outcome.seconds / max(requests, 1)
        means.update(describe_lists(TopLists(outcome.top, events)))
        metrics.setdefault(str(outcome.task), {})[outcome.protocol] = means
    return metrics
