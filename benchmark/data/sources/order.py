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

from benchmark.data.sources.source import Interactions, Texts

__all__ = ["events_in_order", "texts_in_order"]

_PRIME = np.uint64(0x9E3779B97F4A7C15)


def events_in_order(inter: Interactions) -> Interactions:
    """Return the events sorted, with ids numbered in their order."""
    users, user = _numbered(inter.users, inter.user)
    items, item = _numbered(inter.items, inter.item)
    queries, query = _numbered(inter.queries, inter.query)
    sessions, session = _numbered(inter.sessions, inter.session)
    lot = _lot(((users, user), (items, item), (queries, query), (sessions, session)))
    grade = np.zeros(len(user)) if inter.grade is None else -inter.grade
    order = np.lexsort((grade, lot, inter.time, user))
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


def _lot(columns: tuple[tuple[pa.Array, NDArray[np.int32]], ...]) -> NDArray[np.uint64]:
    """Return a hash of the ids of each event, ``[events]``: the same on every machine."""
    total = np.zeros(len(columns[0][1]), dtype=np.uint64)
    for ids, codes in columns:
        texts = np.append(ids.to_numpy(zero_copy_only=False).astype(object), "")
        # Multiplied and shifted in between, so that equal ids in two columns do not cancel out.
        total = (total ^ (total >> np.uint64(31))) * _PRIME
        total += pd.util.hash_array(texts, categorize=False)[codes]
    total ^= total >> np.uint64(29)
    return total * _PRIME
