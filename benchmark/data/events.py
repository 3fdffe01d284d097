"""EventLog: all behaviour of all users as columns, sorted by user and time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmark.data.keys import order_by, place_among

__all__ = ["NO_QUERY", "NO_SESSION", "EventLog", "EventSource", "by_user_and_time"]

_AT_ONCE = 2**22

NO_QUERY = -1
NO_SESSION = -1


class EventSource(IntEnum):
    """How a user came to an item."""

    RECOMMENDED = 0
    SEARCHED = 1


@dataclass(frozen=True)
class EventLog:
    """Events in columns of equal length, sorted by (user, time, position in the source).

    Attributes:
        user: int32 ``[events]``, from 0 to ``users - 1``, ascending.
        item: int32 ``[events]``, row of the item in the catalogue.
        time: int64 ``[events]``, in the unit of the source; ascending within a user.
        kind: uint8 ``[events]``, a :class:`EventSource`.
        query: int32 ``[events]``, row in the query table, ``NO_QUERY`` for recommendation events.
        session: int32 ``[events]``, ``NO_SESSION`` where the source has none.
        offsets: int64 ``[users + 1]``; user ``u`` owns rows ``offsets[u]:offsets[u + 1]``.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    kind: NDArray[np.uint8]
    query: NDArray[np.int32]
    session: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.user)

    @property
    def users(self) -> int:
        """Number of users, including those without an event."""
        return len(self.offsets) - 1

    @cached_property
    def rows_of_kind(self) -> dict[EventSource, NDArray[np.int64]]:
        """The rows of each kind, ascending; found once, as every history of one kind needs them."""
        return {kind: np.flatnonzero(self.kind == kind) for kind in EventSource}

    def pairs_among(
        self, wanted: NDArray[np.int64], items: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the events whose user and item are wanted.

        Args:
            wanted: int64, ascending, keys ``user * items + item``.
            items: size of the catalogue.

        Returns:
            The place in ``wanted`` and the row of each such event, ascending by row.
        """
        found = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
        for start in range(0, len(self) if len(wanted) else 0, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            places = place_among(self.user[part].astype(np.int64) * items + self.item[part], wanted)
            rows = np.flatnonzero(places >= 0)
            found.append((places[rows], rows + start))
        places, rows = (np.concatenate(each) for each in zip(*found, strict=True))
        return places, rows

    @cached_property
    def first_of_moment(self) -> NDArray[np.int64]:
        """The first row of each event's moment: of its user and time, ``[events]``."""
        new = np.ones(len(self), dtype=np.bool_)
        new[1:] = (self.user[1:] != self.user[:-1]) | (self.time[1:] != self.time[:-1])
        return np.maximum.accumulate(np.where(new, np.arange(len(self)), 0))

    def outside_session(
        self, rows: NDArray[np.int64], stop: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which rows above ``stop`` are not of the session of the events at ``rows``.

        What a session holds right before ``stop``, which is nearly always all of it, is cut off; so
        only what other events of the user lie between takes room for each request.

        Args:
            rows: int64 ``[n]``.
            stop: int64 ``[n]``, a row of the same user, or the end of that user's rows.

        Returns:
            int64 ``[n]``, a new ``stop``, and int64 ``[n, most]``, padded with -1, the rows above
            it that share user and session with the event; of one without session there are none.
        """
        order, label, behind, stretch = self._sessions
        if not len(order):
            return stop, np.empty((len(rows), 0), dtype=np.int64)
        own = label[rows]
        begin = np.searchsorted(behind, own * len(self))
        end = np.where(own < 0, begin, np.searchsorted(behind, own * len(self) + stop))
        last = np.maximum(end - 1, 0)
        near = (end > begin) & (order[last] == stop - 1)
        stop = np.where(near, order[stretch[last]], stop)
        count = np.where(near, stretch[last], end) - begin
        places = begin[:, None] + np.arange(int(count.max(initial=0)))
        inside = np.arange(places.shape[1]) < count[:, None]
        return stop, np.where(inside, order[np.minimum(places, len(order) - 1)], -1)

    @cached_property
    def _sessions(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The rows that have a session, by user and session, and what finds them.

        Returns:
            These rows; labels of all rows; keys to search; and for each of the first the place
            where its stretch of rows that follow one another begins.

        A label stands for a user's session, 0 or more; it is -1 for an event without session. The
        keys, ascending, are label times number of events plus row.
        """
        rows = np.flatnonzero(self.session != NO_SESSION)
        order = rows[np.lexsort((rows, self.session[rows], self.user[rows]))]
        label = np.full(len(self), -1, dtype=np.int64)
        stretch = np.zeros(len(order), dtype=np.int64)
        if len(order):
            new = np.zeros(len(order), dtype=np.int64)
            new[1:] = (np.diff(self.user[order]) != 0) | (np.diff(self.session[order]) != 0)
            label[order] = np.cumsum(new)
            begins = (new > 0) | (np.diff(order, prepend=-2) != 1)
            stretch = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
        return order, label, label[order] * len(self) + order, stretch

    @classmethod
    def from_columns(
        cls,
        user: NDArray[np.integer],
        item: NDArray[np.integer],
        time: NDArray[np.integer],
        kind: NDArray[np.integer],
        query: NDArray[np.integer],
        session: NDArray[np.integer],
        users: int,
    ) -> EventLog:
        """Sort the columns by (user, time), stable in the given order, and index the users."""
        order = by_user_and_time(user, time, users)
        sorted_user = user[order].astype(np.int32)
        return cls(
            user=sorted_user,
            item=item[order].astype(np.int32),
            time=time[order].astype(np.int64),
            kind=kind[order].astype(np.uint8),
            query=query[order].astype(np.int32),
            session=session[order].astype(np.int32),
            offsets=np.searchsorted(sorted_user, np.arange(users + 1)).astype(np.int64),
        )

    def select(self, keep: NDArray[np.bool_]) -> EventLog:
        """Return the log of the events where ``keep`` (``[events]``) holds, with the same users."""
        user = self.user[keep]
        return EventLog(
            user=user,
            item=self.item[keep],
            time=self.time[keep],
            kind=self.kind[keep],
            query=self.query[keep],
            session=self.session[keep],
            offsets=np.searchsorted(user, np.arange(self.users + 1)).astype(np.int64),
        )


def by_user_and_time(
    user: NDArray[np.integer], time: NDArray[np.integer], users: int
) -> NDArray[np.intp]:
    """Return the stable order by (user, time)."""
    return order_by((time, user))
