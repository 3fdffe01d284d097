"""The means of all metrics, for reading: nothing is computed from them."""

from __future__ import annotations

import numpy as np

from benchmark.evaluation.evaluate import TaskOutcome
from benchmark.evaluation.metrics import compute

__all__ = ["summarise"]


def summarise(outcomes: list[TaskOutcome]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the means of all metrics by task and protocol, ``metrics`` of ``run.json``."""
    metrics: dict[str, dict[str, dict[str, float | None]]] = {}
    for outcome in outcomes:
        values = compute(outcome.ranks.greater, outcome.ranks.tied)
        means: dict[str, float | None] = {n: float(np.mean(v)) for n, v in values.items()}
        means["requests"] = len(outcome.evaluation.targets)
        means["seconds_per_request"] = outcome.seconds / max(len(outcome.evaluation.targets), 1)
        means["coverage@10"], means["popularity@10"] = outcome.coverage, outcome.popularity
        metrics.setdefault(str(outcome.task), {})[outcome.protocol] = means
    return metrics
