"""Requests of a user of a data set, outside an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset
from benchmark.data.events import NO_QUERY
from benchmark.data.request_by_hand import is_text, request_after
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError, did_you_mean
from benchmark.model_protocols import RankedItem

__all__ = [
    "RankedItem",
    "UserRequest",
    "is_text",
    "number_of_user",
    "request_after",
    "request_of_user",
]


@dataclass(frozen=True)
class UserRequest:
    """A request of a user of a data set.

    Attributes:
        request: the single request.
        relevant: the items that the user took next, where that is known.
    """

    request: Requests
    relevant: tuple[int, ...]


def number_of_user(data: Dataset, user: str) -> int:
    """Return the number of the user that the data's files call so.

    Raises:
        InputError: there is no such user.
    """
    if user not in data.users:
        numbers = user.isdecimal()  # one number is like any other
        hint = (
            f"; {data.users[0]} is one"
            if numbers and data.users
            else did_you_mean(user, data.users)
        )
        raise InputError(f"--user: {data.name} has no user '{user}'{hint}")
    return data.users.index(user)


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
        exclude_seen=str(task) in data.about.exclude_seen,
    )
    return UserRequest(request if query is None else _asked(request, query), ())


def _asked(request: Requests, query: str) -> Requests:
    """Return the request with other words."""
    table = request.queries
    wider = Queries((*table.ids, query), (*table.texts, query), (*table.kinds, "given"))
    return replace(request, queries=wider, query=np.array([len(table)], dtype=np.int32))
