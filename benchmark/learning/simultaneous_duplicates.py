"""Twins: events of one user with the same item and time, such as a search kept as a
recommendation too.

A target that can read its own twin learns to copy it, which no request ever lets it do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD

__all__ = ["previous_twins", "searches_first", "steps_to_moment"]


def previous_twins(log: EventLog) -> NDArray[np.int64]:
    """Return the row of the twin before each event, ``PAD`` where there is none."""
    order = np.lexsort((log.item, log.time, log.user))
    before, after = order[:-1], order[1:]
    same = np.ones(len(before), dtype=bool)
    for column in (log.user, log.time, log.item):
        same &= column[before] == column[after]
    previous = np.full(len(log), PAD, dtype=np.int64)
    previous[after[same]] = before[same]
    return previous


def steps_to_moment(log: EventLog) -> NDArray[np.int64]:
    """Return how many rows before each event the first of its user's same time stands.

    int64 ``[events]``; 0 where it is the first itself. There ends what was strictly earlier in
    time; sessions are not looked at, so what an event's own session held earlier stays.
    """
    return np.arange(len(log)) - log.first_of_moment


def searches_first(log: EventLog) -> EventLog:
    """Return the log with searches in front of the other events of their moment.

    Behind its twin a search could not read its own query without reading the twin. A log without
    twins stays as it is.
    """
    if (previous_twins(log) == PAD).all():
        return log
    order = np.lexsort((log.kind != EventSource.SEARCHED, log.time, log.user))
    names = ("user", "item", "time", "kind", "query", "session")
    return replace(log, **{name: getattr(log, name)[order] for name in names})
