"""What a reader of any published format returns: events, items and queries as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["TEST", "TRAINING", "VALIDATION", "Interactions", "Origin", "Source", "Texts"]

TRAINING, VALIDATION, TEST = 0, 1, 2
"""Values of :attr:`Interactions.part`."""

_CODED = {"user": "users", "item": "items", "query": "queries", "session": "sessions"}

Origin = Callable[[int], tuple[Path, int]]
"""Tells of a row (from 0, counted over all files of events) its file, and its line there."""


@dataclass(frozen=True)
class Interactions:
    """Events, and what was shown and not taken.

    Attributes:
        user: int32 ``[events]``, index into ``users``.
        item: int32 ``[events]``, index into ``items``.
        time: int64 ``[events]``, 0 or more.
        query: int32 ``[events]``, index into ``queries``; -1 where the event is no search.
        session: int32 ``[events]``, index into ``sessions``; -1 where there is none.
        users: ids, distinct strings; likewise ``items``, ``queries`` and ``sessions``.
        row: int64 ``[events]``, the row that each event comes from, from 0.
        origin: finds a row in the files.
        steps: of ``time`` in one of the source's units; 0 where times are only ranks.
        grade: float32 ``[events]``: 0 was shown and not taken, and is a candidate of its request;
            more is the grade of the event. ``None`` where all events count alike.
        part: uint8 ``[events]``, ``TRAINING``, ``VALIDATION`` or ``TEST`` as the source splits its
            events; ``None`` where it does not.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    query: NDArray[np.int32]
    session: NDArray[np.int32]
    users: pa.Array
    items: pa.Array
    queries: pa.Array
    sessions: pa.Array
    row: NDArray[np.int64]
    origin: Origin
    steps: int = 1
    grade: NDArray[np.float32] | None = None
    part: NDArray[np.uint8] | None = None

    def where(self, event: int) -> tuple[Path, int]:
        """Return the file, and the line of it, that ``event`` comes from."""
        return self.origin(int(self.row[event]))

    def only(self, keep: NDArray[np.bool_] | NDArray[np.integer]) -> Interactions:
        """Return some events, by a mask (``[events]``) or by place; ids stay as they are."""
        names = ("user", "item", "time", "query", "session", "row")
        columns: dict[str, Any] = {name: getattr(self, name)[keep] for name in names}
        for name in ("grade", "part"):
            column = getattr(self, name)
            columns[name] = None if column is None else column[keep]
        return replace(self, **columns)

    def compact(self) -> Interactions:
        """Return the same events without the ids that none of them has."""
        changed: dict[str, Any] = {}
        for one, all_ids in _CODED.items():
            codes, ids = getattr(self, one), getattr(self, all_ids)
            used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(ids)))
            place = np.full(len(ids) + 1, -1, dtype=np.int32)
            place[used] = np.arange(len(used))
            changed |= {one: place[codes], all_ids: ids.take(pa.array(used, pa.int64()))}
        return replace(self, **changed)


@dataclass(frozen=True)
class Texts:
    """A table of items or queries.

    Attributes:
        ids: distinct strings, ``[rows]``.
        columns: text by name, ``[rows]`` each, "" where there is none.
    """

    ids: pa.Array
    columns: Mapping[str, pa.Array]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.integer] | pa.Array) -> Texts:
        """Return the table with the rows in the order of ``rows``."""
        rows = pa.array(rows)
        return Texts(self.ids.take(rows), {n: c.take(rows) for n, c in self.columns.items()})


@dataclass(frozen=True)
class Source:
    """What the files of a data set hold.

    Attributes:
        inter: the events, each of an item of ``items`` and with no query or one of ``queries``.
        items: the catalogue; without a file for it, the items of the events, without columns.
        queries: with the column ``query``, the words; ``None`` where there are no searches.
        notes: choices made, one line each; what is cleaned is told to the reader's ``Cleaning``.
    """

    inter: Interactions
    items: Texts
    queries: Texts | None
    notes: tuple[str, ...] = ()
