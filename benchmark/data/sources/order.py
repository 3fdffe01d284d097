"""The order of a source's events and the numbers of its ids hang on what its files say, not on the
order of their lines.

Users, items, queries and sessions are numbered in the order of their ids as UTF-8 bytes. Events are
sorted by user and time; of one user's events at one time the order is drawn by lot: by a hash of
user, item, query and session. (By item id, what has a high id would systematically come last, and
be asked for where the last event tests.) Where a source has no clock but positions, these are the
times, and there are no ties.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.keys import order_by
from benchmark.data.sources.source import Interactions, Texts

__all__ = ["events_in_order", "texts_in_order"]

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_AT_ONCE = 2**20

Columns = tuple[tuple[pa.Array, NDArray[np.int32]], ...]
"""Ids, and the number that each event has among them; -1 where it has none."""


def events_in_order(inter: Interactions) -> Interactions:
    """Return the events sorted, with ids numbered in their order."""
    users, user = _numbered(inter.users, inter.user)
    items, item = _numbered(inter.items, inter.item)
    queries, query = _numbered(inter.queries, inter.query)
    sessions, session = _numbered(inter.sessions, inter.session)
    order = order_by((inter.time, user))
    columns = ((users, user), (items, item), (queries, query), (sessions, session))
    _draw_lots(order, user, inter.time, inter.grade, columns)
    renumbered = replace(
        inter,
        user=user,
        item=item,
        query=query,
        session=session,
        users=users,
        items=items,
        queries=queries,
        sessions=sessions,
    )
    return renumbered.only(order)


def texts_in_order(texts: Texts) -> Texts:
    """Return a table of texts sorted by id."""
    return texts.take(pc.sort_indices(texts.ids))


def _numbered(ids: pa.Array, codes: NDArray[np.int32]) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return ids in order, and codes that lead to them; -1 stays."""
    order = pc.sort_indices(ids)
    number = np.full(len(ids) + 1, -1, dtype=np.int32)
    number[order.to_numpy()] = np.arange(len(ids), dtype=np.int32)
    return ids.take(order), number[codes]


def _draw_lots(
    order: NDArray[np.intp],
    user: NDArray[np.int32],
    time: NDArray[np.int64],
    grade: NDArray[np.float32] | None,
    columns: Columns,
) -> None:
    """Put the events of one user and time in the order of their lots, in place.

    Args:
        order: of the events by user and time.
        user: ``[events]``.
        time: ``[events]``.
        grade: of two events with one lot the better one comes first.
        columns: what lots are drawn by.
    """
    same = (np.diff(user[order]) == 0) & (np.diff(time[order]) == 0)
    tied = np.append(same, False) | np.append(False, same)
    places = np.flatnonzero(tied)
    moment = np.cumsum(~np.append(False, same))[places]
    events = order[places]
    if 2 * len(events) > len(order):  # looked up in the order of the files, which is quicker
        lot = _lot(columns)[events]
    else:
        lot = _lot(tuple((ids, codes[events]) for ids, codes in columns))
    # The first bits of a lot decide nearly always; so one number holds what there is to sort by.
    bits = 62 - int(moment.max(initial=0)).bit_length()
    key = (moment << bits) | (lot >> np.uint64(64 - bits)).astype(np.int64)
    sorting = np.argsort(key, kind="stable")
    same = np.diff(key[sorting]) == 0
    doubtful = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(doubtful):
        rows = sorting[doubtful]
        keys: list[NDArray] = [lot[rows], key[rows]]
        if grade is not None:
            keys.insert(0, -grade[events[rows]])
        sorting[doubtful] = rows[np.lexsort(keys)]
    order[places] = events[sorting]


def _lot(columns: Columns) -> NDArray[np.uint64]:
    """Return a hash of the ids of each event, ``[events]``: the same on every machine."""
    total = np.zeros(len(columns[0][1]), dtype=np.uint64)
    for ids, codes in columns:
        # Multiplied and shifted in between, so that equal ids in two columns do not cancel out.
        total = (total ^ (total >> np.uint64(31))) * _PRIME
        total += _hashes(ids, codes)
    total ^= total >> np.uint64(29)
    return total * _PRIME


def _hashes(ids: pa.Array, codes: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return the hash of each event's id, ``[events]``; that of "" where it has none.

    Only ids that occur are hashed, some at a time, as each is a Python object meanwhile.
    """
    used = np.zeros(len(ids) + 1, dtype=np.bool_)
    used[codes] = True
    hashes = np.zeros(len(ids) + 1, dtype=np.uint64)
    rows = np.flatnonzero(used[:-1])
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        texts = ids.take(pa.array(some)).to_numpy(zero_copy_only=False).astype(object)
        hashes[some] = pd.util.hash_array(texts, categorize=False)
    hashes[-1] = pd.util.hash_array(np.array([""], dtype=object), categorize=False)[0]
    return hashes[codes]
