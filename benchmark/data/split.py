"""Splits: which events train, which are requests, and which copies of them must stay hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.card import Split
from benchmark.data.dataset import Part
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD, Task
from benchmark.errors import InputError

__all__ = ["Parts", "RequestRows", "kind_of", "split"]

_CHUNK = 2**22


def kind_of(task: Task) -> EventSource:
    """Return the kind of event that a task asks for."""
    return EventSource.SEARCHED if task is Task.SEARCH else EventSource.RECOMMENDED


@dataclass(frozen=True)
class RequestRows:
    """The requests of one part and task.

    Attributes:
        rows: int64 ``[requests]``, ascending rows of the log that are asked for.
        omit: int64 ``[requests, twins]``, rows left out of each history; ``PAD`` fills.
    """

    rows: NDArray[np.int64]
    omit: NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """What a split decides: ``train`` is bool ``[events]``; empty requests are missing."""

    train: NDArray[np.bool_]
    requests: dict[tuple[Part, Task], RequestRows]


def split(log: EventLog, items: int, how: Split) -> Parts:
    """Split a log.

    ``leave-one-out``: for each user and task the last event tests, the one before validates and
    the rest train; a user with fewer than 3 events of the task only trains on them.

    ``temporal``: events are cut at two moments so that about 8:1:1 of them lie before, between
    and after; events of the same moment stay together. Every later event is a request (or
    ``limit`` of them, drawn for each part and task).

    Under both, the history of a request is the user's log strictly before its event, in log
    order, later parts included: a test request knows the validation event before it, and under
    ``temporal`` what the user did earlier in the test period, as a running system would. Models
    never train on those events.

    ``leakage: safe``: every copy of the event (same user, item and time, of either kind) is left
    out of the history, and no pair of user and item that any request asks for is trained on, in
    either task. ``leakage: paper``: as GenSAR's code, training keeps the twins and the history
    loses the asked-for item only where it is the very latest event of the other kind.

    Args:
        log: all events.
        items: size of the catalogue.
        how: the split, the leakage rule and the draw's limit and seed.

    Raises:
        InputError: nothing is left to train on.
    """
    asked = _leave_one_out(log) if how.name == "leave-one-out" else _temporal(log, how)
    train = _training(log, asked, how)
    safe = how.leakage == "safe"
    if how.name == "temporal" and how.limit is not None:
        asked = {key: _draw(rows, how, i) for i, (key, rows) in enumerate(asked.items())}
    if safe:
        train &= ~_pairs(log, items, list(asked.values()))
    if not train.any():
        raise InputError("the split leaves no event to train on; the data set is too small for it")
    requests = {}
    for (part, task), rows in asked.items():
        omit = _copies(log, rows) if safe else _latest_of_other_kind(log, rows, kind_of(task))
        requests[part, task] = RequestRows(rows, omit)
    return Parts(train, requests)


def _leave_one_out(log: EventLog) -> dict[tuple[Part, Task], NDArray[np.int64]]:
    asked: dict[tuple[Part, Task], NDArray[np.int64]] = {}
    for task in Task:
        rows = np.flatnonzero(log.kind == kind_of(task))
        ends = np.searchsorted(rows, log.offsets)
        last = ends[1:][np.diff(ends) >= 3] - 1
        if len(last):
            asked["validation", task] = rows[last - 1]
            asked["test", task] = rows[last]
    return asked


def _temporal(log: EventLog, how: Split) -> dict[tuple[Part, Task], NDArray[np.int64]]:
    first, second = len(log) * 8 // 10, len(log) * 9 // 10
    ordered = np.partition(log.time, [min(first, len(log) - 1), min(second, len(log) - 1)])
    begin, end = ordered[first], ordered[second]
    asked: dict[tuple[Part, Task], NDArray[np.int64]] = {}
    for task in Task:
        kind = log.kind == kind_of(task)
        validation = np.flatnonzero(kind & (log.time >= begin) & (log.time < end))
        test = np.flatnonzero(kind & (log.time >= end))
        if len(validation):
            asked["validation", task] = validation
        if len(test):
            asked["test", task] = test
    return asked


def _draw(rows: NDArray[np.int64], how: Split, stream: int) -> NDArray[np.int64]:
    assert how.limit is not None
    if len(rows) <= how.limit:
        return rows
    generator = np.random.Generator(np.random.PCG64([how.seed, stream]))
    return np.sort(generator.permutation(rows)[: how.limit])


def _training(
    log: EventLog, asked: dict[tuple[Part, Task], NDArray[np.int64]], how: Split
) -> NDArray[np.bool_]:
    train = np.ones(len(log), dtype=np.bool_)
    for rows in asked.values():
        train[rows] = False
    return train


def _pairs(log: EventLog, items: int, asked: list[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Return bool ``[events]``: the event's (user, item) is what some request asks for."""
    if not asked:
        return np.zeros(len(log), dtype=np.bool_)
    rows = np.concatenate(asked)
    targets = np.unique(log.user[rows].astype(np.int64) * items + log.item[rows])
    hit = np.zeros(len(log), dtype=np.bool_)
    for start in range(0, len(log), _CHUNK):
        stop = min(start + _CHUNK, len(log))
        keys = log.user[start:stop].astype(np.int64) * items + log.item[start:stop]
        places = np.minimum(np.searchsorted(targets, keys), len(targets) - 1)
        hit[start:stop] = targets[places] == keys
    return hit


def _copies(log: EventLog, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return rows before each of ``rows`` of the same user, item and time, padded."""
    fresh = np.ones(len(log), dtype=np.bool_)
    fresh[1:] = (log.user[1:] != log.user[:-1]) | (log.time[1:] != log.time[:-1])
    starts = np.flatnonzero(fresh)
    first = starts[np.searchsorted(starts, rows, side="right") - 1]
    before = rows - first
    owners, twins = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    bounds = np.concatenate([[0], np.cumsum(before)])
    begin = 0
    while begin < len(rows):
        end = max(begin + 1, int(np.searchsorted(bounds, bounds[begin] + _CHUNK, side="right")) - 1)
        owner = np.repeat(np.arange(begin, end), before[begin:end])
        place = np.arange(len(owner)) - (bounds[owner] - bounds[begin]) + first[owner]
        same = log.item[place] == log.item[rows[owner]]
        owners.append(owner[same])
        twins.append(place[same])
        begin = end
    owner, twin = np.concatenate(owners), np.concatenate(twins)
    count = np.bincount(owner, minlength=len(rows))
    omit = np.full((len(rows), int(count.max(initial=0))), PAD, dtype=np.int64)
    omit[owner, np.arange(len(owner)) - (np.cumsum(count) - count)[owner]] = twin
    return omit


def _latest_of_other_kind(
    log: EventLog, rows: NDArray[np.int64], kind: EventSource
) -> NDArray[np.int64]:
    """Return the latest earlier row of the other kind where it is the same item, else ``PAD``."""
    others = np.flatnonzero(log.kind != kind)
    omit = np.full((len(rows), 1), PAD, dtype=np.int64)
    if len(others) == 0:
        return omit
    place = np.searchsorted(others, rows) - 1
    latest = others[np.maximum(place, 0)]
    same = (
        (place >= 0) & (log.user[latest] == log.user[rows]) & (log.item[latest] == log.item[rows])
    )
    omit[same, 0] = latest[same]
    return omit
