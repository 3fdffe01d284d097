"""What the transformer reads: context events, and tokens that ask about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import History, Requests, Task, events_at
from benchmark.learning.simultaneous_duplicates import steps_to_first_twin

__all__ = ["Asked", "Context", "Ties", "Windows", "context_of", "request_tokens", "visible"]

Ties = Literal["hidden", "ordered"]


@dataclass(frozen=True)
class Context:
    """Events that tokens may attend to, oldest first, padded on the right.

    All arrays are ``[rows, window]``.

    Attributes:
        events: item, kind, query and time of each event.
        place: the event's index: it reads the events whose place is smaller, and itself.
        real: where there is an event.
    """

    events: History
    place: NDArray[np.int64]
    real: NDArray[np.bool_]

    @property
    def origin(self) -> NDArray[np.int64]:
        """The time of each row's first event, ``[rows]``, 0 where there is none."""
        return self.events.time[:, 0]


@dataclass(frozen=True)
class Asked:
    """Tokens that ask for an item; all arrays are ``[rows, tokens]``.

    Attributes:
        search: whether an item is searched for (else recommended).
        query: row in the query table, ``NO_QUERY`` for recommendation.
        time: when it is asked for.
        place: the token reads the events whose place is smaller.
    """

    search: NDArray[np.bool_]
    query: NDArray[np.int64]
    time: NDArray[np.int64]
    place: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Asked:
        """Return the tokens at ``columns`` (``[n, tokens]``) of ``rows`` (``[n]``)."""

        def picked(values: NDArray) -> NDArray:
            return np.take_along_axis(values[rows], columns, axis=1)

        return Asked(picked(self.search), picked(self.query), picked(self.time), picked(self.place))


def context_of(history: History, ties: Ties) -> Context:
    """Return a history as context, cut to its longest row but at least one event wide."""
    width = max(int(history.length.max(initial=0)), 1)
    events = History(
        item=history.item[:, :width],
        kind=history.kind[:, :width],
        query=history.query[:, :width],
        time=history.time[:, :width],
        length=history.length,
    )
    columns = np.broadcast_to(np.arange(width), events.item.shape)
    place = columns.astype(np.int64)
    if ties == "hidden":
        new = np.ones(events.time.shape, dtype=bool)
        new[:, 1:] = events.time[:, 1:] != events.time[:, :-1]
        place = np.maximum.accumulate(np.where(new, columns, 0), axis=1)
    return Context(events, place, columns < history.length[:, None])


def visible(context: Context, place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which events tokens at ``place`` (``[rows, tokens]``) read, beside themselves.

    The result is ``[rows, tokens, window]``.
    """
    return (context.place[:, None, :] < place[:, :, None]) & context.real[:, None, :]


def request_tokens(requests: Requests, context: Context, ties: Ties) -> Asked:
    """Return one token for each request, ``[requests, 1]``."""
    length = context.events.length
    if ties == "hidden":
        earlier = (context.events.time < requests.time[:, None]) & context.real
        length = earlier.sum(axis=1)
    return Asked(
        search=np.full((len(requests), 1), requests.task == Task.SEARCH),
        query=requests.query[:, None].astype(np.int64),
        time=requests.time[:, None],
        place=length[:, None].astype(np.int64),
    )


class Windows:
    """Cuts training events into windows, in which every event is a target too.

    Args:
        log: training events.
        ties: what a target reads of its own moment. With ``ordered`` it reads nothing from its
            first twin on: a twin would give the item away.
    """

    def __init__(self, log: EventLog, ties: Ties) -> None:
        self.log, self.ties = log, ties
        self._to_twin = steps_to_first_twin(log)

    def context(self, rows: NDArray[np.int64]) -> Context:
        """Return the events at log ``rows`` (``[n, window]``, ``PAD`` on the right)."""
        return context_of(events_at(self.log, rows), self.ties)

    def tokens(self, context: Context, rows: NDArray[np.int64]) -> Asked:
        """Return one token for each event of the context, asking for that event's item."""
        events, place = context.events, context.place
        if self.ties == "ordered":
            rows = rows[:, : place.shape[1]]
            place = np.maximum(place - self._to_twin[np.maximum(rows, 0)], 0)
        return Asked(
            search=events.kind == EventSource.SEARCHED,
            query=events.query.astype(np.int64),
            time=events.time,
            place=place,
        )
