"""Sequences as the network reads them, made from training events and from requests.

Position 0 holds a start vector, position t the product of event t - 1. In search it also holds
the query of event t, the one that led to the product still to be found. The last position of a
request is its answer's; so the layout is one for both tasks and for users without a history.

A recommendation is predicted at the position of the first event of its moment, which reads
strictly earlier events only, as a request at that time does. In search a position holds a query,
so a click is predicted at the first of the clicks of its query that stand together in its moment;
where queries of one moment alternate, earlier ones are read. Sessions are not looked at in
training: what a session held at an earlier time is read, though its request will not show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import PAD, Requests, Task
from benchmark.learning.simultaneous_duplicates import previous_twins, steps_to_moment

__all__ = ["START", "Sequences", "learnable", "of_requests", "of_rows", "steps_back"]

START = 0
"""Row of the product table in front of every sequence (and behind it, where nobody looks)."""


@dataclass(frozen=True)
class Sequences:
    """A batch of sequences of one task, padded on the right.

    Attributes:
        user: int64 ``[rows]``.
        product: int64 ``[rows, positions]``, item + 1, ``START`` at the first position.
        words: of the query at each position, int64 ``[rows, positions, words]``; ``None`` for
            recommendation, which has no query branch.
        length: int64 ``[rows]``, number of real positions, at least 1.
    """

    user: Tensor
    product: Tensor
    words: Tensor | None
    length: Tensor


def learnable(log: EventLog, task: Task, history: str) -> EventLog:
    """Return the events that the sequences of ``task`` are made of.

    Of several searches of one user, item and time only the first stays: the others could read it,
    and would learn to copy it.
    """
    if task == Task.SEARCH:
        searches = log.select(log.kind == EventSource.SEARCHED)
        return searches.select(previous_twins(searches) == PAD)
    return log if history == "all" else log.select(log.kind == EventSource.RECOMMENDED)


def steps_back(log: EventLog, task: Task) -> NDArray[np.int64]:
    """Return how many positions before its own each event is predicted, ``[events]``.

    ``log`` comes from :func:`learnable` for the same task.
    """
    steps = steps_to_moment(log)
    if task == Task.REC:
        return steps
    rows = np.arange(len(log))
    first = (steps == 0) | (log.query != np.roll(log.query, 1))
    return rows - np.maximum.accumulate(np.where(first, rows, 0))


def of_rows(
    log: EventLog, rows: NDArray[np.int64], words: NDArray[np.int64] | None, device: str
) -> Sequences:
    """Return the sequences whose targets are the events at ``rows``.

    Args:
        log: the events.
        rows: ``[sequences, positions]``, padded with ``PAD`` on the right.
        words: of each query, last an empty row; ``None`` for recommendation.
        device: where the tensors go.
    """
    safe = np.maximum(rows, 0)
    items = np.where(rows == PAD, PAD, log.item[safe])
    queries = np.where(rows == PAD, NO_QUERY, log.query[safe])
    length = (rows != PAD).sum(axis=1)
    return _sequences(log.user[rows[:, 0]], items[:, :-1], queries, length, words, device)


def of_requests(
    requests: Requests,
    window: int,
    history: str,
    words: NDArray[np.int64] | None,
    device: str,
) -> Sequences:
    """Return the sequences whose last position answers each request."""
    if requests.task == Task.SEARCH:
        kind: EventSource | None = EventSource.SEARCHED
    else:
        kind = None if history == "all" else EventSource.RECOMMENDED
    past = requests.history(window, kind)
    queries = np.full((len(requests), window + 1), NO_QUERY, dtype=np.int64)
    queries[:, :-1] = past.query
    queries[np.arange(len(requests)), past.length] = requests.query
    longest = int(past.length.max(initial=0))
    return _sequences(
        requests.user,
        past.item[:, :longest],
        queries[:, : longest + 1],
        past.length + 1,
        words,
        device,
    )


def _sequences(
    user: NDArray[np.integer],
    items: NDArray[np.integer],
    queries: NDArray[np.integer],
    length: NDArray[np.integer],
    words: NDArray[np.int64] | None,
    device: str,
) -> Sequences:
    """Put the start in front of ``items``, whose padding is -1, and look the words up."""
    product = np.pad(items.astype(np.int64) + 1, ((0, 0), (1, 0)), constant_values=START)

    def tensor(values: NDArray) -> Tensor:
        return torch.as_tensor(values.astype(np.int64), device=device)

    return Sequences(
        user=tensor(user),
        product=tensor(product),
        words=None if words is None else tensor(words[queries]),
        length=tensor(length),
    )
