"""Copies of an event: a double click, or a line that was written twice, is one event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.data.card import Copies
from benchmark.data.keys import order_by
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.source import Interactions
from benchmark.plain_text import plain

__all__ = ["without_copies"]

_MANY = 0.05
"""Of all events: more copies are more than a few double clicks."""


def without_copies(inter: Interactions, rule: Copies, cleaning: Cleaning) -> Interactions:
    """Return the events without copies of another one.

    A copy has user, item, kind and query of an event that its user did at most ``rule.within``
    before, or at the same time where times are only ranks; of a run of such the first stays, with
    the best of their grades. What was shown and not taken (grade 0) is no event.

    Args:
        inter: events in order of user and time.
        rule: of the card.
        cleaning: is told how many copies there are, and the first.

    Raises:
        InputError: the card is strict, and there are copies.
    """
    if rule.keep:
        return inter
    events = np.arange(len(inter.user)) if inter.grade is None else np.flatnonzero(inter.grade > 0)
    keys = [column[events] for column in (inter.time, inter.query, inter.item, inter.user)]
    order = order_by(keys)
    time, *same = (key[order] for key in keys)
    within = rule.within * inter.steps
    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = np.diff(time) <= within
    for column in same:
        again[1:] &= np.diff(column) == 0
    copies = events[order[again]]
    if not len(copies):
        return inter
    kept = np.ones(len(inter.user), dtype=np.bool_)
    kept[copies] = False
    grade = inter.grade
    if grade is not None:
        first = np.flatnonzero(~again)
        grade = grade.copy()
        grade[events[order[first]]] = np.maximum.reduceat(grade[events[order]], first)
    example = int(copies[np.argmin(inter.row[copies])])
    user, item = inter.users[int(inter.user[example])], inter.items[int(inter.item[example])]
    moment = "at the same time" if within == 0 else f"within {rule.within:g}"
    fault = (
        f"user '{plain(user.as_py(), 40)}', item '{plain(item.as_py(), 40)}' stands there again"
        f" {moment}, of the same kind and query"
    )
    count = f"{len(copies)} of {len(events)} events are copies"
    remedy = "they are dropped"
    if len(copies) > _MANY * len(events):
        remedy += (
            f", {len(copies) / len(events):.0%} of all: was a file written twice, or joined to"
            " another? If people did the same again, let the card say copies: {keep: true}"
        )
    cleaning.report(*inter.where(example), fault, count, remedy)
    return replace(inter, grade=grade).only(kept)
