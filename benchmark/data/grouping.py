"""Which events make one request: a search with all its clicks, a page with all that was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import NO_SESSION, EventLog, EventSource
from benchmark.data.keys import order_by
from benchmark.data.requests import Task

__all__ = ["Groups", "Shown", "group_events", "kind_of"]


def kind_of(task: Task) -> EventSource:
    """Return the kind of event that a task asks for."""
    return EventSource.SEARCHED if task is Task.SEARCH else EventSource.RECOMMENDED


@dataclass(frozen=True)
class Shown:
    """What was shown and not taken: no event, but a candidate of the request it belongs to.

    All columns are ``[exposures]`` and mean what those of :class:`EventLog` do.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    kind: NDArray[np.uint8]
    query: NDArray[np.int32]
    session: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Groups:
    """The events of one task, in groups that are one request each.

    Attributes:
        rows: int64 ``[events]``, log rows, group by group, ascending within a group.
        offsets: int64 ``[groups + 1]``.
        first: int64 ``[groups]``, ascending, the log row that each request is made at: its first
            event's, unless the requests of a moment were dealt out anew (:meth:`dealt`).
        shown: int64 ``[exposures of the task]``, the group of each exposure, -1 where none.
        exposures: int64 ``[exposures of the task]``, which of the exposures they are.
    """

    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    first: NDArray[np.int64]
    shown: NDArray[np.int64]
    exposures: NDArray[np.int64]

    @property
    def owner(self) -> NDArray[np.int64]:
        """The group of each of ``rows``."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def dealt(self, log: EventLog, place: NDArray[np.int64]) -> Groups:
        """Return the requests with the events of each user and time dealt out anew, by ``place``.

        The first request of a moment then asks for the event with the lowest place, and so on: the
        published mistake of joining, by position, two lists that order a moment differently.
        Requests of several events stay as they are.

        Args:
            log: all events.
            place: ``[events of the log]``.
        """
        if len(self.first) != len(self.rows):
            return self
        order = np.lexsort((place[self.rows], log.time[self.rows], log.user[self.rows]))
        return replace(self, rows=self.rows[order])


def group_events(log: EventLog, task: Task, shown: Shown | None = None) -> Groups:
    """Group a task's events into requests.

    A search is what a user did with one query in one session, or where the source has no session,
    at one time. Recommended events of one session and time are one request; without a session each
    is a request of its own, unless the data tell what was ``shown``: then it is one page at a time.

    Args:
        log: all events.
        task: the task.
        shown: exposures, if the data has them.
    """
    rows = log.rows_of_kind[kind_of(task)]
    exposures = np.flatnonzero(shown.kind == kind_of(task)) if shown is not None else rows[:0]
    sessions = bool((log.session[rows] != NO_SESSION).any())
    if task is Task.REC and not sessions and not len(exposures):
        return Groups(rows, np.arange(len(rows) + 1), rows, exposures, exposures)

    def column(name: str) -> NDArray[np.integer]:
        parts = [getattr(log, name)[rows]]
        if shown is not None:
            parts.append(getattr(shown, name)[exposures])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    user, time, session = column("user"), column("time"), column("session")
    if task is Task.SEARCH:
        keys = [column("query"), np.where(session == NO_SESSION, time, 0), session, user]
    else:
        alone = np.arange(len(user)) if not len(exposures) else np.zeros(len(user), dtype=np.int64)
        keys = [np.where(session == NO_SESSION, alone, 0), time, session, user]
    label = _labels(keys)
    return _numbered(rows, label[: len(rows)], label[len(rows) :], exposures)


def _labels(keys: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    """Return a number for each row that rows have in common if all their ``keys`` are equal."""
    order = order_by(keys)
    new = np.zeros(len(order), dtype=np.int64)
    for key in keys:
        new[1:] |= np.diff(key[order]) != 0
    label = np.empty(len(order), dtype=np.int64)
    label[order] = np.cumsum(new)
    return label


def _numbered(
    rows: NDArray[np.int64],
    label: NDArray[np.int64],
    shown: NDArray[np.int64],
    exposures: NDArray[np.int64],
) -> Groups:
    """Number the labels of ``rows`` by their first row; exposures of no row belong nowhere."""
    labels, first = np.unique(label, return_index=True)
    number = np.full(max(int(label.max(initial=-1)), int(shown.max(initial=-1))) + 1, -1)
    number[labels[np.argsort(first, kind="stable")]] = np.arange(len(labels))
    group = number[label]
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group, minlength=len(labels))
    rows, offsets = rows[order], np.concatenate([[0], np.cumsum(counts)])
    return Groups(rows, offsets, rows[offsets[:-1]], number[shown], exposures)
