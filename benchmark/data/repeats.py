"""Relevant items that stand in their request's own history, where the history is left out.

Ranking such an item among unseen ones would hand the answer to whoever scores, and hiding it would
put it out of reach of whoever generates; so it is not asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Relevant, Repeated
from benchmark.data.events import EventLog
from benchmark.data.grouping import kind_of
from benchmark.data.keys import distinct
from benchmark.data.requests import Requests, Task

__all__ = ["in_history", "repeated_share", "without_repeats"]


def in_history(whole: EvaluationSet) -> NDArray[np.bool_]:
    """Return which relevant items stand in the history of their request, ``[rows]``."""
    return whole.requests.holds(whole.relevant.request, whole.relevant.item)


def without_repeats(whole: EvaluationSet, again: NDArray[np.bool_]) -> EvaluationSet | None:
    """Return the requests without the relevant items of their own histories.

    Those are no candidates any more either. A request that has no other relevant item is left out;
    ``None`` where that leaves none.

    Args:
        whole: the requests.
        again: bool ``[rows]``, which relevant items are such, as :func:`in_history` tells.
    """
    if not again.any():
        return whole
    relevant = whole.relevant.only(~again)
    kept = distinct(relevant.request)
    if not len(kept):
        return None
    repeats = whole.relevant.only(again)
    lists = {protocol: _without(each, repeats) for protocol, each in whole.lists.items()}
    counted = Repeated(int(again.sum()), len(whole) - len(kept), _twins(whole.requests, repeats))
    return replace(whole, relevant=relevant, lists=lists, repeated=counted).at(kept)


def _twins(requests: Requests, repeats: Relevant) -> int:
    """Count the requests of which a repeat stands in the history from the request's own time."""
    near = np.flatnonzero(requests.reach_own_time())
    asked, items = repeats.at(near), requests.items
    offsets, seen = requests[near].seen(own_time=True)
    own = np.repeat(np.arange(len(near)), np.diff(offsets)) * items + seen
    return len(np.unique(asked.request[np.isin(asked.request * items + asked.item, own)]))


def _without(lists: CandidateLists, repeats: Relevant) -> CandidateLists:
    places = lists.place(repeats.request, repeats.item)
    drop = np.zeros(len(lists.items), dtype=np.bool_)
    drop[places[places >= 0]] = True
    return lists.without(drop)


def repeated_share(log: EventLog, task: Task, items: int) -> float:
    """Return the share of a task's events whose user had the item at an earlier time, 0 of none.

    Args:
        log: all events; how the user came to the item earlier does not matter.
        task: whose events are looked at.
        items: size of the catalogue.
    """
    rows = log.rows_of_kind[kind_of(task)]
    if not len(rows):
        return 0.0
    keys = log.user.astype(np.int64) * items + log.item
    pairs, pair = np.unique(keys, return_inverse=True)
    first = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(first, pair, log.time)
    return float((log.time[rows] > first[pair[rows]]).mean())
