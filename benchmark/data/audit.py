"""Audit: counts leaks of a prepared data set, from its log alone and not by the split's code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data.dataset import CandidateLists, Dataset, EvaluationSet
from benchmark.data.events import NO_SESSION, EventLog, EventSource
from benchmark.data.keys import among, distinct
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn

__all__ = ["FAULTS", "LEAKS", "AuditReport", "AuditRow", "audit"]

_BATCH = 4096

LEAKS = {
    "twins_in_training": "have a twin of their target in training",
    "twins_in_history": "have a twin of their target in their own history",
    "same_time_in_history": "have an event of their own time in their history",
    "own_session_in_history": "have an event of their own session in their history",
    "pairs_in_training": "have their user and target together in training",
    "tested_pairs": "ask for what a test request of their user asks for",
}
"""What may not be under ``leakage: safe``: a number of :class:`AuditRow`, said of its requests."""

FAULTS = {
    "later_in_history": "have a later event in their history",
    "seen_targets": "ask for an item of their own history, which is left out",
    "broken_lists": "have a broken list of candidates",
    "missing_lists": "have no sampled list, though there are negatives enough",
    "wrong_negatives": "have a negative that is no negative",
}
"""What may never be, likewise."""


@dataclass(frozen=True)
class AuditRow:
    """What was found for the requests of one part and task; every number counts requests.

    Attributes:
        relevant: relevant items of all requests together.
        twins_in_training: a training event has a relevant item's user, item and the request's time.
        twins_in_history: so has an event of the request's own history; requests that are not
            asked for it, as what stands in the history is left out, are counted here too.
        same_time_in_history: the history holds an event of the request's own time.
        own_session_in_history: the history holds an event of the request's own session.
        pairs_in_training: a training event of either kind has the user and a relevant item.
        tested_pairs: a validation request asks for what a test request, of either task, asks for
            for the same user.
        later_in_history: the history holds an event later than the request.
        later_training: share of requests whose user has a training event later than the request.
        repeated_targets: a relevant item was in the history already, from an earlier time. No leak.
        not_asked: requests beyond these that the data has, all of whose relevant items were in the
            history already and are left out with it.
        seen_targets: the same, though items of the history are left out of what is ranked.
        broken_lists: a list of candidates lacks a relevant item (unless the data gave it), repeats
            an item or is not ascending.
        missing_lists: there is no sampled list, though as many negatives as in the shortest one.
        wrong_negatives: a sampled negative is touched by the user somewhere (rec), or was reached
            by the user with the same query (search).
    """

    part: str
    task: str
    requests: int
    relevant: int
    twins_in_training: int
    twins_in_history: int
    same_time_in_history: int
    own_session_in_history: int
    pairs_in_training: int
    tested_pairs: int
    later_in_history: int
    later_training: float
    repeated_targets: int
    not_asked: int
    seen_targets: int
    broken_lists: int
    missing_lists: int
    wrong_negatives: int


@dataclass(frozen=True)
class AuditReport:
    """The audit of a data set.

    Attributes:
        ok: nothing is broken and, under ``leakage: safe``, nothing leaks.
        hidden_queries_shown: queries whose words the training view shows though no training
            event has them.
        problems: one line for each thing that makes ``ok`` false.
    """

    dataset: str
    digest: str
    split: str
    leakage: str
    ok: bool
    hidden_queries_shown: int
    rows: tuple[AuditRow, ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report JSON-ready."""
        return asdict(self)


def audit(dataset: Dataset) -> AuditReport:
    """Count leaks and broken candidate lists.

    Twins are events of the same user, item and time as a target, of either kind. Under
    ``leakage: paper`` they are counted and are no failure.
    """
    rows = tuple(_row(dataset, part, task, asked) for part, task, asked in dataset.by_part())
    shown = _hidden_queries_shown(dataset)
    problems = list(_problems(rows, safe=dataset.about.leakage == "safe"))
    if shown:
        problems.append(f"training shows the words of {shown} queries without a training event")
    return AuditReport(
        dataset=dataset.name,
        digest=dataset.digest,
        split=dataset.about.split,
        leakage=dataset.about.leakage,
        ok=not problems,
        hidden_queries_shown=shown,
        rows=rows,
        problems=tuple(problems),
    )


def _problems(rows: Iterable[AuditRow], safe: bool) -> Iterable[str]:
    for row in rows:
        for name, text in (LEAKS if safe else {}).items() | FAULTS.items():
            if count := getattr(row, name):
                yield f"{row.part} {row.task}: {count} of {row.requests} requests {text}"


def _row(dataset: Dataset, part: str, task: Task, asked: EvaluationSet) -> AuditRow:
    train, items = dataset.train.log, len(dataset.items)
    requests, relevant = asked.requests, asked.relevant
    owner = relevant.request
    pairs = requests.user[owner].astype(np.int64) * items + relevant.item
    keys = _keys(train, items)
    suspects = among(keys, np.sort(pairs))
    trained = keys[suspects]
    exact = set(zip(trained.tolist(), train.time[suspects].tolist(), strict=True))
    wanted = zip(pairs.tolist(), requests.time[owner].tolist(), strict=True)
    copied = np.fromiter((pair in exact for pair in wanted), np.bool_, len(relevant))
    history = _histories(dataset.log, asked)
    last = np.full(train.users, np.iinfo(np.int64).min)
    np.maximum.at(last, train.user, train.time)
    return AuditRow(
        part=part,
        task=str(task),
        requests=len(requests),
        relevant=len(relevant),
        twins_in_training=_requests_with(owner, copied),
        pairs_in_training=_requests_with(owner, among(pairs, np.sort(trained))),
        tested_pairs=0
        if part == "test"
        else _requests_with(owner, among(pairs, _tested_pairs(dataset))),
        later_training=float((last[requests.user] > requests.time).mean()),
        seen_targets=history["repeated"] if requests.exclude_seen else 0,
        broken_lists=sum(
            _broken(asked, candidates, given=protocol == "given")
            for protocol, candidates in asked.lists.items()
        ),
        missing_lists=_missing_lists(dataset, task, asked),
        wrong_negatives=_wrong_negatives(dataset, task, asked),
        twins_in_history=history["twins"] + asked.repeated.twins,
        same_time_in_history=history["same_time"],
        own_session_in_history=history["own_session"],
        later_in_history=history["later"],
        repeated_targets=history["repeated"],
        not_asked=asked.repeated.requests,
    )


def _tested_pairs(dataset: Dataset) -> NDArray[np.int64]:
    """Return the keys of user and item that test requests ask for, ascending."""
    tests = [asked for (part, _), asked in dataset.evaluation.items() if part == "test"]
    keys = [
        t.requests.user[t.relevant.request].astype(np.int64) * len(dataset.items) + t.relevant.item
        for t in tests
    ]
    return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *keys]))


def _requests_with(owner: NDArray[np.int64], rows: NDArray[np.bool_]) -> int:
    """Count the requests that own one of ``rows``."""
    return len(distinct(owner[rows]))


def _keys(log: EventLog, items: int) -> NDArray[np.int64]:
    return log.user.astype(np.int64) * items + log.item


def _histories(log: EventLog, asked: EvaluationSet) -> dict[str, int]:
    """Count requests by what their whole histories hold, as :class:`AuditRow` names it."""
    names = ("twins", "same_time", "own_session", "later", "repeated")
    counts = dict.fromkeys(names, 0)
    sessions = _sessions(log, asked)
    for start in range(0, len(asked), _BATCH):
        part = asked.at(slice(start, start + _BATCH))
        offsets, rows = part.requests.history_rows()
        owner = np.repeat(np.arange(len(part)), np.diff(offsets))
        elapsed = part.requests.time[owner] - log.time[rows]
        wanted = part.relevant.request * part.requests.items + part.relevant.item
        again = among(owner * part.requests.items + log.item[rows], wanted)
        session = sessions[start : start + _BATCH][owner]
        events = {
            "twins": again & (elapsed == 0),
            "same_time": elapsed == 0,
            "own_session": (session != NO_SESSION) & (session == log.session[rows]),
            "later": elapsed < 0,
            "repeated": again & (elapsed != 0),
        }
        for name, which in events.items():
            counts[name] += _requests_with(owner, which)
    return counts


def _sessions(log: EventLog, asked: EvaluationSet) -> NDArray[np.int32]:
    """Return the session of each request, found by user, time, query and a relevant item.

    Where events of two sessions fit a request, its session cannot be told and is none.
    """
    session = np.full(len(asked), NO_SESSION, dtype=np.int32)
    if (log.session == NO_SESSION).all():
        return session
    requests, relevant = asked.requests, asked.relevant
    kind = EventSource.SEARCHED if requests.task is Task.SEARCH else EventSource.RECOMMENDED
    rows = log.rows_of_kind[kind]
    events = pd.DataFrame(
        {
            "user": log.user[rows],
            "item": log.item[rows],
            "query": log.query[rows],
            "time": log.time[rows],
            "session": log.session[rows],
        }
    )
    owner = relevant.request
    asking = pd.DataFrame(
        {
            "request": owner,
            "user": requests.user[owner],
            "item": relevant.item,
            "query": requests.query[owner],
            "time": requests.time[owner],
        }
    )
    both = asking.merge(events, on=["user", "item", "query", "time"]).groupby("request")["session"]
    lowest, highest = both.min(), both.max()
    session[lowest.index] = np.where(lowest == highest, lowest, NO_SESSION)
    return session


def _broken(asked: EvaluationSet, lists: CandidateLists, given: bool) -> int:
    """Count requests whose list is not ascending, or lacks a relevant item; empty ones are none."""
    items, owner = asked.requests.items, lists.owner
    keys = owner * items + lists.items
    faulty = np.zeros(len(lists), dtype=np.bool_)
    faulty[owner[1:][(np.diff(lists.items) <= 0) & (np.diff(owner) == 0)]] = True
    faulty[owner[(lists.items < 0) | (lists.items >= items)]] = True
    if not given:
        relevant = asked.relevant
        held = among(relevant.request * items + relevant.item, np.sort(keys))
        faulty[relevant.request[~held]] = True
        faulty &= lists.lengths > 0
    return int(faulty.sum())


def _no_negatives(
    dataset: Dataset, task: Task, asked: EvaluationSet
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what may be no negative of a request: what its user touched, or meant by the query.

    Returns:
        The number of each request's set, ``[requests]``, and the keys ``number * items + item`` of
        all sets, ascending and distinct.
    """
    log, items = dataset.log, len(dataset.items)
    who = asked.requests.user.astype(np.int64)
    if task is Task.REC:
        return who, distinct(_keys(log, items))
    queries = len(dataset.queries)
    searched = log.kind == EventSource.SEARCHED
    reached = log.user[searched].astype(np.int64) * queries + log.query[searched]
    names, who = np.unique(who * queries + asked.requests.query, return_inverse=True)
    place = np.minimum(np.searchsorted(names, reached), len(names) - 1)
    mine = names[place] == reached
    return who.astype(np.int64), distinct(place[mine] * items + log.item[searched][mine])


def _missing_lists(dataset: Dataset, task: Task, asked: EvaluationSet) -> int:
    if "sampled" not in asked.lists:
        return 0
    lists, items = asked.lists["sampled"], len(dataset.items)
    there = lists.lengths > 0
    if there.all() or not there.any():
        return 0
    who, keys = _no_negatives(dataset, task, asked)
    left = items - np.bincount(keys // items, minlength=int(who.max()) + 1)[who]
    drawn = lists.lengths - asked.relevant.per_request(len(asked))
    return int((left[~there] >= drawn[there].min()).sum())


def _wrong_negatives(dataset: Dataset, task: Task, asked: EvaluationSet) -> int:
    """Count requests with a sampled negative that is none."""
    if "sampled" not in asked.lists:
        return 0
    lists, relevant, items = asked.lists["sampled"], asked.relevant, len(dataset.items)
    who, keys = _no_negatives(dataset, task, asked)
    owner = lists.owner
    negative = ~among(owner * items + lists.items, relevant.request * items + relevant.item)
    return _requests_with(owner, negative & among(who[owner] * items + lists.items, keys))


def _hidden_queries_shown(dataset: Dataset) -> int:
    queries = dataset.train.queries
    unused = np.ones(len(queries) + 1, dtype=np.bool_)
    unused[dataset.train.log.query] = False
    return sum(map(bool, TextColumn(queries.texts).take(np.flatnonzero(unused[:-1]))))
