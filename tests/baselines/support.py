"""Requests with histories that a test chooses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog
from benchmark.data.requests import Requests

__all__ = ["reading", "without_history"]


def reading(requests: Requests, log: EventLog, rows: NDArray[np.integer]) -> Requests:
    """Return the requests over the catalogue, reading their users' events above the log ``rows``.

    Args:
        requests: gives task, users, times and queries.
        log: the events; a user without any has an empty history.
        rows: ``[requests]``.
    """
    return Requests.before(
        log,
        rows,
        task=requests.task,
        user=requests.user,
        time=requests.time,
        query=requests.query,
        queries=requests.queries,
        items=requests.items,
        exclude_seen=requests.exclude_seen,
    )


def without_history(requests: Requests, log: EventLog) -> Requests:
    """Return the requests as users ask them who have done nothing yet."""
    return reading(requests, log, log.offsets[requests.user])
