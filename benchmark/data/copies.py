"""Copies of an event: a double click, or a line that was written twice, is one event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.data.card import Copies
from benchmark.data.sources.atomic import Interactions
from benchmark.plain_text import plain

__all__ = ["without_copies"]


def without_copies(inter: Interactions, rule: Copies) -> tuple[Interactions, tuple[str, ...]]:
    """Drop the copies of events, and say in a line how many these are.

    A copy has user, item, kind and query of an event that its user did at most ``rule.within``
    before; of a run of such the first stays, with the best of their grades. What was shown and not
    taken (grade 0) is no event.

    Args:
        inter: events in order of user and time.
        rule: of the card.
    """
    if rule.keep:
        return inter, ()
    events = np.arange(len(inter.user)) if inter.grade is None else np.flatnonzero(inter.grade > 0)
    keys = [column[events] for column in (inter.time, inter.query, inter.item, inter.user)]
    order = np.lexsort(keys)
    time, *same = (key[order] for key in keys)
    within = rule.within * (1000 if inter.scaled else 1)
    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = np.diff(time) <= within
    for column in same:
        again[1:] &= np.diff(column) == 0
    copies = events[order[again]]
    if not len(copies):
        return inter, ()
    kept = np.ones(len(inter.user), dtype=np.bool_)
    kept[copies] = False
    grade = inter.grade
    if grade is not None:
        first = np.flatnonzero(~again)
        grade = grade.copy()
        grade[events[order[first]]] = np.maximum.reduceat(grade[events[order]], first)
    example = int(copies[np.argmin(inter.row[copies])])
    user, item = inter.users[int(inter.user[example])], inter.items[int(inter.item[example])]
    moment = "at the same time" if rule.within == 0 else f"within {rule.within:g}"
    note = (
        f"{len(copies)} of {len(events)} events are copies (same user, item, kind and query,"
        f" {moment}) and are dropped; the first is line {inter.line(example)}: user"
        f" '{plain(user.as_py(), 40)}', item '{plain(item.as_py(), 40)}'"
    )
    return replace(inter, grade=grade).only(kept), (note,)
