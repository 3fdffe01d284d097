"""What an entry scored, request by request, and the slices that a request belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.run_groups import Entry
from benchmark.errors import BenchmarkError
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import MAIN, compute
from benchmark.results.record import RunRecord
from benchmark.results.table import same_requests
from benchmark.statistics.recipes import unit_means

__all__ = [
    "SHOWN",
    "RequestScores",
    "ScoreReader",
    "by_protocol",
    "by_request",
    "metric_values",
    "slices",
]

SHOWN = (MAIN, "hr@10", "mrr@10")
"""Metrics of the leaderboard; the first is the one of slices, trade-off and ablations."""
SMALLEST_SLICE = 20
"""Slices with fewer requests are not shown."""
_BOUNDS = (0, 1, 10, 50, 200)


@dataclass(frozen=True)
class RequestScores:
    """The scores of one entry in one task under one protocol.

    Attributes:
        entry: whose scores they are.
        requests: a row for each request, as :func:`by_request` gives them; one and the same frame
            for all scores of a reader that stand for the same requests.
        by_seed: for each metric of :data:`SHOWN`, ``[seeds, requests]``.
        seconds_per_request: mean over seeds; ``None`` for what was answered elsewhere.
    """

    entry: Entry
    requests: pd.DataFrame
    by_seed: dict[str, NDArray[np.float64]]
    seconds_per_request: float | None

    def scores(self, metric: str) -> NDArray[np.float64]:
        """Return the means over seeds, ``[requests]``."""
        means: NDArray[np.float64] = unit_means([self.by_seed[metric]])[0]
        return means

    @property
    def seeds(self) -> list[int]:
        """The seed of each run, ascending."""
        return [run.info["seed"] for run in self.entry.runs]

    @property
    def users(self) -> NDArray[np.int32]:
        """The user of each request, ``[requests]``."""
        return self.requests["user"].to_numpy()


class _Answers(NamedTuple):
    """What one run scored in one task under one protocol."""

    requests: pd.DataFrame
    scores: dict[str, NDArray[np.float64]]


class ScoreReader:
    """Reads the runs of a board, each file once, however many tables ask for it.

    It keeps a number for each request and metric of a run, and the requests themselves once for
    all runs that were asked the same.
    """

    def __init__(self) -> None:
        self._runs: dict[Path, dict[tuple[str, str], _Answers]] = {}
        self._asked: dict[tuple[str, str], list[tuple[pd.DataFrame, pd.DataFrame]]] = {}

    def scores(self, entry: Entry, task: str, protocol: str) -> RequestScores:
        """Return what an entry scored.

        Raises:
            BenchmarkError: its runs were not asked the same requests.
        """
        answers = [self._read(run)[task, protocol] for run in entry.runs]
        requests = answers[0].requests
        for run, each in zip(entry.runs, answers, strict=True):
            if each.requests is not requests:
                raise BenchmarkError(f"{run.folder}: other requests than {entry.runs[0].folder}")
        costs = [run.info["metrics"][task][protocol]["seconds_per_request"] for run in entry.runs]
        by_seed = {name: np.stack([each.scores[name] for each in answers]) for name in SHOWN}
        seconds = None if None in costs else float(np.mean(costs))
        return RequestScores(entry, requests, by_seed, seconds)

    def _read(self, run: RunRecord) -> dict[tuple[str, str], _Answers]:
        if run.folder not in self._runs:
            self._runs[run.folder] = {
                key: _Answers(self._requests(key, rows), metric_values(rows, *SHOWN))
                for key, rows in by_protocol(run).items()
            }
        return self._runs[run.folder]

    def _requests(self, key: tuple[str, str], rows: pd.DataFrame) -> pd.DataFrame:
        known = self._asked.setdefault(key, [])
        for other, requests in known:
            if same_requests(rows, other):
                return requests
        known.append((rows, by_request(rows)))
        return known[-1][1]


def by_protocol(run: RunRecord) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the counts of a run by task and protocol, a row for each relevant item, in order."""
    blocks = run.requests().groupby(["task", "protocol"], sort=False, observed=True)
    return {
        (str(task), str(protocol)): rows.reset_index(drop=True) for (task, protocol), rows in blocks
    }


def metric_values(rows: pd.DataFrame, *metrics: str) -> dict[str, NDArray[np.float64]]:
    """Return metrics by request of a table of counts, ``{metric: [requests]}``."""
    names = ("request", "gain", "greater", "tied", "candidates")
    return compute(Counts.of_table({name: rows[name] for name in names}), metrics)


def by_request(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each request from rows of (request, relevant item), both in order.

    Everything but the item is the request's own. ``item_events`` is that of the relevant item with
    most training events: a request counts as one for known items as soon as one of them is known.
    """
    first = np.flatnonzero(np.diff(rows["request"].to_numpy(), prepend=-1))
    requests = rows.iloc[first].drop(columns="item").reset_index(drop=True)
    if len(first):
        events = np.maximum.reduceat(rows["item_events"].to_numpy(), first)
        requests = requests.assign(item_events=events)
    return requests


def slices(requests: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the slices of requests with the rows that belong to them, ``[requests]``.

    By kind of query, by length of the history in events, by training events of the relevant item
    (see :func:`by_request`), whether that has any (``item:known``) or none (``item:new``), and
    those that no easy rule answers (``hard``), where the data tells which. A slice that holds
    nearly nothing or all is left out.
    """
    kind = requests["query_kind"].to_numpy()
    events = requests["item_events"].to_numpy()
    parts = [(f"query:{name}", kind == name) for name in sorted(set(kind.tolist()) - {""})]
    parts += _ranges("history", requests["history"].to_numpy())
    parts += _ranges("popularity", events)
    parts += [("item:known", events > 0), ("item:new", events == 0)]
    if "hard" in requests:
        parts.append(("hard", requests["hard"].to_numpy(dtype=bool)))
    for name, rows in parts:
        if SMALLEST_SLICE <= rows.sum() < len(rows):
            yield name, rows


def _ranges(name: str, values: NDArray[np.integer]) -> list[tuple[str, NDArray[np.bool_]]]:
    bounds = [*_BOUNDS, np.inf]
    parts = []
    for low, high in pairwise(bounds):
        last = f"-{high - 1:.0f}" if high < np.inf else "+"
        title = f"{name}:{low:.0f}" + (last if high - low > 1 else "")
        parts.append((title, (values >= low) & (values < high)))
    return parts
