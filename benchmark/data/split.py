"""Splits: which events train, which are requests, and which copies of them must stay hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.card import Split
from benchmark.data.days import midnights
from benchmark.data.evaluation_set import Part
from benchmark.data.events import EventLog, EventSource
from benchmark.data.grouping import Groups, group_events, kind_of
from benchmark.data.keys import distinct
from benchmark.data.requests import PAD, Task
from benchmark.data.sources.source import HISTORY, TEST, TRAINING, VALIDATION
from benchmark.errors import InputError

__all__ = ["LEAST", "Parts", "RequestRows", "split"]

LEAST = 3
"""Requests of a task that leave-one-out needs of a user: to train, to validate and to test."""
_NO_PARTS = "the files do not say what trains and what tests; name another split than official"


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
    part that any of its events is of; everything else trains. Where the source has no validation,
    the last tenth of the requests that train, of both tasks together and at most, validates:
    requests of the same moment stay together, and nothing trains that is as late.

    Events whose request is not known (``BACKGROUND`` and ``HISTORY``) are asked for by no split.

    ``leakage: safe``: the history of a request is what its user did strictly earlier, outside of
    the request's own session, later parts included: a test request knows the validation event
    before it, and under ``temporal`` and ``days`` what the user did earlier in the test period, as
    a running system would. No pair of user and item that any request asks for is trained on, in
    either task, and validation asks for none that a test request asks for.

    ``leakage: paper``: as published code has it, training keeps the twins (copies of the same user,
    item and time), and the history is every row above the request's, others of its moment included;
    it loses the asked-for item only where that is the very latest event of the other kind.

    ``both_before``: requests before which their user has not an event of each kind are not asked
    and do not count; their events train.

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
    asked, train = _asked(log, groups, how, official)
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


def _asked(
    log: EventLog, groups: dict[Task, Groups], how: Split, official: NDArray[np.uint8] | None
) -> tuple[Asked, NDArray[np.bool_]]:
    """Return what is asked, and bool ``[events]``, what else could train."""
    told = np.zeros(len(log), dtype=np.uint8) if official is None else official
    uses = {task: _uses(groups[task], told) for task in Task}
    fit = {task: _fit(log, groups[task].first, uses[task], how) for task in Task}
    train = told != HISTORY
    if how.name == "leave-one-out":
        asked = _leave_one_out(log, groups, fit)
    elif how.name == "official":
        if official is None:
            raise InputError(_NO_PARTS)
        asked, late = _official(log, groups, uses)
        train &= log.time < late
    else:
        time = log.time[told <= TEST]
        begin, end = _cuts(time) if how.name == "temporal" else _days(time, how.zone)
        asked = _temporal(log, groups, fit, begin, end)
        # A session that straddles the first cut asks for nothing; its later part is not trained on.
        train &= log.time < begin
    return asked, train


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
        lost = len(rows.groups) - len(kept)
        told = f"{lost} of {len(rows.groups)} requests are not asked"
        if not lost:
            told = f"{(~keep).sum()} of {len(keep)} relevant items are taken out"
        notes.append(
            f"validation {task}: {told}, as a test request asks for the same item for their user"
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
    stop = _stop(log, first, how)
    if how.leakage == "safe":
        stop, omit = log.outside_session(first, stop)
    else:
        leading = groups.rows[groups.offsets[:-1][chosen]]
        omit = _latest_of_other_kind(log, first, log.item[leading], kind_of(task))
    return RequestRows(chosen, first, stop, omit, owner, events)


def _stop(log: EventLog, first: NDArray[np.int64], how: Split) -> NDArray[np.int64]:
    return log.first_of_moment[first] if how.leakage == "safe" else first


def _fit(
    log: EventLog, first: NDArray[np.int64], use: NDArray[np.uint8], how: Split
) -> NDArray[np.int64]:
    """Return the groups that may be asked, ascending."""
    fit = use <= TEST
    if not how.both_before:
        return np.flatnonzero(fit)
    stop, start = _stop(log, first, how), log.offsets[log.user[first]]
    for rows in log.rows_of_kind.values():
        fit &= np.searchsorted(rows, start) < np.searchsorted(rows, stop)
    return np.flatnonzero(fit)


def _events(
    groups: Groups, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return place in ``chosen`` and log row of every event of the chosen groups."""
    place = np.full(len(groups.offsets) - 1, PAD, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    owner = place[groups.owner]
    return owner[owner != PAD], groups.rows[owner != PAD]


def _uses(groups: Groups, told: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the latest part that events of each group are of, ``[groups]``."""
    if not len(groups.rows):
        return told[:0]
    return np.maximum.reduceat(told[groups.rows], groups.offsets[:-1])


def _leave_one_out(
    log: EventLog, groups: dict[Task, Groups], fit: dict[Task, NDArray[np.int64]]
) -> Asked:
    asked: Asked = {}
    for task in Task:
        ends = np.searchsorted(groups[task].first[fit[task]], log.offsets)
        last = ends[1:][np.diff(ends) >= LEAST] - 1
        if len(last):
            asked["validation", task] = fit[task][last - 1]
            asked["test", task] = fit[task][last]
    return asked


def _cuts(time: NDArray[np.int64]) -> tuple[int, int]:
    """Return the moments at which validation and test begin."""
    if not len(time):
        return 0, 0
    first, second = len(time) * 8 // 10, len(time) * 9 // 10
    ordered = np.partition(time, [min(first, len(time) - 1), min(second, len(time) - 1)])
    return int(ordered[first]), int(ordered[second])


def _days(time: NDArray[np.int64], zone: str) -> tuple[int, int]:
    """Return the midnights that begin the last day and the day before it."""
    begins = midnights(time, zone)
    if len(begins) > 1:
        return int(begins[-2]), int(begins[-1])
    return int(begins[0]), int(begins[0])


def _temporal(
    log: EventLog,
    groups: dict[Task, Groups],
    fit: dict[Task, NDArray[np.int64]],
    begin: int,
    end: int,
) -> Asked:
    asked: Asked = {}
    for task in Task:
        time = log.time[groups[task].first[fit[task]]]
        validation = fit[task][(time >= begin) & (time < end)]
        test = fit[task][time >= end]
        if len(validation):
            asked["validation", task] = validation
        if len(test):
            asked["test", task] = test
    return asked


def _official(
    log: EventLog, groups: dict[Task, Groups], uses: dict[Task, NDArray[np.uint8]]
) -> tuple[Asked, int]:
    """Return what is asked, and the moment from which on nothing trains."""
    late = np.iinfo(np.int64).max
    if not any((each == VALIDATION).any() for each in uses.values()):
        time = {task: log.time[groups[task].first] for task in Task}
        late = _last_tenth(np.concatenate([time[task][uses[task] == TRAINING] for task in Task]))
        uses = {
            task: np.where((each == TRAINING) & (time[task] >= late), np.uint8(VALIDATION), each)
            for task, each in uses.items()
        }
    asked: Asked = {}
    names: dict[Part, int] = {"validation": VALIDATION, "test": TEST}
    for task in Task:
        for part, value in names.items():
            if len(chosen := np.flatnonzero(uses[task] == value)):
                asked[part, task] = chosen
    return asked, late


def _last_tenth(time: NDArray[np.int64]) -> int:
    """Return the moment from which on at most a tenth of the requests are, as many as can be."""
    ordered = np.sort(time)
    kept, later = np.split(ordered, [len(ordered) - len(ordered) // 10])
    later = later[later > kept[-1]] if len(later) else later
    return int(later[0] if len(later) else np.iinfo(np.int64).max)


def _draw(chosen: NDArray[np.int64], how: Split, stream: int) -> NDArray[np.int64]:
    assert how.limit is not None
    if len(chosen) <= how.limit:
        return chosen
    generator = np.random.Generator(np.random.PCG64([how.seed, stream]))
    return np.sort(generator.permutation(chosen)[: how.limit])


def _pairs(log: EventLog, items: int, asked: list[NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Return bool ``[events]``: the event's (user, item) is what some request asks for."""
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *asked])
    targets = distinct(log.user[rows].astype(np.int64) * items + log.item[rows])
    hit = np.zeros(len(log), dtype=np.bool_)
    hit[log.pairs_among(targets, items)[1]] = True
    return hit


def _latest_of_other_kind(
    log: EventLog, rows: NDArray[np.int64], item: NDArray[np.int32], kind: EventSource
) -> NDArray[np.int64]:
    """Return the latest earlier row of the other kind where it is of ``item``, else ``PAD``."""
    others = np.flatnonzero(log.kind != kind)
    omit = np.full((len(rows), 1), PAD, dtype=np.int64)
    if len(others) == 0:
        return omit
    place = np.searchsorted(others, rows) - 1
    latest = others[np.maximum(place, 0)]
    same = (place >= 0) & (log.user[latest] == log.user[rows]) & (log.item[latest] == item)
    omit[same, 0] = latest[same]
    return omit
