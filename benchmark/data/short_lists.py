"""Requests that leave little or nothing to choose from: what every model answers, nobody is asked.

A user who touched nearly everything, or a query that leads nearly everywhere, leaves few wrong
items. Its list is its own affair: it does not shorten the others', and where it is too short the
request is left out of the protocol and counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Relevant
from benchmark.data.keys import distinct

__all__ = ["drawn_lists", "given_lists", "with_a_choice"]

_REQUESTS_AT_ONCE = 4096


def drawn_lists(
    lists: CandidateLists, relevant: Relevant, wanted: int, which: str
) -> tuple[CandidateLists, list[str]]:
    """Empty the lists with too few negatives, and tell of these and of a small catalogue.

    Where most requests have the ``wanted`` negatives, whoever has fewer is left out. Where most
    have not, the catalogue is small: then lists keep what they can have, and those are too short
    that have fewer than half of the median.

    Args:
        lists: relevant items among negatives, one list for each request.
        relevant: to the requests.
        wanted: negatives of a full list.
        which: part and task, for what is told.
    """
    drawn = lists.lengths - relevant.per_request(len(lists))
    median = int(np.median(drawn)) if len(drawn) else wanted
    least = wanted if median >= wanted else max(1, -(-median // 2))
    notes, short = [], drawn < least
    if short.any():
        notes.append(
            f"{which}: {short.sum()} of {len(lists)} requests are left out of sampled, as they can"
            f" have fewer than {least} negatives ({drawn[short].min()} at least)"
        )
    if least < wanted and not short.all():
        kept = drawn[~short]
        notes.append(
            f"{which}: sampled lists hold {kept.min()} to {kept.max()} negatives in place of"
            f" {wanted}, as the catalogue has no more items for them"
        )
    return lists.without(short[lists.owner]), notes


def given_lists(
    lists: CandidateLists, relevant: Relevant, which: str
) -> tuple[CandidateLists, list[str]]:
    """Empty the lists that hold nothing but relevant items, and tell how many these are.

    Every one of ``relevant`` stands in its list.
    """
    bare = lists.lengths == relevant.per_request(len(lists))
    if not bare.any():
        return lists, []
    note = (
        f"{which}: {bare.sum()} of {len(lists)} requests are left out of given, as their lists hold"
        " nothing but relevant items"
    )
    return lists.without(bare[lists.owner]), [note]


def with_a_choice(whole: EvaluationSet, longest: int) -> EvaluationSet | None:
    """Return the requests for which the whole catalogue holds at least one wrong candidate.

    ``None`` where none has. What stands in the history is no candidate where
    ``requests.exclude_seen`` holds.

    Args:
        whole: the requests.
        longest: the most events of any user; where these leave room, no history is looked at.
    """
    relevant = whole.relevant.per_request(len(whole))
    if longest + int(relevant.max(initial=0)) < whole.requests.items:
        return whole
    kept = np.flatnonzero(_wrong_items(whole) > 0)
    if len(kept) == len(whole):
        return whole
    return whole.at(kept) if len(kept) else None


def _wrong_items(whole: EvaluationSet) -> NDArray[np.int64]:
    requests = whole.requests
    wrong = requests.items - whole.relevant.per_request(len(whole))
    if not requests.exclude_seen:
        return wrong
    for start in range(0, len(whole), _REQUESTS_AT_ONCE):
        part = requests[start : start + _REQUESTS_AT_ONCE]
        offsets, seen = part.seen()
        owner = np.repeat(np.arange(len(part)), np.diff(offsets))
        owner = distinct(owner * requests.items + seen) // requests.items
        wrong[start : start + len(part)] -= np.bincount(owner, minlength=len(part))
    return wrong
