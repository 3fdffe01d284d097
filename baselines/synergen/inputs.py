"""What the transformer reads: context events, and tokens that ask about them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import History, Requests, Task, events_at

__all__ = [
    "AskingTokens",
    "Context",
    "context_of",
    "request_tokens",
    "target_tokens",
    "visible",
    "window_context",
]


@dataclass(frozen=True)
class Context:
    """Events that tokens may attend to, oldest first, padded on the right.

    All arrays are ``[rows, window]``.

    Attributes:
        events: item, kind, query and time of each event.
        place: index of the first event of its moment: an event reads the events whose place is
            smaller, and itself; so it never reads another one of its own time.
        real: where there is an event.
    """

    events: History
    place: NDArray[np.int64]
    real: NDArray[np.bool_]

    @property
    def origin(self) -> NDArray[np.int64]:
        """The time of each row's first event, ``[rows]``, 0 where there is none."""
        return self.events.time[:, 0]

    def at(self, rows: slice) -> Context:
        """Return some rows, as wide as all of them."""
        events = History(**{f.name: getattr(self.events, f.name)[rows] for f in fields(History)})
        return Context(events, self.place[rows], self.real[rows])


@dataclass(frozen=True)
class AskingTokens:
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


def context_of(history: History) -> Context:
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
    first = np.ones(events.time.shape, dtype=bool)
    first[:, 1:] = events.time[:, 1:] != events.time[:, :-1]
    place = np.maximum.accumulate(np.where(first, columns, 0), axis=1)
    return Context(events, place, columns < history.length[:, None])


def visible(context: Context, place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which events tokens at ``place`` (``[rows, tokens]``) read, beside themselves.

    The result is ``[rows, tokens, window]``.
    """
    return (context.place[:, None, :] < place[:, :, None]) & context.real[:, None, :]


def request_tokens(requests: Requests, context: Context) -> AskingTokens:
    """Return one token for each request, ``[requests, 1]``; it reads the whole history."""
    return AskingTokens(
        search=np.full((len(requests), 1), requests.task == Task.SEARCH),
        query=requests.query[:, None].astype(np.int64),
        time=requests.time[:, None],
        place=context.events.length[:, None].astype(np.int64),
    )


def window_context(log: EventLog, rows: NDArray[np.int64]) -> Context:
    """Return the training events at log ``rows`` (``[n, window]``, ``PAD`` on the right)."""
    return context_of(events_at(log, rows))


def target_tokens(context: Context) -> AskingTokens:
    """Return one token for each event of the context, asking for that event's item.

    It reads strictly earlier events, as the event itself does.
    """
    return AskingTokens(
        search=context.events.kind == EventSource.SEARCHED,
        query=context.events.query.astype(np.int64),
        time=context.events.time,
        place=context.place,
    )
