"""Splits: which events train, which are requests, and which copies of them must stay hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.card import Split
from benchmark.data.dataset import Part
from benchmark.data.days import midnights
from benchmark.data.events import EventLog, EventSource
from benchmark.data.grouping import Groups, group_events, kind_of
from benchmark.data.requests import PAD, Task
from benchmark.data.sources.source import TEST, VALIDATION
from benchmark.errors import InputError

__all__ = ["LEAST", "Parts", "RequestRows", "split"]

LEAST = 3
"""Requests of a task that leave-one-out needs of a user: to train, to validate and to test."""
_CHUNK = 2**22


@dataclass(frozen=True)
class RequestRows:
    """The requests of one part and task.

    Attributes:
        groups: int64 ``[requests]``, ascending, which of the task's groups are asked for.
        first: int64 ``[requests]``, the first log row of each.
        stop: int64 ``[requests]``; the history is made of the user's rows above it,
        omit: int64 ``[requests, n]``, without these; ``PAD`` fills.
        owner: int64 ``[events]``, the request of each event that is asked for, ascending.
        events: int64 ``[events]``, its log row.
    """

    groups: NDArray[np.int64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    omit: NDArray[np.int64]
    owner: NDArray[np.int64]
    events: NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """What a split decides.

    Attributes:
        train: bool ``[events]``, what models learn from.
        requests: by part and task; where there are none, the task is missing.
        notes: requests that were left out, a line for each task.
    """

    train: NDArray[np.bool_]
    requests: dict[tuple[Part, Task], RequestRows]
    notes: tuple[str, ...] = ()


Asked = dict[tuple[Part, Task], NDArray[np.int64]]
"""The groups that each part and task asks for, ascending."""


def split(
    log: EventLog,
    items: int,
    how: Split,
    groups: dict[Task, Groups] | None = None,
    official: NDArray[np.uint8] | None = None,
) -> Parts:
    """Split a log into requests and events to train on.

    ``leave-one-out``: for each user and task the last request tests, the one before validates and
    the rest train; a user with fewer than 3 requests of the task only trains on them.

    ``temporal``: requests are cut at two moments so that about 8:1:1 of the events lie before,
    between and after; events of the same moment stay together. Every later request is asked (or
    ``limit`` of them, drawn for each part and task).

    ``days``: as ``temporal``, but cut at two midnights of ``zone``: the last day that has an event
    tests, the day before validates, earlier ones train.

    ``official``: the source says of each event what it is for. A request is asked in the latest
    part that any of its events is of; everything else trains.

    ``leakage: safe``: the history of a request is what its user did strictly earlier, outside of
    the request's own session, later parts included: a test request knows the validation event
    before it, and under ``temporal`` and ``days`` what the user did earlier in the test period, as
    a running system would. No pair of user and item that any request asks for is trained on, in
    either task, and validation asks for none that a test request asks for.

    ``leakage: paper``: as published code has it, training keeps the twins (copies of the same user,
    item and time), and the history is every row above the request's, others of its moment included;
    it loses the asked-for item only where that is the very latest event of the other kind.

    Models never train on events that are asked for.

    Args:
        log: all events.
        items: size of the catalogue.
        how: the split, the leakage rule, the draw's limit and seed, and the zone of days.
        groups: which events make a request, by task; as the log itself tells if not given.
        official: uint8 ``[events]``, the source's own parts, values of
            :attr:`benchmark.data.sources.source.Interactions.part`.

    Raises:
        InputError: nothing is left to train on, the times have no days, or the source has no parts
            that ``official`` needs.
    """
    groups = groups or {task: group_events(log, task) for task in Task}
    train = np.ones(len(log), dtype=np.bool_)
    if how.name == "leave-one-out":
        asked = _leave_one_out(log, groups)
    elif how.name == "official":
        asked = _official(groups, official)
    else:
        begin, end = _cuts(log) if how.name == "temporal" else _days(log, how.zone)
        asked = _temporal(log, groups, begin, end)
        # A session that straddles the first cut asks for nothing; its later part is not trained on.
        train &= log.time < begin
    for (_, task), chosen in asked.items():
        train[_events(groups[task], chosen)[1]] = False
    if how.name in ("temporal", "days") and how.limit is not None:
        asked = {key: _draw(chosen, how, i) for i, (key, chosen) in enumerate(asked.items())}
    requests = {
        (part, task): _request_rows(log, groups[task], chosen, how, task)
        for (part, task), chosen in asked.items()
    }
    notes: list[str] = []
    if how.leakage == "safe":
        train &= ~_pairs(log, items, [rows.events for rows in requests.values()])
        requests, notes = _validation_apart(log, items, requests)
    if not train.any():
        raise InputError(_nothing_left(log, how, groups, requests))
    return Parts(train, requests, tuple(notes))


def _nothing_left(
    log: EventLog,
    how: Split,
    groups: dict[Task, Groups],
    requests: dict[tuple[Part, Task], RequestRows],
) -> str:
    asked = ", ".join(
        f"{task} {len(each.first)} requests of which {_count(requests, task)} are asked"
        for task, each in groups.items()
    )
    return (
        f"the {how.name} split leaves none of {len(log)} events to train on ({asked}); give more"
        " events for each user, or name another split in a card"
    )


def _count(requests: dict[tuple[Part, Task], RequestRows], task: Task) -> int:
    return sum(len(rows.groups) for (_, each), rows in requests.items() if each is task)


def _validation_apart(
    log: EventLog, items: int, requests: dict[tuple[Part, Task], RequestRows]
) -> tuple[dict[tuple[Part, Task], RequestRows], list[str]]:
    """Take out of validation what a test request of the same user asks for, in either task."""
    tested = _pairs(log, items, [r.events for (part, _), r in requests.items() if part == "test"])
    apart, notes = dict(requests), []
    for (part, task), rows in requests.items():
        keep = ~tested[rows.events]
        if part == "test" or keep.all():
            continue
        kept, owner = np.unique(rows.owner[keep], return_inverse=True)
        notes.append(
            f"validation {task}: {len(rows.groups) - len(kept)} of {len(rows.groups)} requests are"
            " not asked, as a test request asks for the same item for their user"
        )
        del apart[part, task]
        if len(kept):
            apart[part, task] = RequestRows(
                rows.groups[kept],
                rows.first[kept],
                rows.stop[kept],
                rows.omit[kept],
                owner,
                rows.events[keep],
            )
    return apart, notes


def _request_rows(
    log: EventLog, groups: Groups, chosen: NDArray[np.int64], how: Split, task: Task
) -> RequestRows:
    first = groups.first[chosen]
    owner, events = _events(groups, chosen)
    if how.leakage == "safe":
        stop = log.first_of_moment[first]
        omit = log.earlier_in_session(first, stop)
    else:
        stop, omit = first, _latest_of_other_kind(log, first, kind_of(task))
    return RequestRows(chosen, first, stop, omit, owner, events)


def _events(
    groups: Groups, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return place in ``chosen`` and log row of every event of the chosen groups."""
    place = np.full(len(groups.offsets) - 1, PAD, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    owner = place[groups.owner]
    return owner[owner != PAD], groups.rows[owner != PAD]


def _leave_one_out(log: EventLog, groups: dict[Task, Groups]) -> Asked:
    asked: Asked = {}
    for task in Task:
        ends = np.searchsorted(groups[task].first, log.offsets)
        last = ends[1:][np.diff(ends) >= LEAST] - 1
        if len(last):
            asked["validation", task] = last - 1
            asked["test", task] = last
    return asked


def _cuts(log: EventLog) -> tuple[int, int]:
    """Return the moments at which validation and test begin."""
    first, second = len(log) * 8 // 10, len(log) * 9 // 10
    ordered = np.partition(log.time, [min(first, len(log) - 1), min(second, len(log) - 1)])
    return int(ordered[first]), int(ordered[second])


def _days(log: EventLog, zone: str) -> tuple[int, int]:
    """Return the midnights that begin the last day and the day before it."""
    begins = midnights(log.time, zone)
    if len(begins) > 1:
        return int(begins[-2]), int(begins[-1])
    return int(begins[0]), int(begins[0])


def _temporal(log: EventLog, groups: dict[Task, Groups], begin: int, end: int) -> Asked:
    asked: Asked = {}
    for task in Task:
        time = log.time[groups[task].first]
        validation = np.flatnonzero((time >= begin) & (time < end))
        test = np.flatnonzero(time >= end)
        if len(validation):
            asked["validation", task] = validation
        if len(test):
            asked["test", task] = test
    return asked


def _official(groups: dict[Task, Groups], official: NDArray[np.uint8] | None) -> Asked:
    if official is None:
        text = "the files do not say what trains and what tests; name another split than official"
        raise InputError(text)
    names: dict[Part, int] = {"validation": VALIDATION, "test": TEST}
    asked: Asked = {}
    for task in Task:
        rows, offsets = groups[task].rows, groups[task].offsets
        latest = np.maximum.reduceat(official[rows], offsets[:-1]) if len(rows) else official[:0]
        for part, value in names.items():
            if len(chosen := np.flatnonzero(latest == value)):
                asked[part, task] = chosen
    return asked


def _draw(chosen: NDArray[np.int64], how: Split, stream: int) -> NDArray[np.int64]:
    assert how.limit is not None
    if len(chosen) <= how.limit:
        return chosen
    generator = np.random.Generator(np.random.PCG64([how.seed, stream]))
    return np.sort(generator.permutation(chosen)[: how.limit])


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
