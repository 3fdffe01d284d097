"""What is told by many events together: sessions by gaps in time, and users and items that stay."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["core", "sessions_by_gap"]


def sessions_by_gap(
    user: NDArray[np.int32], time: NDArray[np.int64], users: pa.Array, gap: float
) -> tuple[NDArray[np.int32], pa.Array]:
    """Return the session of each event and the sessions' ids: the user's, and a number from 1.

    Args:
        user: ``[events]``, rows of ``users``.
        time: ``[events]``.
        users: ids.
        gap: a session goes on as long as an event is at most this much behind the one before it.
    """
    order = np.lexsort((time, user))
    sorted_user, sorted_time = user[order], time[order]
    other_user = np.ones(len(order), dtype=np.bool_)
    other_user[1:] = sorted_user[1:] != sorted_user[:-1]
    new = other_user.copy()
    new[1:] |= np.diff(sorted_time) > gap
    number = np.cumsum(new) - 1
    session = np.empty(len(order), dtype=np.int32)
    session[order] = number
    first = np.flatnonzero(new)
    # Numbered from 1 within each user, whatever the order of users.
    base = np.maximum.accumulate(np.where(other_user[first], np.arange(len(first)), 0))
    place = np.arange(len(first)) - base + 1
    names = users.take(pa.array(sorted_user[first])).cast(pa.large_string())
    ids = pc.binary_join_element_wise(
        names, pa.array(place).cast(pa.large_string()), pa.scalar(":", pa.large_string())
    )
    return session, ids


def core(
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    counts: NDArray[np.bool_],
    least_user: int,
    least_item: int,
) -> NDArray[np.bool_]:
    """Return which events stay where users and items need so many events, all at once.

    Args:
        user: ``[events]``; likewise ``item``.
        counts: ``[events]``, which of them are counted; the others stay with user and item.
        least_user: events that a user needs; likewise ``least_item``. 1 asks for nothing, so that
            what was shown and never taken stays.
    """
    keep = np.ones(len(user), dtype=np.bool_)
    while True:
        counted = keep & counts
        users = np.bincount(user[counted], minlength=int(user.max(initial=-1)) + 1)
        items = np.bincount(item[counted], minlength=int(item.max(initial=-1)) + 1)
        stay = keep.copy()
        if least_user > 1:
            stay &= users[user] >= least_user
        if least_item > 1:
            stay &= items[item] >= least_item
        if (stay == keep).all():
            return keep
        keep = stay
