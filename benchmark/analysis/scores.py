"""What an entry scored, request by request, and the slices that a request belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.run_groups import Entry
from benchmark.errors import BenchmarkError
from benchmark.evaluation.metrics import MAIN, compute
from benchmark.results.table import same_requests

__all__ = ["SHOWN", "RequestScores", "measure", "slices"]

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
        requests: the requests in order, the columns of ``requests.parquet`` (of the first seed).
        by_seed: for each metric of :data:`SHOWN`, ``[seeds, requests]``.
        seconds_per_request: mean over seeds; ``None`` for what was answered elsewhere.
    """

    entry: Entry
    requests: pd.DataFrame
    by_seed: dict[str, NDArray[np.float64]]
    seconds_per_request: float | None

    def scores(self, metric: str) -> NDArray[np.float64]:
        """Return the means over seeds, ``[requests]``."""
        return self.by_seed[metric].mean(axis=0)

    @property
    def seeds(self) -> list[int]:
        """The seed of each run, ascending."""
        return [run.info["seed"] for run in self.entry.runs]

    @property
    def users(self) -> NDArray[np.int32]:
        """The user of each request, ``[requests]``."""
        return self.requests["user"].to_numpy()


def measure(entry: Entry, task: str, protocol: str) -> RequestScores:
    """Read the runs of an entry.

    Raises:
        BenchmarkError: its runs were not asked the same requests.
    """
    frames = []
    for run in entry.runs:
        frame = run.requests()
        frame = frame[(frame["task"] == task) & (frame["protocol"] == protocol)]
        frames.append(frame.sort_values("request", kind="stable", ignore_index=True))
    for run, frame in zip(entry.runs[1:], frames[1:], strict=True):
        if not same_requests(frame, frames[0]):
            raise BenchmarkError(f"{run.folder}: other requests than {entry.runs[0].folder}")
    found = [compute(f["greater"].to_numpy(), f["tied"].to_numpy(), SHOWN) for f in frames]
    costs = [run.info["metrics"][task][protocol]["seconds_per_request"] for run in entry.runs]
    by_seed = {name: np.stack([values[name] for values in found]) for name in SHOWN}
    known = None if None in costs else float(np.mean(costs))
    return RequestScores(entry, frames[0], by_seed, known)


def slices(requests: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the slices of requests with the rows that belong to them, ``[requests]``.

    By kind of query, by length of the history in events, by training events of the relevant item,
    and whether that item has any (``item:known``) or none (``item:new``). A slice that holds
    nearly nothing or all is left out.
    """
    kind = requests["query_kind"].to_numpy()
    events = requests["item_events"].to_numpy()
    found = [(f"query:{name}", kind == name) for name in sorted(set(kind.tolist()) - {""})]
    found += _ranges("history", requests["history"].to_numpy())
    found += _ranges("popularity", events)
    found += [("item:known", events > 0), ("item:new", events == 0)]
    for name, rows in found:
        if SMALLEST_SLICE <= rows.sum() < len(rows):
            yield name, rows


def _ranges(name: str, values: NDArray[np.integer]) -> list[tuple[str, NDArray[np.bool_]]]:
    bounds = [*_BOUNDS, np.inf]
    found = []
    for low, high in pairwise(bounds):
        last = f"-{high - 1:.0f}" if high < np.inf else "+"
        title = f"{name}:{low:.0f}" + (last if high - low > 1 else "")
        found.append((title, (values >= low) & (values < high)))
    return found
