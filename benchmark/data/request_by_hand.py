"""A request behind a history that is given by hand, of a user who is in no data set."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from benchmark.data.catalogue import Queries
from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError, did_you_mean

__all__ = ["is_text", "request_after", "request_by_ids"]


def is_text(words: str) -> bool:
    """Return whether a text has neither control characters nor halves of surrogate pairs."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in words)


def request_after(
    history: Sequence[tuple[int, str | None]],
    items: int,
    task: Task,
    query: str | None,
    exclude_seen: bool,
) -> Requests:
    """Return one request of a user who is in no data set.

    Args:
        history: the user's events, oldest first: row of the item in the catalogue, and the query
            that it was found by, if it was.
        items: number of items of the catalogue.
        task: what is asked for.
        query: the words that are searched for; ``None`` for recommendation.
        exclude_seen: whether items of the history are left out of the answer.
    """
    texts = list(dict.fromkeys(q for q in (*(q for _, q in history), query) if q is not None))
    row = {text: number for number, text in enumerate(texts)}
    asked = [NO_QUERY if q is None else row[q] for _, q in history]
    nobody = np.zeros(len(history), dtype=np.int64)
    log = EventLog.from_columns(
        user=nobody,
        item=np.array([item for item, _ in history], dtype=np.int64),
        time=np.arange(len(history)),
        kind=np.array(
            [EventSource.RECOMMENDED if q == NO_QUERY else EventSource.SEARCHED for q in asked]
        ),
        query=np.array(asked, dtype=np.int64),
        session=nobody - 1,
        users=1,
    )
    return Requests.before(
        log,
        np.array([len(history)]),
        task=task,
        user=np.zeros(1, dtype=np.int32),
        time=np.array([len(history)]),
        query=np.array([NO_QUERY if query is None else row[query]]),
        queries=Queries(tuple(texts), tuple(texts), ("given",) * len(texts)),
        items=items,
        exclude_seen=exclude_seen,
    )


def request_by_ids(
    history: Sequence[str | tuple[str, str]],
    ids: Sequence[str],
    task: Task,
    query: str | None,
    exclude_seen: bool,
) -> Requests:
    """Return one request of a user who is in no data set, by the ids of items.

    Args:
        history: oldest first: an item's id, or an item's id and the words that it was found by.
        ids: of the catalogue, in its order.
        task: what is asked for.
        query: the words that are searched for; ``None`` for recommendation.
        exclude_seen: whether items of the history are left out of the answer.

    Raises:
        InputError: an item is unknown, or words are no text.
    """
    row = {item: number for number, item in enumerate(ids)}
    events = [(event, None) if isinstance(event, str) else event for event in history]
    for item, _ in events:
        if item not in row:
            raise InputError(f"unknown item '{item}'{did_you_mean(item, row)}")
    for words in (query, *(own for _, own in events)):
        if words is not None and not is_text(words):
            raise InputError("words of a search have control characters or are no UTF-8")
    known = [(row[item], words) for item, words in events]
    return request_after(known, len(row), task, query, exclude_seen)
