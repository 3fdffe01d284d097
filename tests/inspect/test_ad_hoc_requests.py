"""Requests for a history given by hand, and for a user of a data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.inspect.ad_hoc_requests import request_after, request_of_user
from gensar.model import GenSAR
from tests.gensar.support import fit


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> GenSAR:
    return fit(tiny)


def by_hand(data: Dataset, user: int, task: Task) -> tuple[list, str, tuple[int, ...]]:
    """Return history, query and relevant items of a user's test request, as a person would."""
    evaluation = data.evaluation["test", task]
    row = int(np.flatnonzero(evaluation.requests.user == user)[-1])
    request = evaluation.requests[row : row + 1]
    past = request.history(10_000)
    history: list[str | tuple[str, str]] = []
    for place in range(int(past.length[0])):
        item = data.items.ids[past.item[0, place]]
        query = past.query[0, place]
        searched = past.kind[0, place] == EventSource.SEARCHED
        history.append((item, data.queries.texts[query]) if searched else item)
    relevant = evaluation.relevant.item[evaluation.relevant.request == row]
    return history, request.query_texts()[0], tuple(relevant.tolist())


@pytest.mark.parametrize("task", list(Task))
def test_a_history_by_hand_is_answered_as_that_of_a_user(
    task: Task, model: GenSAR, tiny: Dataset
) -> None:
    users = np.unique(tiny.evaluation["test", task].requests.user)[:5].tolist()
    for user in users:
        history, query, relevant = by_hand(tiny, user, task)
        asked = request_of_user(tiny, user, task)
        assert asked is not None and asked.relevant == relevant
        items, scores = (found[0] for found in model.retrieve(asked.request, 6))
        found = model.recommend(history, 6) if task == Task.REC else model.search(history, query, 6)
        assert [a.item for a in found] == [tiny.items.ids[i] for i in items if i >= 0]
        assert [a.title for a in found] == [tiny.items.titles[i] for i in items if i >= 0]
        np.testing.assert_allclose([a.score for a in found], scores[items >= 0], atol=1e-4)


def test_items_of_the_history_come_again_only_if_asked_for(model: GenSAR, tiny: Dataset) -> None:
    history = list(tiny.items.ids[:6])
    everything = len(tiny.items)
    assert not {a.item for a in model.recommend(history, everything)} & set(history)
    assert {a.item for a in model.recommend(history, everything, again=True)} == set(tiny.items.ids)


def test_someone_without_a_history_is_answered(model: GenSAR) -> None:
    assert len(model.recommend([], 3)) == 3
    assert len(model.search([], "drama", 3)) == 3


def test_a_stored_model_answers_as_the_one_that_was_trained(
    model: GenSAR, tiny: Dataset, tmp_path
) -> None:
    model.save(tmp_path)
    stored = GenSAR.load(tmp_path)
    history = [tiny.items.ids[3], (tiny.items.ids[5], "drama")]
    assert stored.recommend(history) == model.recommend(history)
    assert stored.search(history, "comedy") == model.search(history, "comedy")


def test_a_model_that_was_not_trained_for_a_task_says_so(model: GenSAR, tmp_path) -> None:
    arrays, values = model.state()
    other = GenSAR(model.settings)
    other.restore(arrays, {**values, "tasks": ["rec"]})
    assert other.recommend([], 3) == model.recommend([], 3)
    with pytest.raises(InputError, match="not trained for search"):
        other.search([], "drama")


def test_bad_questions_are_refused(model: GenSAR, tiny: Dataset) -> None:
    for ask, message in (
        (lambda: model.recommend(["no such item"]), "unknown item"),
        (lambda: model.recommend([], 0), "k must be at least 1"),
        (lambda: model.search([], "  "), "needs words"),
        (lambda: model.search([], "drama\x07"), "control characters"),
        (lambda: model.recommend([(tiny.items.ids[0], "\ud800")]), "control characters"),
        (lambda: request_of_user(tiny, tiny.log.users, Task.REC), "has the users 0 to"),
        (lambda: request_of_user(tiny, -1, Task.REC), "has the users 0 to"),
    ):
        with pytest.raises(InputError, match=message):
            ask()


def test_other_words_replace_those_of_the_test_request(tiny: Dataset) -> None:
    user = int(tiny.evaluation["test", Task.SEARCH].requests.user[0])
    own, other = (request_of_user(tiny, user, Task.SEARCH, q) for q in (None, "quite other words"))
    assert own is not None and other is not None
    assert other.request.query_texts() == ["quite other words"]
    assert other.relevant == ()
    mine, theirs = (each.request.history(50) for each in (own, other))
    np.testing.assert_array_equal(mine.item, theirs.item)


def test_a_user_without_a_test_request_is_asked_behind_all_events(tiny: Dataset) -> None:
    parts = {key: part for key, part in tiny.evaluation.items() if key[1] == Task.REC}
    data, user = replace(tiny, evaluation=parts), 2
    assert request_of_user(data, user, Task.SEARCH) is None
    asked = request_of_user(data, user, Task.SEARCH, "drama")
    assert asked is not None and asked.relevant == ()
    events = tiny.log.item[tiny.log.offsets[user] : tiny.log.offsets[user + 1]]
    past = asked.request.history(1000)
    assert past.item[0, : past.length[0]].tolist() == events.tolist()
    assert past.time[0, : past.length[0]].max() < asked.request.time[0]


def test_any_model_takes_such_a_request(tiny: Dataset) -> None:
    model = Popularity()
    model.restore({"counts": np.arange(len(tiny.items), dtype=np.float32)}, {})
    asked = request_after([(0, None), (2, "drama")], len(tiny.items), Task.REC, None, True)
    items, _ = model.retrieve(asked, 3)
    assert not {0, 2} & set(items[0].tolist())
