"""Requests: what a model is asked, in batches, with histories cut before the request's moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Queries
from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.terms import Task

__all__ = ["PAD", "History", "Requests", "Task", "events_at"]

PAD = -1
"""Fills the places of a padded array that hold no event or item."""


@dataclass(frozen=True)
class History:
    """The last events before each request, oldest first, padded on the right with ``PAD``.

    All arrays are ``[requests, window]``; ``length`` is ``[requests]``.
    """

    item: NDArray[np.int32]
    kind: NDArray[np.uint8]
    query: NDArray[np.int32]
    time: NDArray[np.int64]
    length: NDArray[np.int64]


def events_at(log: EventLog, rows: NDArray[np.int64]) -> History:
    """Return the events at log ``rows`` (``[n, window]``, padded with ``PAD``)."""
    real = rows >= 0
    safe = np.where(real, rows, 0)

    def column(values: NDArray, fill: int) -> NDArray:
        if len(values) == 0:
            return np.full(rows.shape, fill, dtype=values.dtype)
        return np.where(real, values[safe], values.dtype.type(fill))

    return History(
        item=column(log.item, PAD),
        kind=column(log.kind, 0),
        query=column(log.query, NO_QUERY),
        time=column(log.time, 0),
        length=real.sum(axis=1),
    )


@dataclass(frozen=True)
class Requests:
    """A batch of requests of one task. It holds no relevant item.

    A history is strictly earlier than its request: whatever carries the request's own time or
    session is cut away where requests are made, so no model needs a rule of its own. Requests are
    made by :meth:`before` and :meth:`without`; nobody else sets the fields of the history.

    Attributes:
        task: the task that all of them ask for.
        user: int32 ``[requests]``.
        time: int64 ``[requests]``, when the request is made.
        query: int32 ``[requests]``, row in ``queries``; ``NO_QUERY`` for recommendation.
        queries: the query table, for the words of requests and of search events in histories.
        items: number of items in the catalogue.
        candidates: int32 ``[requests, n]`` to score, each row ascending; a list shorter than the
            others repeats its last item. ``None`` means the whole catalogue.
        exclude_seen: whether items of the history are left out when the whole catalogue is ranked.
    """

    task: Task
    user: NDArray[np.int32]
    time: NDArray[np.int64]
    query: NDArray[np.int32]
    queries: Queries
    items: int
    candidates: NDArray[np.int32] | None
    exclude_seen: bool
    _log: EventLog
    _stop: NDArray[np.int64]
    _omit: NDArray[np.int64]
    """Log rows ``[requests, n]`` above ``_stop`` that are left out all the same; ``PAD`` fills."""

    @classmethod
    def before(
        cls,
        log: EventLog,
        rows: NDArray[np.integer],
        *,
        task: Task,
        user: NDArray[np.integer],
        time: NDArray[np.integer],
        query: NDArray[np.integer],
        queries: Queries,
        items: int,
        exclude_seen: bool = False,
    ) -> Requests:
        """Return requests over the catalogue that read their users' events above the log ``rows``.

        All arrays are ``[requests]``; a row is at most the end of its user's rows.
        """
        return cls(
            task=task,
            user=user.astype(np.int32),
            time=time.astype(np.int64),
            query=query.astype(np.int32),
            queries=queries,
            items=items,
            candidates=None,
            exclude_seen=exclude_seen,
            _log=log,
            _stop=rows.astype(np.int64),
            _omit=np.empty((len(rows), 0), dtype=np.int64),
        )

    def without(self, rows: NDArray[np.int64]) -> Requests:
        """Return the requests with further log rows left out of their histories.

        ``rows`` is ``[requests, n]``, padded with ``PAD``.
        """
        return replace(self, _omit=np.concatenate([self._omit, rows], axis=1))

    def __len__(self) -> int:
        return len(self.user)

    @property
    def width(self) -> int:
        """Number of scores that each request asks for."""
        return self.items if self.candidates is None else self.candidates.shape[1]

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> Requests:
        """Return the requests at ``rows``."""
        return replace(
            self,
            user=self.user[rows],
            time=self.time[rows],
            query=self.query[rows],
            candidates=None if self.candidates is None else self.candidates[rows],
            _stop=self._stop[rows],
            _omit=self._omit[rows],
        )

    def batches(self, size: int) -> Iterator[Requests]:
        """Yield consecutive batches of at most ``size`` requests."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def of_candidates(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is asked for of scores of the whole catalogue.

        Args:
            scores: ``[requests, items]``.

        Returns:
            ``[requests, width]``; ``scores`` itself where the whole catalogue is asked for.
        """
        if self.candidates is None:
            return scores
        return np.take_along_axis(scores, self.candidates, axis=1)

    def query_texts(self) -> list[str]:
        """Return the words of each request's query, ``[requests]``; "" for recommendation."""
        return ["" if q == NO_QUERY else self.queries.texts[q] for q in self.query.tolist()]

    def query_kinds(self) -> list[str]:
        """Return how each request's query came to be, ``[requests]``; "" for recommendation."""
        return ["" if q == NO_QUERY else self.queries.kinds[q] for q in self.query.tolist()]

    def history(self, window: int, kind: EventSource | None = None) -> History:
        """Return the last ``window`` events before each request, of one kind or of both."""
        return events_at(self._log, self._history_rows(window, kind))

    def seen(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the items of each whole history as ``(offsets [requests + 1], items)``.

        An item that occurs twice is listed twice.
        """
        offsets, rows = self.history_rows()
        return offsets, self._log.item[rows]

    def history_rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the log rows of each whole history as ``(offsets [requests + 1], rows)``."""
        start = self._log.offsets[self.user]
        length = self._stop - start
        offsets = np.concatenate([[0], np.cumsum(length)])
        rows = np.arange(offsets[-1]) + np.repeat(start - offsets[:-1], length)
        if self._omit.shape[1] == 0:
            return offsets, rows
        inside = (self._omit >= start[:, None]) & (self._omit < self._stop[:, None])
        request, column = np.nonzero(inside)
        keep = np.ones(len(rows), dtype=np.bool_)
        keep[offsets[request] + self._omit[request, column] - start[request]] = False
        counts = np.bincount(np.repeat(np.arange(len(self)), length)[keep], minlength=len(self))
        return np.concatenate([[0], np.cumsum(counts)]), rows[keep]

    def _history_rows(self, window: int, kind: EventSource | None) -> NDArray[np.int64]:
        start, stop = self._log.offsets[self.user], self._stop
        places: NDArray[np.int64] | None = None
        if kind is not None:
            places = self._log.rows_of_kind[kind]
            start, stop = np.searchsorted(places, start), np.searchsorted(places, stop)
        width = window + self._omit.shape[1]
        rows = stop[:, None] - width + np.arange(width)
        real = rows >= start[:, None]
        if places is not None:
            rows = places[np.where(real, rows, 0)] if len(places) else rows
        rows = np.where(real, rows, PAD)
        omitted = (rows[:, :, None] == self._omit[:, None, :]).any(axis=2)
        rows = np.where(omitted, PAD, rows)
        # Move the real rows to the left, keeping their order, then drop the oldest beyond window.
        rows = np.take_along_axis(rows, np.argsort(rows < 0, axis=1, kind="stable"), axis=1)
        surplus = np.maximum((rows >= 0).sum(axis=1) - window, 0)
        return np.take_along_axis(rows, surplus[:, None] + np.arange(window), axis=1)
