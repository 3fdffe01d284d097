from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.data.audit import AuditReport, audit
from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.events import EventLog, EventSource
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from tests.data.conftest import MakeFolder

from .test_card import ITEMS, rows

SEARCH = ("test", Task.SEARCH)
REC = ("test", Task.REC)


@pytest.fixture
def dataset(make_folder: MakeFolder) -> Dataset:
    inter = [(u, i, t, "q" if t % 2 else "") for u, i, t in rows(6, 8)]
    items = [*ITEMS, *((f"more{k}", f"more {k}", "") for k in range(200))]
    made = load_dataset(make_folder(inter, items, [("q", "thing"), ("r", "brand1")]))
    assert audit(made).ok
    return made


def with_event(log: EventLog, user: int, item: int, time: int, query: int) -> EventLog:
    def added(column: np.ndarray, value: int) -> np.ndarray:
        return np.append(column, np.array([value], dtype=column.dtype))

    return EventLog.from_columns(
        added(log.user, user),
        added(log.item, item),
        added(log.time, time),
        added(log.kind, EventSource.SEARCHED if query >= 0 else EventSource.RECOMMENDED),
        added(log.query, query),
        added(log.session, -1),
        log.users,
    )


def with_training(dataset: Dataset, log: EventLog) -> Dataset:
    return replace(dataset, train=replace(dataset.train, log=log))


def with_set(dataset: Dataset, key: tuple, changed: EvaluationSet) -> Dataset:
    return replace(dataset, evaluation={**dataset.evaluation, key: changed})


def found(report: AuditReport, key: tuple, name: str) -> int:
    row = next(r for r in report.rows if (r.part, r.task) == (key[0], str(key[1])))
    return getattr(row, name)


def test_twin_planted_in_training_is_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[SEARCH]
    user, time = int(asked.requests.user[2]), int(asked.requests.time[2])
    log = with_event(dataset.train.log, user, int(asked.targets[2]), time, -1)
    report = audit(with_training(dataset, log))
    assert not report.ok
    assert found(report, SEARCH, "twins_in_training") == 1
    assert found(report, SEARCH, "pairs_in_training") == 1
    assert any("twin" in line and "test search" in line for line in report.problems)


def test_pair_at_another_time_is_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[REC]
    log = with_event(dataset.train.log, int(asked.requests.user[0]), int(asked.targets[0]), 0, 0)
    report = audit(with_training(dataset, log))
    assert not report.ok
    assert found(report, REC, "pairs_in_training") == 1
    assert found(report, REC, "twins_in_training") == 0


def test_twin_in_the_history_is_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[SEARCH]
    stop = asked.requests._stop + 1  # the history now ends behind the event itself
    changed = replace(asked, requests=replace(asked.requests, _stop=stop))
    report = audit(with_set(dataset, SEARCH, changed))
    assert not report.ok
    assert found(report, SEARCH, "twins_in_history") == len(asked.requests)


def test_later_event_in_the_history_is_found(dataset: Dataset) -> None:
    key = ("validation", Task.REC)
    asked = dataset.evaluation[key]
    changed = replace(asked, requests=replace(asked.requests, _stop=asked.requests._stop + 2))
    report = audit(with_set(dataset, key, changed))
    assert not report.ok
    assert found(report, key, "later_in_history") == len(asked.requests)


def test_wrong_candidates_are_found(dataset: Dataset) -> None:
    asked = dataset.evaluation[REC]
    seen = next(i for i in dataset.log.item[dataset.log.user == 0] if i not in asked.sampled[0])
    lists = asked.sampled.copy()
    place = 0 if lists[0, 0] != asked.targets[0] else 1
    lists[0, place] = seen
    lists[0].sort()
    report = audit(with_set(dataset, REC, replace(asked, sampled=lists)))
    assert not report.ok
    assert found(report, REC, "wrong_negatives") == 1
    assert found(report, REC, "broken_lists") == 0


@pytest.mark.parametrize("fault", ["target missing", "repeated", "descending"])
def test_broken_candidates_are_found(dataset: Dataset, fault: str) -> None:
    asked = dataset.evaluation[SEARCH]
    lists = asked.sampled.copy()
    if fault == "target missing":
        free = np.setdiff1d(np.arange(len(dataset.items)), lists[1])
        lists[1][lists[1] == asked.targets[1]] = free[-1]
        lists[1].sort()
    elif fault == "repeated":
        lists[1, 1] = lists[1, 0]
    else:
        lists[1] = lists[1][::-1]
    report = audit(with_set(dataset, SEARCH, replace(asked, sampled=lists)))
    assert not report.ok
    assert found(report, SEARCH, "broken_lists") == 1


def test_words_of_a_hidden_query_are_found(dataset: Dataset) -> None:
    assert dataset.train.queries.texts == ("thing", "")
    shown = replace(dataset, train=replace(dataset.train, queries=dataset.queries))
    report = audit(shown)
    assert not report.ok
    assert report.hidden_queries_shown == 1


def test_later_training_share_and_repeated_targets(make_folder: MakeFolder) -> None:
    inter = [("a", i, t, "") for t, i in enumerate("vwxyzx")]
    inter += [("b", i, t, "q" if t < 3 else "") for t, i in enumerate("vwxyzu")]
    report = audit(load_dataset(make_folder(inter, None, [("q", "words")])))
    assert report.ok
    assert found(report, REC, "repeated_targets") == 1
    assert found(report, SEARCH, "later_training") == 1.0
    assert found(report, REC, "later_training") == 0.0
