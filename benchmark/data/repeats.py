"""Relevant items that stand in their request's own history, where the history is left out.

Ranking such an item among unseen ones would hand the answer to whoever scores, and hiding it would
put it out of reach of whoever generates; so it is not asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Relevant, Repeated
from benchmark.data.requests import Requests

__all__ = ["in_history", "without_repeats"]

_REQUESTS_AT_ONCE = 4096


def in_history(requests: Requests, owner: NDArray[np.int64], item: NDArray) -> NDArray[np.bool_]:
    """Return which items stand in the history of their request, ``[rows]``.

    Args:
        requests: the requests.
        owner: int64 ``[rows]``, ascending numbers of requests.
        item: ``[rows]``.
    """
    parts = [np.zeros(0, dtype=np.bool_)]
    for start in range(0, len(requests), _REQUESTS_AT_ONCE):
        stop = min(start + _REQUESTS_AT_ONCE, len(requests))
        offsets, seen = requests[start:stop].seen()
        own = np.repeat(np.arange(start, stop), np.diff(offsets)) * requests.items + seen
        part = slice(*np.searchsorted(owner, [start, stop]))
        parts.append(np.isin(owner[part] * requests.items + item[part], own))
    return np.concatenate(parts)


def without_repeats(whole: EvaluationSet) -> EvaluationSet | None:
    """Return the requests without the relevant items of their own histories.

    Those are no candidates any more either. A request that has no other relevant item is left out;
    ``None`` where that leaves none.
    """
    again = in_history(whole.requests, whole.relevant.request, whole.relevant.item)
    if not again.any():
        return whole
    relevant = whole.relevant.only(~again)
    kept = np.unique(relevant.request)
    if not len(kept):
        return None
    repeats = whole.relevant.only(again)
    lists = {
        protocol: _without(candidates, repeats, whole.requests.items)
        for protocol, candidates in whole.lists.items()
    }
    counted = Repeated(int(again.sum()), len(whole) - len(kept))
    return replace(whole, relevant=relevant, lists=lists, repeated=counted).at(kept)


def _without(lists: CandidateLists, repeats: Relevant, items: int) -> CandidateLists:
    keys = lists.owner * items + lists.items
    return lists.without(np.isin(keys, repeats.request * items + repeats.item))
