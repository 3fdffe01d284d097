from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.event_batches import rows_of_tasks, shuffled
from baselines.fm.model import FM
from baselines.fm.settings import FMSettings
from baselines.fm.training import FMTrainer
from baselines.words import NO_WORD
from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from tests.baselines.support import reading, without_history

BOTH = tuple(Task)
SMALL = FMSettings(width=8, batch_size=32, epochs=2, validate_every=20, learning_rate=1e-2)


def _fit(
    data: Dataset,
    tasks: tuple[Task, ...] = BOTH,
    train: TrainView | None = None,
    **changed: object,
) -> FM:
    model = FM(replace(SMALL, **changed))  # type: ignore[arg-type]
    model.fit(train or data.train, HarnessValidation(data, tasks), TrainingContext(tasks, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> FM:
    return _fit(tiny)


def _requests(data: Dataset, task: Task) -> Requests:
    return data.evaluation["test", task].requests[:12]


def _trainer(model: FM, train: TrainView, tasks: tuple[Task, ...] = BOTH) -> FMTrainer:
    context = TrainingContext(tasks, 1)
    return FMTrainer(model.network, model._words, model.settings, train, context)


def _query_vector(model: FM, text: str) -> list[float]:
    """The mean or the sum of the vectors of a text's words, number by number."""
    table = model.network.words.table.weight.detach().numpy()
    pieces = [p for p in model._words.rows([text], model.settings.words)[0] if p != NO_WORD]
    total = [0.0] * model.settings.width
    for piece in pieces:
        total = [a + float(b) for a, b in zip(total, table[piece], strict=True)]
    share = max(len(pieces), 1) if model.settings.pooling == "mean" else 1
    return [value / share for value in total]


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_scores_are_the_pairs_of_factors_but_for_what_a_request_s_items_share(
    pooling: str, tiny: Dataset
) -> None:
    model = _fit(tiny, pooling=pooling, epochs=1)
    users = model.network.users.table.weight.detach().numpy()
    items = model.item_vectors()
    words = ("word1 word2", "", "word3")
    texts = Queries(("a", "b", "c"), words, ("given",) * 3)
    for task in BOTH:
        query = np.array([0, 1, 2] if task is Task.SEARCH else [-1, -1, -1], dtype=np.int32)
        asked = replace(_requests(tiny, task)[:3], queries=texts, query=query)
        scores = model.score(asked)
        for row, user in enumerate(asked.user):
            q = _query_vector(model, words[row] if task is Task.SEARCH else "")
            whole = np.array([users[user] @ i + users[user] @ q + i @ np.array(q) for i in items])
            apart = whole - scores[row]
            np.testing.assert_allclose(apart, apart[0], atol=1e-5)
            assert scores[row].std() > 1e-3


def test_a_mean_and_a_sum_of_two_words_differ_by_the_factor_2(tiny: Dataset) -> None:
    model = _fit(tiny, epochs=1)
    rows = torch.as_tensor(model._words.rows(["word1 word2"], 16))
    count = int((rows != NO_WORD).sum())
    mean = model.network.queries(rows)
    model.network.summed = True
    torch.testing.assert_close(model.network.queries(rows), count * mean)
    assert count > 1


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_losses_are_their_formulas_event_by_event(loss: str, model: FM, tiny: Dataset) -> None:
    kind = FM(replace(SMALL, loss=loss))  # type: ignore[arg-type]
    kind.restore(*model.state())
    trainer, log = _trainer(kind, tiny.train), tiny.train.log
    rows = np.array([0, 2, 5, 5, 30])
    others = np.array([3, 7, 1, 3, 11])
    users = kind.network.users.table.weight.detach().numpy()
    items, expected = kind.item_vectors(), 0.0
    for row, other in zip(rows, others, strict=True):
        query = log.query[row]
        text = "" if query < 0 else tiny.train.queries.texts[query]
        vector = users[log.user[row]] + np.array(_query_vector(kind, text))
        scores, own = items @ vector, log.item[row]
        if loss == "bpr":
            expected += math.log1p(math.exp(scores[other] - scores[own]))
        else:
            expected += math.log(sum(math.exp(s) for s in scores)) - scores[own]
    assert trainer.loss(rows, others).item() == pytest.approx(expected, rel=1e-5)
    assert {log.kind[row] for row in rows} == set(EventSource)


def test_parts_of_a_batch_have_the_loss_of_the_whole(model: FM, tiny: Dataset) -> None:
    trainer = _trainer(model, tiny.train)
    rows, others = np.arange(11), np.arange(11) + 20
    parts = [trainer.loss(rows[s], others[s]) for s in (slice(4), slice(4, 4), slice(4, 11))]
    torch.testing.assert_close(torch.stack(parts).sum(), trainer.loss(rows, others))


def test_an_epoch_has_every_event_of_the_tasks_once_in_an_order_of_its_own(tiny: Dataset) -> None:
    log = tiny.train.log
    for tasks in ((Task.REC,), (Task.SEARCH,), BOTH):
        wanted = [
            row
            for row, kind in enumerate(log.kind)
            if (Task.SEARCH if kind == EventSource.SEARCHED else Task.REC) in tasks
        ]
        rows = rows_of_tasks(log, tasks)
        assert rows.tolist() == wanted
        first, again, second = (shuffled(rows, 7, 1, epoch) for epoch in (0, 0, 1))
        for batches in (first, second):
            assert sorted(np.concatenate(batches).tolist()) == wanted
            assert {len(batch) for batch in batches[:-1]} == {7}
        assert np.array_equal(np.concatenate(first), np.concatenate(again))
        assert not np.array_equal(np.concatenate(first), np.concatenate(second))


def test_no_history_is_read_so_nothing_later_can_leak(model: FM, tiny: Dataset) -> None:
    for task in BOTH:
        asked = _requests(tiny, task)
        scores = model.score(asked)
        whole = reading(asked, tiny.log, tiny.log.offsets[asked.user + 1])
        for other in (without_history(asked, tiny.log), whole):
            np.testing.assert_array_equal(model.score(other), scores)


def test_who_did_nothing_is_the_mean_of_those_who_did(tiny: Dataset) -> None:
    log = tiny.train.log
    cold = 3
    model = _fit(tiny, train=replace(tiny.train, log=log.select(log.user != cold)))
    users = model.network.users.table.weight.detach().numpy()
    others = [users[user] for user in range(log.users) if user != cold]
    asked = _requests(tiny, Task.REC)
    asked = replace(asked, user=np.full(len(asked), cold, dtype=np.int32))
    expected = model.item_vectors() @ (sum(others) / len(others))
    np.testing.assert_allclose(model.score(asked)[0], expected, atol=1e-5)


def test_trained_for_recommendation_alone_it_learns_nothing_from_searches(tiny: Dataset) -> None:
    log = tiny.train.log
    without = replace(tiny.train, log=log.select(log.kind == EventSource.RECOMMENDED))
    one, two = _fit(tiny, (Task.REC,)), _fit(tiny, (Task.REC,), without)
    asked = _requests(tiny, Task.REC)
    np.testing.assert_array_equal(one.score(asked), two.score(asked))
    assert not np.array_equal(one.score(asked), _fit(tiny).score(asked))


@pytest.mark.parametrize("kind", [None, EventSource.RECOMMENDED, EventSource.SEARCHED])
def test_without_events_of_a_kind_it_trains_and_answers(
    kind: EventSource | None, tiny: Dataset
) -> None:
    log = tiny.train.log
    model = _fit(tiny, train=replace(tiny.train, log=log.select(log.kind == kind)), epochs=1)
    for task in BOTH:
        assert np.isfinite(model.score(_requests(tiny, task))).all()


@pytest.mark.parametrize("loss", ["bpr", "softmax"])
def test_training_learns_users_genres_and_queries(loss: str, tiny: Dataset) -> None:
    trained = _fit(tiny, loss=loss, epochs=40, validate_every=1000)
    found = HarnessValidation(tiny, BOTH).measure(trained)
    by_chance = 4.54 / 120
    assert found["rec"] > 1.5 * by_chance
    assert found["search"] > 3 * by_chance
