"""A slow split in plain Python, and what a loaded data set asks, in the same words.

Shares no code with the readers or with the split. Only the order of one user's events at one time,
which is drawn by lot, is taken from the data set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.data.dataset import Dataset
from benchmark.data.events import NO_QUERY

__all__ = ["Asked", "Event", "Request", "asked_by", "leave_one_out", "log_of_dataset", "ordered"]


@dataclass(frozen=True)
class Event:
    """An event as files tell it; ``query`` is its words, ``None`` without."""

    user: str
    item: str
    time: int
    query: str | None = None
    session: str | None = None
    grade: float = 1.0
    line: int = 0

    @property
    def seen(self) -> tuple[str, str, int, str | None]:
        """What the log tells of it."""
        return self.user, self.item, self.time, self.query


@dataclass(frozen=True)
class Request:
    """A request with all that is compared."""

    user: str
    time: int
    query: str | None
    relevant: frozenset[tuple[str, float]]
    history: tuple[tuple[str, str, int, str | None], ...]
    given: frozenset[str] | None = None


Asked = dict[tuple[str, str], list[Request]]


def log_of_dataset(dataset: Dataset) -> list[tuple[str, str, int, str | None]]:
    """Return the log as (user, item, time, words), in its order."""
    log, ids = dataset.log, list(dataset.items.ids)
    words = list(dataset.queries.texts)
    return [
        (dataset.users[u], ids[i], t, None if q == NO_QUERY else words[q])
        for u, i, t, q in zip(
            log.user.tolist(), log.item.tolist(), log.time.tolist(), log.query.tolist(), strict=True
        )
    ]


def ordered(
    events: Iterable[Event], like: Sequence[tuple[str, str, int, str | None]]
) -> list[Event]:
    """Return the events in the order of a log that holds the same ones; others fail."""
    waiting: dict[tuple, list[Event]] = defaultdict(list)
    for event in events:
        waiting[event.seen].append(event)
    assert Counter(like) == Counter({seen: len(each) for seen, each in waiting.items()})
    return [waiting[seen].pop(0) for seen in like]


def asked_by(dataset: Dataset) -> Asked:
    """Return what a data set asks, as loaded with ``seen: keep``."""
    log, ids = log_of_dataset(dataset), list(dataset.items.ids)
    found: Asked = {}
    for (part, task), each in dataset.evaluation.items():
        requests = each.requests
        offsets, rows = requests.history_rows()
        given = each.lists.get("given")
        for i in range(len(each)):
            one = each.relevant.at(np.array([i]))
            query = int(requests.query[i])
            mine = None if given is None else given.at(np.array([i])).items.tolist()
            found.setdefault((part, str(task)), []).append(
                Request(
                    user=dataset.users[int(requests.user[i])],
                    time=int(requests.time[i]),
                    query=None if query == NO_QUERY else dataset.queries.texts[query],
                    relevant=frozenset(
                        (ids[k], g)
                        for k, g in zip(one.item.tolist(), one.gain.tolist(), strict=True)
                    ),
                    history=tuple(log[r] for r in rows[offsets[i] : offsets[i + 1]].tolist()),
                    given=frozenset(ids[k] for k in mine) if mine else None,
                )
            )
    return found


def leave_one_out(
    events: Sequence[Event],
    items: int,
    leakage: str = "safe",
    both_before: bool = False,
    shown: Sequence[Event] = (),
) -> tuple[list[tuple[str, str, int, str | None]], Asked]:
    """Return the events to train on and the requests, of events sorted by user and time.

    Args:
        events: in the order of the log.
        items: size of the catalogue.
        leakage: ``safe`` or ``paper``; under the latter, recommendations of one moment are asked in
            the order of their lines.
        both_before: ask only behind an event of each kind.
        shown: what was shown and not taken.
    """
    by_user: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_user[event.user].append(event)
    pages = any(event.query is None for event in shown)
    raw = [
        each for rows in by_user.values() for each in _of_user(rows, leakage, both_before, pages)
    ]
    gone = {id(event) for _, _, group, _, _ in raw for event in group}
    train = [event for event in events if id(event) not in gone]
    if leakage == "safe":
        pairs = {(e.user, e.item) for _, _, group, _, _ in raw for e in group}
        train = [event for event in train if (event.user, event.item) not in pairs]
        tested = {(e.user, e.item) for part, _, group, _, _ in raw if part == "test" for e in group}
        raw = [
            (part, task, kept, first, history)
            for part, task, group, first, history in raw
            if (kept := [e for e in group if part == "test" or (e.user, e.item) not in tested])
        ]
    asked: Asked = {}
    lists = any((e.query is not None) for e in shown), any((e.query is None) for e in shown)
    for part, task, group, first, history in raw:
        relevant: dict[str, float] = {}
        for event in group:
            relevant[event.item] = max(relevant.get(event.item, 0.0), event.grade)
        if len(relevant) == items:
            continue
        mine = None
        if lists[0 if task == "search" else 1]:
            page = {e.item for e in shown if _request_of(e) == _request_of(first)} - set(relevant)
            mine = frozenset(page | set(relevant)) if page else None
        request = Request(
            first.user,
            first.time,
            first.query,
            frozenset(relevant.items()),
            tuple(event.seen for event in history),
            mine,
        )
        asked.setdefault((part, task), []).append(request)
    return [event.seen for event in train], asked


def _request_of(event: Event) -> tuple:
    """Return what the events of a search have in common."""
    if event.session is not None:
        return event.user, event.session, event.query
    return event.user, event.time, event.query, "no session"


_Raw = tuple[str, str, list[Event], Event, list[Event]]


def _page_of(event: Event, row: int, pages: bool) -> object:
    """Return what the recommended events of one request have in common."""
    if event.session is not None:
        return event.session, event.time
    return ("page", event.time) if pages else row


def _of_user(rows: list[Event], leakage: str, both_before: bool, pages: bool) -> list[_Raw]:
    found: list[_Raw] = []
    for task in ("search", "rec"):
        groups: dict[object, list[int]] = {}
        for row, event in enumerate(rows):
            if (event.query is not None) == (task == "search"):
                key = _request_of(event) if task == "search" else _page_of(event, row, pages)
                groups.setdefault(key, []).append(row)
        firsts = [own[0] for own in groups.values()]
        members = [[rows[row] for row in own] for own in groups.values()]
        if task == "rec" and leakage == "paper":
            members = [[event] for event in sorted((m[0] for m in members), key=_by_line)]
        fit = []
        for number, first in enumerate(firsts):
            stop = first
            if leakage == "safe":
                while stop and rows[stop - 1].time == rows[first].time:
                    stop -= 1
            before = {event.query is not None for event in rows[:stop]}
            if not both_before or before == {True, False}:
                fit.append((number, first, stop))
        for part, (number, first, stop) in zip(("test", "validation"), reversed(fit), strict=False):
            if len(fit) >= 3:
                group = members[number]
                history = _history(rows, first, stop, group[0], leakage)
                found.append((part, task, group, rows[first], history))
    return found


def _by_line(event: Event) -> tuple[int, int]:
    return event.time, event.line


def _history(rows: list[Event], first: int, stop: int, target: Event, leakage: str) -> list[Event]:
    if leakage == "safe":
        own = rows[first].session
        return [event for event in rows[:stop] if own is None or event.session != own]
    others = [r for r in range(stop) if (rows[r].query is None) != (target.query is None)]
    latest = others[-1] if others and rows[others[-1]].item == target.item else None
    return [event for row, event in enumerate(rows[:stop]) if row != latest]
