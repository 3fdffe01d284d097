"""Logs whose rows are requests: each with what was shown for it and what its user took of that.

A request keeps its moment and stays one: its session is itself, so that two searches of one user
with the same words at different times are asked apart.

Such logs also tell, with a request, what its user had clicked *recently*, without a moment and
without the request that led there. These clicks stand in histories and are never asked for. A list
may well hold what its user clicks in this very request, or later: so only what the log never shows
its user to take is taken from it, once, a unit of time before the first request that tells it (of
one moment, one that trains).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.source import (
    BACKGROUND,
    HISTORY,
    TRAINING,
    Interactions,
    Origin,
)

__all__ = ["LoggedRequests", "ids_of", "interactions"]


@dataclass(frozen=True)
class LoggedRequests:
    """Requests, what was shown for them, and what their users had clicked before.

    Attributes:
        user: int32 ``[requests]``, index into ``users``.
        time: int64 ``[requests]``.
        query: int32 ``[requests]``, index into ``queries``; -1 where the request is no search.
        part: uint8 ``[requests]``, as :attr:`Interactions.part`.
        row: int64 ``[requests]``, the row of the files that each is told by.
        request: int64 ``[shown]``, the request that each item was shown for.
        item: int32 ``[shown]``, index into ``items``.
        grade: float32 ``[shown]``, 0 where it was not taken.
        recent_request: int64 ``[recent]``, the request that each click is told with.
        recent_item: int32 ``[recent]``.
        users: ids; likewise ``items`` and ``queries``.
    """

    user: NDArray[np.int32]
    time: NDArray[np.int64]
    query: NDArray[np.int32]
    part: NDArray[np.uint8]
    row: NDArray[np.int64]
    request: NDArray[np.int64]
    item: NDArray[np.int32]
    grade: NDArray[np.float32]
    recent_request: NDArray[np.int64]
    recent_item: NDArray[np.int32]
    users: pa.Array
    items: pa.Array
    queries: pa.Array


def interactions(
    log: LoggedRequests, origin: Origin, steps: int = 1
) -> tuple[Interactions, tuple[str, ...]]:
    """Return the events and exposures of a log, and what there is to tell.

    An item that was shown several times for a request counts once, with the best of its grades.
    Times below 0 are counted from the earliest.

    Args:
        log: the requests.
        origin: finds a row in the files.
        steps: as :attr:`Interactions.steps`, 0 where times say no more than an order.
    """
    once = _once(log.request * len(log.items) + log.item, -log.grade)
    request, item, grade = log.request[once], log.item[once], log.grade[once]
    told, earlier = _told(log, request[grade > 0], item[grade > 0])
    owner = np.concatenate([request, told])
    recent = np.arange(len(owner)) >= len(request)
    part = log.part[owner]
    part[recent] = np.where(part[recent] == TRAINING, BACKGROUND, HISTORY)
    time = log.time[owner] - recent
    notes = []
    if (lowest := int(time.min(initial=0))) < 0:
        time -= lowest
        notes.append(f"times begin at {lowest}; they are counted from there")
    if len(told):
        notes.append(
            f"{len(told)} recent clicks that the log does not show stand in histories, and are"
            " never asked for"
        )
    inter = Interactions(
        user=log.user[owner],
        item=np.concatenate([item, earlier]),
        time=time,
        query=np.where(recent, np.int32(-1), log.query[owner]),
        session=np.where(recent, np.int32(-1), owner.astype(np.int32)),
        users=log.users,
        items=log.items,
        queries=log.queries,
        sessions=pc.cast(pa.array(np.arange(len(log.user))), pa.string()),
        row=log.row[owner],
        origin=origin,
        steps=steps,
        grade=np.concatenate([grade, np.ones(len(told), dtype=np.float32)]),
        part=part,
    )
    return inter.compact(), tuple(notes)


def _told(
    log: LoggedRequests, request: NDArray[np.int64], item: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the recent clicks that the log does not show: the first request of each, its item.

    Args:
        log: the requests.
        request: of each event, ``[events]``.
        item: of each event.
    """
    pairs = log.user[log.recent_request].astype(np.int64) * len(log.items) + log.recent_item
    first = _once(pairs, log.part[log.recent_request], log.time[log.recent_request])
    known = log.user[request].astype(np.int64) * len(log.items) + item
    first = first[~np.isin(pairs[first], known)]
    return log.recent_request[first], log.recent_item[first]


def _once(keys: NDArray[np.int64], *best: NDArray) -> NDArray[np.int64]:
    """Return the place of each distinct key where the last of ``best`` is least, then the others.

    Places are ascending.
    """
    order = np.lexsort((*best, keys))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = keys[order][1:] != keys[order][:-1]
    return np.sort(order[new])


def ids_of(values: NDArray[np.int64]) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes of integers, and the distinct integers as strings, ascending."""
    distinct, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int32), pc.cast(pa.array(distinct), pa.string())
