"""Requests outside an evaluation: for a history given by hand, or for a user of a data set."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset
from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError

__all__ = ["RankedItem", "UserRequest", "is_text", "request_after", "request_of_user"]


@dataclass(frozen=True)
class RankedItem:
    """An item that a model gave.

    Attributes:
        item: its id.
        title: what a person calls it.
        score: the model's; only the order has a meaning that all models share.
    """

    item: str
    title: str
    score: float


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


@dataclass(frozen=True)
class UserRequest:
    """A request of a user of a data set.

    Attributes:
        request: the single request.
        relevant: the items that the user took next, where that is known.
    """

    request: Requests
    relevant: tuple[int, ...]


def request_of_user(
    data: Dataset, user: int, task: Task, query: str | None = None
) -> UserRequest | None:
    """Return the user's test request of a task, or one behind all of the user's events.

    Args:
        data: the data set.
        user: its number in the data set.
        task: what is asked for.
        query: words to search for instead of those of the test request.

    Returns:
        ``None`` where search has no words: none are given, and the user has no test request of it.

    Raises:
        InputError: there is no such user.
    """
    if not 0 <= user < data.log.users:
        raise InputError(f"--user {user}: {data.name} has the users 0 to {data.log.users - 1}")
    evaluation = data.evaluation.get(("test", task))
    if evaluation is not None and (evaluation.requests.user == user).any():
        last = evaluation.at(np.flatnonzero(evaluation.requests.user == user)[-1:])
        if query is None:
            return UserRequest(last.requests, tuple(last.relevant.item.tolist()))
        return UserRequest(_asked(last.requests, query), ())
    if task == Task.SEARCH and query is None:
        return None
    stop = data.log.offsets[user + 1]
    latest = data.log.time[stop - 1 : stop] if stop > data.log.offsets[user] else np.zeros(1, int)
    request = Requests.before(
        data.log,
        np.array([stop]),
        task=task,
        user=np.array([user]),
        time=latest + 1,
        query=np.array([NO_QUERY]),
        queries=data.queries,
        items=len(data.items),
        exclude_seen=task == Task.REC and data.about.seen == "exclude",
    )
    return UserRequest(request if query is None else _asked(request, query), ())


def _asked(request: Requests, query: str) -> Requests:
    """Return the request with other words."""
    table = request.queries
    wider = Queries((*table.ids, query), (*table.texts, query), (*table.kinds, "given"))
    return replace(request, queries=wider, query=np.array([len(table)], dtype=np.int32))
