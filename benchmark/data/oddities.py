"""What looks wrong about events, though it can be read: a line each, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from benchmark.data.days import UNITS, moment_of, unit_of
from benchmark.data.events import EventLog
from benchmark.data.text_column import TextColumn
from benchmark.plain_text import plain

__all__ = ["odd_events", "odd_texts"]

_FEW = 20
"""Events of fewer than so many say nothing."""
_OWN = 0.95
"""Of events: as many users, or items, and they look like the numbers of the rows."""
_HALF = 0.5


def odd_events(
    log: EventLog,
    users: Sequence[str],
    items: Sequence[str],
    split: str,
    now: datetime | None = None,
) -> Iterator[str]:
    """Yield a line for each thing about the events that is likely to be a mistake.

    Args:
        log: all events.
        users: the source's identifiers.
        items: likewise.
        split: by its name; the order of events matters to all but ``official``.
        now: the present, by default that of the machine; later events cannot have been logged.
    """
    if len(log) < _FEW:
        return
    if split != "official":
        yield from _without_order(log)
    yield from _of_the_future(log, now or datetime.now(timezone.utc))
    columns = {
        "user": (np.diff(log.offsets), users),
        "item": (np.bincount(log.item, minlength=len(items)), items),
    }
    for what, (counts, ids) in columns.items():
        yield from _like_row_numbers(what, counts)
        yield from _one_has_most(what, counts, ids)


def odd_texts(texts: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    """Yield a line if most items have no text, though the card names columns of it.

    Args:
        texts: of the items.
        columns: that the card's title and text name.
    """
    column = TextColumn(texts)
    empty = int((~column.filled).sum())
    if columns and empty > _HALF * len(column):
        named = ", ".join(f"'{plain(name, 40)}'" for name in columns)
        yield (
            f"{empty} of {len(column)} items have no text in {named}: nothing that reads texts can"
            " tell them apart; name other columns as title and text in the card, or none"
        )


def _without_order(log: EventLog) -> Iterator[str]:
    """Tell of times that put nothing in order: all the same, or all of each user."""
    mend = (
        "so nothing is in a history; name another column as the time, or drop it from the file so"
        " that the order of the lines counts"
    )
    first, last = log.offsets[:-1], log.offsets[1:] - 1
    several = last > first
    if not several.any():
        return
    if log.time.min() == log.time.max():
        yield f"all {len(log)} events have the same time ({log.time[0]}), {mend}"
    elif (log.time[first[several]] == log.time[last[several]]).all():
        yield (
            f"none of {int(several.sum())} users with several events has two of different times,"
            f" {mend}"
        )


def _of_the_future(log: EventLog, now: datetime) -> Iterator[str]:
    unit = unit_of(int(np.median(log.time)), int(log.time.max()))
    if unit is None:
        return
    limit = int((now + timedelta(days=1)).timestamp()) * UNITS[unit]
    late = int((log.time > limit).sum())
    if late:
        latest = moment_of(int(log.time.max()), unit)
        yield (
            f"{late} of {len(log)} events lie in the future, up to {latest:%Y-%m-%d} (read on"
            f" {now:%Y-%m-%d}): they would be the last of their users and test; mend or leave out"
            " their rows"
        )


def _like_row_numbers(what: str, counts: NDArray[np.integer]) -> Iterator[str]:
    active, events = int((counts > 0).sum()), int(counts.sum())
    if active >= _OWN * events:
        yield (
            f"{events} events have {active} different {what}s: the column of {what}s looks like the"
            f" numbers of the rows; name the one that tells {what}s"
        )


def _one_has_most(what: str, counts: NDArray[np.integer], ids: Sequence[str]) -> Iterator[str]:
    most, events = int(np.argmax(counts)), int(counts.sum())
    if (counts > 0).sum() > 2 and counts[most] > _HALF * events:
        why = {
            "user": "is it everybody who was not logged in, or a machine?",
            "item": "is it a page or a placeholder and no item?",
        }[what]
        yield (
            f"{what} '{plain(ids[most], 40)}' has {int(counts[most])} of {events} events: {why}"
            " Leave its rows out if so"
        )
