from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.two_histories.histories import read_histories
from baselines.two_histories.samples import (
    KIND,
    past_stretches,
    ranking_loss,
    stretches,
    wrong_answers,
)
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import NO_QUERY, NO_SESSION, EventLog, EventSource
from benchmark.data.requests import PAD, Task
from benchmark.learning.training_requests import TrainingRequests


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_stretches_hold_each_event_of_the_task_once_in_order(
    tiny: Dataset, task: Task, ahead: int
) -> None:
    log = tiny.train.log
    rows = stretches(log, task, ahead, np.random.default_rng(5))
    assert rows.shape[1] == ahead
    of_user = defaultdict(list)
    for row in rows:
        real = row[row != PAD]
        assert (row[len(real) :] == PAD).all()
        assert len(set(log.user[real])) == 1
        of_user[log.user[real[0]]] += real.tolist()
    for user in range(log.users):
        own = [r for r in range(*log.offsets[user : user + 2]) if log.kind[r] == KIND[task]]
        assert of_user[user] == own


def test_a_log_without_searches_has_no_stretch_of_them(tiny: Dataset) -> None:
    log = tiny.train.log.select(tiny.train.log.kind == EventSource.RECOMMENDED)
    assert stretches(log, Task.SEARCH, 4, np.random.default_rng(0)).shape == (0, 4)


def test_a_stretch_is_asked_before_its_first_event(tiny: Dataset) -> None:
    log = tiny.train.log
    rows = stretches(log, Task.REC, 3, np.random.default_rng(1))
    asked = past_stretches(TrainingRequests(tiny.train), Task.REC, rows)
    histories = read_histories(asked, 30)
    for number, row in enumerate(rows[:, 0]):
        earlier = np.arange(log.offsets[log.user[row]], row)
        for behaviour, kind in ((histories.rec, 0), (histories.search, 1)):
            own = earlier[log.kind[earlier] == kind]
            real = behaviour.real[number]
            assert behaviour.item[number][real].tolist() == log.item[own].tolist()
            assert behaviour.query[number][real].tolist() == log.query[own].tolist()
            later = [(log.time[earlier] > log.time[r]).sum() for r in own]
            assert behaviour.age_among_all[number][real].tolist() == later


def test_a_history_holds_no_twin_of_any_event_of_the_stretch(tiny: Dataset) -> None:
    # Two purchases of one day, each recommended and searched: rec 7, rec 8, search 7, search 8.
    columns = {
        "user": [0] * 5,
        "item": [5, 7, 8, 7, 8],
        "time": [1, 2, 2, 2, 2],
        "kind": [0, 0, 0, 1, 1],
        "query": [-1, -1, -1, 0, 1],
        "session": [NO_SESSION] * 5,
    }
    log = EventLog.from_columns(**{k: np.array(v) for k, v in columns.items()}, users=1)
    view: TrainView = replace(tiny.train, log=log)
    asked = past_stretches(TrainingRequests(view), Task.SEARCH, np.array([[3, 4]]))
    histories = read_histories(asked, 5)
    assert histories.rec.item[histories.rec.real].tolist() == [5]


def test_events_at_one_time_stand_recommended_first(tiny: Dataset) -> None:
    log = EventLog.from_columns(
        user=np.zeros(5, dtype=int),
        item=np.arange(5),
        time=np.array([1, 2, 2, 3, 4]),
        kind=np.array([0, 1, 0, 1, 0]),
        query=np.array([-1, 0, -1, 0, -1]),
        session=np.full(5, NO_SESSION),
        users=1,
    )
    asked = TrainingRequests(replace(tiny.train, log=log)).of(Task.REC, np.array([4]))
    histories = read_histories(asked, 5)
    assert histories.rec.age.tolist() == [[1, 0]]
    assert histories.rec.age_among_all.tolist() == [[3, 2]]
    assert histories.search.age_among_all.tolist() == [[1, 0]]


def test_only_a_query_tells_the_events_of_a_stretch_apart() -> None:
    targets = np.array([[4, 5, PAD, 8]])
    candidates = np.array([[4, 5, PAD, 8, 6, 5]])
    rec = wrong_answers(np.full((1, 4), NO_QUERY), targets, candidates)[0]
    assert rec[:2].tolist() == [[False, False, False, False, True, False]] * 2
    search = wrong_answers(np.array([[1, 2, NO_QUERY, 1]]), targets, candidates)[0]
    assert search[0].tolist() == [False, True, False, False, True, True]
    assert search[1].tolist() == [True, False, False, True, True, False]
    assert search[3].tolist() == search[0].tolist()  # another click of the same query


@pytest.mark.parametrize("kind", ["softmax", "binary"])
def test_the_ranking_loss_by_hand(kind: str) -> None:
    scores = torch.tensor([[[0.5, -1.0, 2.0, 0.1]]])
    real = torch.tensor([[True, True]])
    wrong = torch.tensor([[[False, False, True, True], [False, False, False, True]]])

    def one(own: float, others: list[float]) -> float:
        if kind == "softmax":
            return math.log(sum(math.exp(s) for s in (own, *others))) - own
        losses = [math.log1p(math.exp(-own)), *(math.log1p(math.exp(s)) for s in others)]
        return sum(losses) / len(losses)

    expected = (one(0.5, [2.0, 0.1]) + one(-1.0, [0.1])) / 2
    torch.testing.assert_close(ranking_loss(scores, real, wrong, kind), torch.tensor(expected))
    alone = ranking_loss(scores, torch.tensor([[True, False]]), wrong, kind)
    torch.testing.assert_close(alone, torch.tensor(one(0.5, [2.0, 0.1])))
