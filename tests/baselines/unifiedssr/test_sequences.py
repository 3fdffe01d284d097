from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.unifiedssr.sequences import learnable, of_requests, of_rows
from baselines.unifiedssr.training import TaskSequences
from benchmark.data.catalogue import Items, Queries
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Task
from benchmark.learning.training_requests import TrainingRequests
from benchmark.learning.windows import all_predicted

WORDS = np.array([[5, 6], [7, 0], [8, 9], [0, 0]])


def _log(user, item, kind, query, time=None) -> EventLog:
    kinds = np.array(kind)
    time = np.arange(len(user)) if time is None else np.array(time)
    return EventLog.from_columns(
        np.array(user),
        np.array(item),
        time,
        kinds,
        np.array(query),
        np.full(len(user), -1),
        max(user) + 1,
    )


def _train(log: EventLog) -> TrainView:
    items = Items(("",) * 20, ("",) * 20, ("",) * 20, {})
    queries = Queries(("a", "b", "c"), ("x", "y", "z"), ("given",) * 3)
    return TrainView(log, items, queries, "")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 15), min_size=1, max_size=6),
    st.integers(1, 6),
    st.none() | st.integers(0, 99),
)
def test_every_event_is_predicted_exactly_once(lengths, window, seed) -> None:
    user = np.repeat(np.arange(len(lengths)), lengths)
    zeros = np.zeros_like(user)
    log = EventLog.from_columns(
        user, zeros, np.arange(len(user)), zeros, zeros, zeros, len(lengths)
    )
    rng = None if seed is None else np.random.default_rng(seed)
    rows, predicted = all_predicted(log, window, rng)
    assert rows.shape == predicted.shape == (len(rows), window + 1)
    assert sorted(rows[predicted].tolist()) == list(range(len(user)))
    for row in rows:
        real = row[row >= 0]
        assert len(real) > 0
        assert (row[len(real) :] == -1).all()
        assert (np.diff(real) == 1).all()
        assert len(set(user[real])) == 1


def test_a_training_sequence_is_shifted_products_beside_their_queries() -> None:
    log = _log([0, 0, 0], [11, 12, 13], [1, 1, 1], [0, 2, 1])
    rows, _ = all_predicted(log, 4)
    made = of_rows(log, rows[:, :3], WORDS, "cpu")
    assert made.product.tolist() == [[0, 12, 13]]
    assert made.words is not None
    assert made.words.tolist() == [[[5, 6], [8, 9], [7, 0]]]
    assert made.length.tolist() == [3]
    assert of_rows(log, rows, None, "cpu").words is None


def test_a_request_is_the_sequence_that_training_has_for_its_event() -> None:
    kinds = [1, 0, 1, 1, 0, 1]
    log = _log([0] * 6, [11, 12, 13, 14, 15, 16], kinds, [0, -1, 2, 1, -1, 0])
    past = TrainingRequests(_train(log))
    searches = learnable(log, Task.SEARCH, "all")
    rows, _ = all_predicted(searches, 9)
    whole = of_rows(searches, rows[:, :4], WORDS, "cpu")
    assert whole.words is not None
    asked = of_requests(past.of(Task.SEARCH, np.flatnonzero(log.kind)), 9, "all", WORDS, "cpu")
    assert asked.words is not None
    for number in range(4):
        assert asked.length[number] == number + 1
        read = slice(0, number + 1)
        assert asked.product[number, read].equal(whole.product[0, read])
        assert asked.words[number, read].equal(whole.words[0, read])
        assert (asked.product[number, number + 1 :] == 0).all()
    last = past.of(Task.REC, np.array([4]))
    assert of_requests(last, 9, "all", None, "cpu").product.tolist() == [[0, 12, 13, 14, 15]]
    assert of_requests(last, 9, "rec", None, "cpu").product.tolist() == [[0, 13]]
    assert of_requests(last, 3, "all", None, "cpu").product.tolist() == [[0, 13, 14, 15]]


def test_a_user_without_history_has_the_start_and_the_query() -> None:
    log = _log([0, 1], [3, 4], [1, 1], [2, 1])
    asked = of_requests(
        TrainingRequests(_train(log)).of(Task.SEARCH, np.array([1])), 5, "all", WORDS, "cpu"
    )
    assert asked.product.tolist() == [[0]]
    assert asked.length.tolist() == [1]
    assert asked.words is not None
    assert asked.words.tolist() == [[[7, 0]]]


EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(1, 12))
def test_a_recommendation_is_predicted_from_strictly_earlier_events(events, window) -> None:
    """A query of 0 makes a recommendation; both kinds are read and predicted."""
    time, item, query = np.array(sorted(events)).T
    log = _log([0] * len(item), item, query > 0, query - 1, time)
    sequences = TaskSequences.of(log, Task.REC, "all", None)
    rows, predicted = all_predicted(sequences.log, window)
    read, targets = sequences.read(rows, predicted, "cpu")
    for row, column in zip(*np.nonzero(targets.item.numpy() >= 0), strict=True):
        first = np.searchsorted(time, time[rows[row, column]])
        place = int(targets.place[row, column])
        assert (
            read.product[row, 1 : place + 1].tolist() == (item[first - place : first] + 1).tolist()
        )
        # Nothing is read only where there is nothing.
        assert place > 0 or first == 0
    if window >= len(item):
        assert (targets.item.numpy()[predicted] == item).all()


def test_a_click_is_predicted_at_the_first_one_of_its_moment_and_query() -> None:
    log = _log([0] * 5, [4, 5, 6, 7, 8], [1] * 5, [2, 0, 0, 1, 1], time=[3, 7, 7, 7, 8])
    rows, predicted = all_predicted(log, 9)
    _, targets = TaskSequences.of(log, Task.SEARCH, "all", WORDS).read(rows, predicted, "cpu")
    assert targets.item[0, :5].tolist() == [4, 5, 6, 7, 8]
    assert targets.place[0, :5].tolist() == [0, 1, 1, 3, 4]


def test_of_searches_for_one_item_at_one_time_one_is_learned() -> None:
    log = _log([0] * 5, [4, 5, 4, 6, 4], [1, 1, 1, 0, 0], [0, 1, 1, -1, -1], time=[7, 7, 7, 8, 9])
    assert learnable(log, Task.SEARCH, "all").item.tolist() == [4, 5]
    assert learnable(log, Task.REC, "all").item.tolist() == [4, 5, 4, 6, 4]
    assert learnable(log, Task.REC, "rec").item.tolist() == [6, 4]


def test_search_sequences_hold_searches_only(tiny: Dataset) -> None:
    log = learnable(tiny.train.log, Task.SEARCH, "all")
    assert len(log) == (tiny.train.log.kind == EventSource.SEARCHED).sum()
    whole = tiny.evaluation["test", Task.SEARCH].requests
    words = np.zeros((len(tiny.queries) + 1, 1), dtype=np.int64)
    made = of_requests(whole, 50, "all", words, "cpu")
    searched = whole.history(50, EventSource.SEARCHED).length
    assert (made.length - 1).tolist() == searched.tolist()
    assert made.product.dtype == torch.int64
