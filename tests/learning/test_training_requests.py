from __future__ import annotations

import numpy as np

from benchmark.data.dataset import Dataset
from benchmark.data.events import NO_QUERY, EventSource
from benchmark.data.requests import Task
from benchmark.learning.training_requests import TrainingRequests


def test_a_past_request_shows_what_stood_before_its_event_and_asks_for_its_query(
    tiny: Dataset,
) -> None:
    log = tiny.train.log
    for task, kind in ((Task.REC, EventSource.RECOMMENDED), (Task.SEARCH, EventSource.SEARCHED)):
        rows = np.flatnonzero(log.kind == kind)
        asked = TrainingRequests(tiny.train).of(task, rows)
        history = asked.history(5)
        assert (asked.query == log.query[rows]).all()
        assert ((asked.query == NO_QUERY) == (task is Task.REC)).all()
        for i, row in enumerate(rows.tolist()):
            before = log.item[max(log.offsets[log.user[row]], row - 5) : row].tolist()
            assert history.item[i, : history.length[i]].tolist() == before


def test_a_twin_stays_out_of_the_history() -> None:
    from dataclasses import replace

    from benchmark.data.catalogue import Items, Queries
    from benchmark.data.dataset import TrainView
    from benchmark.data.events import EventLog

    log = EventLog.from_columns(
        user=np.zeros(4, dtype=int),
        item=np.array([3, 1, 2, 2]),
        time=np.array([0, 1, 2, 2]),
        kind=np.array([0, 0, 1, 0]),
        query=np.array([-1, -1, 0, -1]),
        session=np.full(4, -1),
        users=1,
    )
    items = Items(tuple("abcd"), tuple("abcd"), tuple("abcd"), {})
    train = TrainView(log, items, Queries(("q",), ("words",), ("given",)), "x")
    history = TrainingRequests(train).of(Task.REC, np.array([3])).history(5)
    assert history.item[0, : history.length[0]].tolist() == [3, 1]
    apart = replace(train, log=replace(log, time=np.array([0, 1, 2, 3])))
    history = TrainingRequests(apart).of(Task.REC, np.array([3])).history(5)
    assert history.item[0, : history.length[0]].tolist() == [3, 1, 2]
