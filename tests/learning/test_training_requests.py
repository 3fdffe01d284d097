from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.catalogue import Items
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import Task
from benchmark.learning.training_requests import TrainingRequests
from tests.data.conftest import log_of, names_of
from tests.data.test_split import EVENTS, reference_history


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


def view(log: EventLog) -> TrainView:
    return TrainView(log, Items(tuple("abcdef"), tuple("abcdef"), ("",) * 6, {}), names_of(2), "x")


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.integers(1, 8), st.sampled_from(Task))
def test_what_shares_time_or_session_of_an_event_stays_out_of_its_history(
    rows: list[tuple], window: int, task: Task
) -> None:
    log = log_of(rows)
    asked = TrainingRequests(view(log)).of(task, np.arange(len(log)))
    assert asked.time.tolist() == log.time.tolist()
    history = asked.history(window)
    offsets, whole = asked.history_rows()
    for row in range(len(log)):
        wanted = reference_history(log, [row], safe=True)
        assert whole[offsets[row] : offsets[row + 1]].tolist() == wanted
        length = int(history.length[row])
        assert history.item[row, :length].tolist() == log.item[wanted[-window:]].tolist()


def test_a_twin_stays_out_of_the_history() -> None:
    for moment, wanted in ((2, [3, 1]), (3, [3, 1, 2])):
        log = log_of([(0, 3, 0, -1), (0, 1, 1, -1), (0, 2, 2, 0), (0, 2, moment, -1)], users=1)
        history = TrainingRequests(view(log)).of(Task.REC, np.array([3])).history(5)
        assert history.item[0, : history.length[0]].tolist() == wanted
