"""Prepared data: everything that is expensive about a data set, as arrays and texts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Items, Queries
from benchmark.data.dataset import Part
from benchmark.data.evaluation_set import CandidateLists, Protocol, Relevant
from benchmark.data.events import EventLog
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn

__all__ = ["Prepared", "PreparedRequests", "RequestsByPart", "digest_candidates", "digest_content"]


@dataclass(frozen=True)
class PreparedRequests:
    """Requests of one part and task, before any is left out because it repeats.

    Attributes:
        first: int64 ``[requests]``, the log row that tells user, time and query.
        stop: int64 ``[requests]``, the log row behind the history.
        omit: int64 ``[requests, n]``, rows left out of the history; ``PAD`` fills.
        relevant: what is relevant.
        lists: candidates, ``sampled`` and where the data brings them ``given``.
    """

    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    omit: NDArray[np.int64]
    relevant: Relevant
    lists: Mapping[Protocol, CandidateLists]


RequestsByPart = Mapping[tuple[Part, Task], PreparedRequests]


@dataclass(frozen=True)
class Prepared:
    """What the cache keeps.

    Attributes:
        users: the source's identifiers, ``[users]``.
        train: bool ``[events]``, the events that models learn from.
        queries_digest: of the simulated queries, "" where the files hold their own.
        content_digest: over everything derived but the candidates.
        candidates_digest: over all lists of candidates.
        notes: compromises to tell the user, one line each.
    """

    log: EventLog
    users: Sequence[str]
    items: Items
    queries: Queries
    train: NDArray[np.bool_]
    requests: RequestsByPart
    queries_digest: str
    content_digest: str
    candidates_digest: str
    notes: tuple[str, ...]


def digest_candidates(requests: RequestsByPart) -> str:
    """Return the SHA-256 (hex) over all lists of candidates."""
    digest = hashlib.sha256()
    for which, asked in sorted(requests.items(), key=_order):
        for protocol, lists in sorted(asked.lists.items()):
            digest.update(" ".join([*which, protocol]).encode())
            _add(digest, lists.offsets)
            _add(digest, lists.items)
    return digest.hexdigest()


def digest_content(
    log: EventLog,
    items: Items,
    queries: Queries,
    train: NDArray[np.bool_],
    requests: RequestsByPart,
) -> str:
    """Return the SHA-256 (hex) over log, tables, split and requests."""
    digest = hashlib.sha256()
    for column in (log.user, log.item, log.time, log.kind, log.query, log.session, train):
        _add(digest, column)
    for which, asked in sorted(requests.items(), key=_order):
        digest.update(" ".join(which).encode())
        relevant = asked.relevant
        for rows in (asked.first, asked.stop, asked.omit, relevant.request):
            _add(digest, rows)
        _add(digest, relevant.item)
        _add(digest, relevant.gain)
    for texts in (items.ids, items.texts, queries.ids, queries.texts, queries.kinds):
        for lines in TextColumn(texts).lines():
            digest.update(lines)
    return digest.hexdigest()


def _order(entry: tuple[tuple[Part, Task], PreparedRequests]) -> tuple[str, str]:
    (part, task), _ = entry
    return part, task.value


def _add(digest: Any, column: NDArray) -> None:
    """Add an array with its type and shape, in the same bytes on every machine."""
    little = column.dtype.newbyteorder("<")
    digest.update(f"{little.str}{column.shape}".encode())
    digest.update(np.ascontiguousarray(column, dtype=little).reshape(-1).view(np.uint8))
