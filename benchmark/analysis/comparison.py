"""Two runs against each other, request by request.

This asks the narrow question: would other requests show the difference between these two very
trainings? Whether other trainings of the same recipes would show it too is what a leaderboard asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.scores import by_protocol, by_request, metric_values
from benchmark.errors import InputError
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

__all__ = ["QUESTION", "Comparison", "Example", "compare", "paired_tables"]

QUESTION = "would other requests show the difference between these two trainings?"
"""What intervals and p-values of a :class:`Comparison` answer."""


@dataclass(frozen=True)
class Example:
    """A request that the two runs answer very differently.

    Attributes:
        request: its number within the task.
        user: row of the user.
        query: row of the query, -1 for recommendation.
        item: row of the relevant item; of several, the one whose place moved most that way.
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
    a, b = (metric_values(rows, metric)[metric] for rows in (before, after))
    change = b - a
    units = by_unit(change, by_request(before)["user"].to_numpy())
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
        gains=_examples(before, after, change, examples, 1),
        losses=_examples(before, after, change, examples, -1),
    )


def _examples(
    before: pd.DataFrame, after: pd.DataFrame, change: NDArray[np.float64], size: int, sign: int
) -> tuple[Example, ...]:
    """Describe the requests whose metric moved most in the direction of ``sign``."""
    requests = np.argsort(-sign * change, kind="stable")[:size].tolist()
    first = np.flatnonzero(np.diff(before["request"].to_numpy(), prepend=-1))
    ends = np.append(first[1:], len(before))
    ranks = [(rows["greater"] + rows["tied"] / 2 + 1.0).to_numpy() for rows in (before, after)]
    # Places near the top count for more, as they do in the metrics.
    moved = sign * (1 / np.log2(ranks[1] + 1) - 1 / np.log2(ranks[0] + 1))
    rows = [first[n] + int(moved[first[n] : ends[n]].argmax()) for n in requests]
    return tuple(
        Example(
            **{name: int(before[name][row]) for name in ASKED},
            rank_a=float(ranks[0][row]),
            rank_b=float(ranks[1][row]),
        )
        for row, place in zip(rows, requests, strict=True)
        if sign * change[place] > 0
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
    before, after = (by_protocol(run) for run in (a, b))
    shared = [key for key in before if key in after]
    if not shared:
        raise InputError(f"{b.folder}: shares no task and protocol with {a.folder}")
    for key in shared:
        if not same_requests(before[key], after[key]):
            raise InputError(f"{b.folder}: was asked other requests than {a.folder}")
    return [(key, before[key], after[key]) for key in shared]
