"""Two runs against each other, request by request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.errors import InputError
from benchmark.evaluation.metrics import compute
from benchmark.results.record import RunRecord
from benchmark.results.table import ASKED, same_requests
from benchmark.statistics.paired import (
    Effect,
    Interval,
    bootstrap_interval,
    by_unit,
    detectable_difference,
    effect_size,
    mean_interval,
    student_t,
    wilcoxon,
)
from benchmark.statistics.randomisation import randomisation_test

__all__ = ["Comparison", "Example", "compare", "metric_values", "paired_tables"]


@dataclass(frozen=True)
class Example:
    """A request that the two runs answer very differently.

    Attributes:
        request: its number within the task.
        user: row of the user.
        query: row of the query, -1 for recommendation.
        item: row of the relevant item.
        rank_a: expected rank of the relevant item in ``a``, 1 for the best.
        rank_b: the same in ``b``.
    """

    request: int
    user: int
    query: int
    item: int
    rank_a: float
    rank_b: float


@dataclass(frozen=True)
class Comparison:
    """Run ``b`` against run ``a`` in one task, protocol and metric; the unit is the user.

    Attributes:
        task: the task.
        protocol: the protocol.
        metric: the metric.
        a: its mean over the requests.
        b: the same of the other run.
        difference: ``b`` minus ``a``.
        interval: of the difference, 95%, by Student's t.
        bootstrap: of the difference, 95%, bias-corrected and accelerated.
        p: two-sided, by the name of the test.
        effect: standardised mean difference; NaN where all differences are the same.
        detectable: the difference that a test over these users finds with a power of 80%.
        win: requests in which ``b`` is better.
        tie: requests in which both are the same.
        loss: requests in which ``b`` is worse.
        requests: number of requests.
        users: number of users.
        gains: requests with the largest gain, largest first.
        losses: requests with the largest loss, largest first.
    """

    task: str
    protocol: str
    metric: str
    a: float
    b: float
    difference: float
    interval: Interval
    bootstrap: Interval
    p: dict[str, float]
    effect: Effect
    detectable: float
    win: int
    tie: int
    loss: int
    requests: int
    users: int
    gains: tuple[Example, ...]
    losses: tuple[Example, ...]


def compare(
    a: RunRecord, b: RunRecord, metrics: tuple[str, ...], examples: int = 5
) -> list[Comparison]:
    """Compare two runs in every task and protocol that both were asked.

    Args:
        a: the run to start from.
        b: the run to compare with it.
        metrics: names of metrics.
        examples: at most so many requests in each direction.

    Raises:
        InputError: the runs were asked about other data or candidates, or have nothing in common.
    """
    return [
        _comparison(task, protocol, metric, before, after, examples)
        for (task, protocol), before, after in paired_tables(a, b)
        for metric in metrics
    ]


def _comparison(
    task: str, protocol: str, metric: str, before: pd.DataFrame, after: pd.DataFrame, examples: int
) -> Comparison:
    a, b = (metric_values(table, metric) for table in (before, after))
    change = b - a
    units = by_unit(change, before["user"].to_numpy())
    return Comparison(
        task=task,
        protocol=protocol,
        metric=metric,
        a=float(a.mean()),
        b=float(b.mean()),
        difference=float(change.mean()),
        interval=mean_interval(units),
        bootstrap=bootstrap_interval(units),
        p={
            "randomisation": randomisation_test(units),
            "t": student_t(units),
            "wilcoxon": wilcoxon(units),
        },
        effect=effect_size(units),
        detectable=detectable_difference(units),
        win=int((change > 0).sum()),
        tie=int((change == 0).sum()),
        loss=int((change < 0).sum()),
        requests=len(change),
        users=len(units),
        gains=_examples(before, after, change, np.argsort(-change, kind="stable")[:examples]),
        losses=_examples(before, after, -change, np.argsort(change, kind="stable")[:examples]),
    )


def metric_values(table: pd.DataFrame, metric: str) -> NDArray[np.float64]:
    """Return the metric by request of a table of counts, ``[requests]``."""
    return compute(table["greater"].to_numpy(), table["tied"].to_numpy(), (metric,))[metric]


def _examples(
    before: pd.DataFrame,
    after: pd.DataFrame,
    towards: NDArray[np.float64],
    chosen: NDArray[np.intp],
) -> tuple[Example, ...]:
    """Describe the chosen requests, as far as their metric moved in the direction asked for."""
    ranks = [table["greater"] + table["tied"] / 2 + 1.0 for table in (before, after)]
    return tuple(
        Example(
            **{name: int(before[name][row]) for name in ASKED},
            rank_a=float(ranks[0][row]),
            rank_b=float(ranks[1][row]),
        )
        for row in chosen.tolist()
        if towards[row] > 0
    )


def paired_tables(
    a: RunRecord, b: RunRecord
) -> list[tuple[tuple[str, str], pd.DataFrame, pd.DataFrame]]:
    """Return (task, protocol) and the counts of both runs, row for row the same requests.

    Raises:
        InputError: the runs were asked about other data or candidates, or have nothing in common.
    """
    for what in ("dataset", "dataset_digest", "candidates_digest"):
        if a.info[what] != b.info[what]:
            raise InputError(
                f"{b.folder}: {what} {b.info[what][:12]} is not the {a.info[what][:12]} of"
                f" {a.folder}; only runs on the same data and candidates can be compared"
            )
    before, after = (_by_protocol(run) for run in (a, b))
    shared = [key for key in before if key in after]
    if not shared:
        raise InputError(f"{b.folder}: shares no task and protocol with {a.folder}")
    for key in shared:
        if not same_requests(before[key], after[key]):
            raise InputError(f"{b.folder}: was asked other requests than {a.folder}")
    return [(key, before[key], after[key]) for key in shared]


def _by_protocol(run: RunRecord) -> dict[tuple[str, str], pd.DataFrame]:
    table = run.requests()
    return {
        (str(task), str(protocol)): part.sort_values("request", kind="stable", ignore_index=True)
        for (task, protocol), part in table.groupby(["task", "protocol"])
    }
