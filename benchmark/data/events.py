"""EventLog: all behaviour of all users as columns, sorted by user and time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_QUERY", "NO_SESSION", "EventLog", "EventSource"]

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
        order = _order(user, time, users)
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


def _order(user: NDArray[np.integer], time: NDArray[np.integer], users: int) -> NDArray[np.intp]:
    """Return the stable order by (user, time); by one joint key where it fits 63 bits."""
    first = int(time.min()) if len(time) else 0
    span = int(time.max(initial=first)) - first + 1
    if span * max(users, 1) >= 2**62:
        return np.lexsort((time, user))
    key = user.astype(np.int64) * span + (time.astype(np.int64) - first)
    return np.argsort(key, kind="stable")
