"""Audit: counts leaks of a prepared data set, from its log alone and not by the split's code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Task

__all__ = ["AuditReport", "AuditRow", "audit"]

_BATCH = 4096


@dataclass(frozen=True)
class AuditRow:
    """What was found for the requests of one part and task; every number counts requests.

    Attributes:
        twins_in_training: a training event has the target's user, item and time.
        twins_in_history: so has an event of the request's own history.
        pairs_in_training: a training event of either kind has the target's user and item.
        later_in_history: the history holds an event later than the request.
        later_training: share of requests whose user has a training event later than the request.
        repeated_targets: the target was in the history already, from an earlier time. No leak.
        broken_lists: the sampled list lacks the target, repeats an item or is not ascending.
        wrong_negatives: a negative is touched by the user somewhere (rec), or was reached by the
            user with the same query (search).
    """

    part: str
    task: str
    requests: int
    twins_in_training: int
    twins_in_history: int
    pairs_in_training: int
    later_in_history: int
    later_training: float
    repeated_targets: int
    broken_lists: int
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
    rows = tuple(
        _row(dataset, part, task, asked) for (part, task), asked in dataset.evaluation.items()
    )
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
    leaks = {
        "twins_in_training": "have a twin of their target in training",
        "twins_in_history": "have a twin of their target in their own history",
        "pairs_in_training": "have their user and target together in training",
    }
    faults = {
        "later_in_history": "have a later event in their history",
        "broken_lists": "have a broken list of candidates",
        "wrong_negatives": "have a negative that is no negative",
    }
    for row in rows:
        for name, text in (leaks if safe else {}).items() | faults.items():
            if count := getattr(row, name):
                yield f"{row.part} {row.task}: {count} of {row.requests} requests {text}"


def _row(dataset: Dataset, part: str, task: Task, asked: EvaluationSet) -> AuditRow:
    train, items = dataset.train.log, len(dataset.items)
    requests, targets = asked.requests, asked.targets
    pairs = requests.user.astype(np.int64) * items + targets
    keys = _keys(train, items)
    suspects = _among(keys, np.sort(pairs))
    trained = keys[suspects]
    exact = set(zip(trained.tolist(), train.time[suspects].tolist(), strict=True))
    wanted = zip(pairs.tolist(), requests.time.tolist(), strict=True)
    twins, later, repeated = _histories(dataset.log, asked)
    last = np.full(train.users, np.iinfo(np.int64).min)
    np.maximum.at(last, train.user, train.time)
    broken, wrong = _candidates(dataset, task, asked)
    return AuditRow(
        part=part,
        task=str(task),
        requests=len(requests),
        twins_in_training=sum(pair in exact for pair in wanted),
        twins_in_history=twins,
        pairs_in_training=int(_among(pairs, np.sort(trained)).sum()),
        later_in_history=later,
        later_training=float((last[requests.user] > requests.time).mean()),
        repeated_targets=repeated,
        broken_lists=broken,
        wrong_negatives=wrong,
    )


def _keys(log: EventLog, items: int) -> NDArray[np.int64]:
    return log.user.astype(np.int64) * items + log.item


def _among(keys: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of ``keys`` occur in ``ascending``, which is sorted."""
    if len(ascending) == 0:
        return np.zeros(keys.shape, dtype=np.bool_)
    place = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return ascending[place] == keys


def _histories(log: EventLog, asked: EvaluationSet) -> tuple[int, int, int]:
    """Count requests with a twin, a later event, and the target itself in their history.

    Twins share the request's time, so they lie among the last events: a window as wide as the
    most events that any user has at one moment shows all of them.
    """
    fresh = np.ones(len(log), dtype=np.bool_)
    fresh[1:] = (log.user[1:] != log.user[:-1]) | (log.time[1:] != log.time[:-1])
    window = int(np.diff(np.append(np.flatnonzero(fresh), len(log))).max(initial=1)) + 1
    twins = later = repeated = 0
    for start in range(0, len(asked.requests), _BATCH):
        part = slice(start, start + _BATCH)
        requests, targets = asked.requests[part], asked.targets[part]
        history = requests.history(window)
        now = requests.time[:, None]
        real = np.arange(window) < history.length[:, None]
        twin = real & (history.item == targets[:, None]) & (history.time == now)
        twins += int(twin.any(axis=1).sum())
        later += int((real & (history.time > now)).any(axis=1).sum())
        offsets, seen = requests.seen()
        owner = np.repeat(np.arange(len(requests)), np.diff(offsets))
        again = np.bincount(owner[seen == targets[owner]], minlength=len(requests))
        repeated += int((again > twin.sum(axis=1)).sum())
    return twins, later, repeated


def _candidates(dataset: Dataset, task: Task, asked: EvaluationSet) -> tuple[int, int]:
    """Count broken lists, and requests with a negative that the user touched or meant."""
    log, items, lists = dataset.log, len(dataset.items), asked.sampled
    ascending = (np.diff(lists, axis=1) > 0).all(axis=1)
    inside = ((lists >= 0) & (lists < items)).all(axis=1)
    holds = (lists == asked.targets[:, None]).sum(axis=1) == 1
    owner = asked.requests.user.astype(np.int64)
    if task is Task.REC:
        touched = np.sort(_keys(log, items))
    else:
        queries = len(dataset.queries)
        searched = log.kind == EventSource.SEARCHED
        reached = log.user[searched].astype(np.int64) * queries + log.query[searched]
        owner = owner * queries + asked.requests.query
        names = np.unique(owner)
        place = np.minimum(np.searchsorted(names, reached), len(names) - 1)
        mine = names[place] == reached
        touched = np.sort(place[mine] * items + log.item[searched][mine])
        owner = np.searchsorted(names, owner)
    wrong = 0
    for start in range(0, len(lists), _BATCH):
        part = slice(start, start + _BATCH)
        bad = _among(owner[part, None] * items + lists[part], touched)
        bad &= lists[part] != asked.targets[part, None]
        wrong += int(bad.any(axis=1).sum())
    return int((~(ascending & inside & holds)).sum()), wrong


def _hidden_queries_shown(dataset: Dataset) -> int:
    used = set(np.unique(dataset.train.log.query).tolist())
    texts = dataset.train.queries.texts
    return sum(bool(text) and i not in used for i, text in enumerate(texts))
