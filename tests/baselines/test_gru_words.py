"""The GRU over events and words: one pass over a user's events predicts what requests would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from baselines.gru_words.model import GRUWords
from baselines.gru_words.network import GRUWordsNetwork
from baselines.gru_words.settings import GRUWordsSettings
from baselines.gru_words.training import GRUWordsTrainer
from benchmark.data.dataset import Dataset
from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from tests.baselines.support import without_history

BOTH = tuple(Task)
WINDOW = 6
SMALL = GRUWordsSettings(
    width=8, max_history=WINDOW, epochs=2, validate_every=1, learning_rate=1e-2, dropout=0.25
)


def _fit(data: Dataset, **changed: object) -> GRUWords:
    model = GRUWords(replace(SMALL, **changed))  # type: ignore[arg-type]
    model.fit(data.train, HarnessValidation(data, BOTH), TrainingContext(BOTH, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> GRUWords:
    return _fit(tiny)


def _requests(data: Dataset, task: Task) -> Requests:
    return data.evaluation["test", task].requests[:12]


def _cell(network: GRUWordsNetwork, event: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Return the next state by the equations of Cho et al. 2014, as torch orders its gates."""
    gru = network.gru
    given = (gru.weight_ih_l0 @ event + gru.bias_ih_l0).chunk(3)
    kept = (gru.weight_hh_l0 @ state + gru.bias_hh_l0).chunk(3)
    reset, update = (torch.sigmoid(a + b) for a, b in zip(given[:2], kept[:2], strict=True))
    return (1 - update) * torch.tanh(given[2] + reset * kept[2]) + update * state


def _mean(network: GRUWordsNetwork, words: np.ndarray) -> torch.Tensor:
    real = [network.words.table.weight[w] for w in words if w]
    return sum(real, torch.zeros(SMALL.width)) / max(len(real), 1)


def _slowly(
    network: GRUWordsNetwork, log: EventLog, words: np.ndarray, rows: list[int], query: int
) -> torch.Tensor:
    """Return the scores of all items behind the events at ``rows``, for a query or ``NO_QUERY``."""
    state = network.start
    for row in rows:
        event = network.items.weight[log.item[row]] + network.kinds.weight[log.kind[row]]
        if log.query[row] != NO_QUERY:
            event = event + _mean(network, words[log.query[row]])
        state = _cell(network, event, state)
    if query != NO_QUERY:
        state = state + network.query.weight @ _mean(network, words[query])
    return network.items.weight @ state


@pytest.mark.parametrize("task", BOTH)
@torch.no_grad()
def test_scores_are_those_of_a_loop_over_the_last_events(
    model: GRUWords, tiny: Dataset, task: Task
) -> None:
    asked = _requests(tiny, task)
    words = model.words.of_queries(asked.queries, SMALL.query_words)
    offsets, rows = asked.history_rows()
    found = model.score(asked)
    for number in range(len(asked)):
        read = rows[offsets[number] : offsets[number + 1]][-WINDOW:].tolist()
        query = int(asked.query[number])
        expected = _slowly(model.network, asked._log, words, read, query)
        np.testing.assert_allclose(found[number], expected.numpy(), atol=1e-5)
    assert found.std(axis=1).min() > 1e-3


_EVENT = st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 2))


@torch.no_grad()
@settings(max_examples=40, deadline=None)
@given(st.lists(_EVENT, min_size=1, max_size=WINDOW + 1))
def test_an_event_is_predicted_from_its_query_and_strictly_earlier_events(events) -> None:
    """Times, kinds and queries at will: the loss is a loop's that asks as the harness would."""
    events = sorted(events, key=lambda event: event[0])
    time, kind, query = (np.array(column) for column in zip(*events, strict=True))
    query = np.where(kind == EventSource.SEARCHED, query, NO_QUERY)
    zeros, items = np.zeros(len(events), dtype=int), np.arange(len(events)) + 3
    log = EventLog.from_columns(zeros, items, time, kind, query, zeros, 1)
    words = np.array([[1, 0], [2, 3], [4, 1], [0, 0]])
    network = GRUWordsNetwork(20, 5, SMALL).eval()
    trainer = GRUWordsTrainer(network, SMALL, log, words, TrainingContext(BOTH, 1))
    rows, predicted = (array[0][None] for array in trainer.batches(0)[0])
    loss, count = trainer.loss(rows, predicted)
    expected = torch.zeros(())
    for row in range(len(log)):
        earlier = [r for r in range(len(log)) if log.time[r] < log.time[row]]
        scores = _slowly(network, log, words, earlier, int(log.query[row]))
        expected += functional.cross_entropy(scores[None], torch.tensor([int(log.item[row])]))
    assert count == len(log)
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)


def test_an_epoch_predicts_an_event_once_but_for_moments_that_a_cut_falls_into(
    tiny: Dataset,
) -> None:
    log = tiny.train.log
    network = GRUWordsNetwork(len(tiny.items), 5, SMALL).eval()
    words = np.zeros((len(tiny.queries) + 1, 1), dtype=np.int64)
    trainer = GRUWordsTrainer(network, SMALL, log, words, TrainingContext(BOTH, 1))
    batches = trainer.batches(3)
    rows = np.concatenate([rows[predicted] for rows, predicted in batches])
    assert sorted(rows.tolist()) == list(range(len(log)))
    count = sum(trainer.loss(*batch)[1] for batch in batches)
    assert 0.9 * len(log) < count <= len(log)


def test_a_query_is_read_for_search_only(model: GRUWords, tiny: Dataset) -> None:
    asked = _requests(tiny, Task.SEARCH)
    other = replace(asked, query=np.roll(asked.query, 1))
    assert np.abs(model.score(other) - model.score(asked)).max() > 1e-3
    unasked = replace(asked, query=np.full_like(asked.query, NO_QUERY))
    as_rec = replace(unasked, task=Task.REC)
    np.testing.assert_array_equal(model.score(unasked), model.score(as_rec))


@pytest.mark.parametrize("task", BOTH)
def test_vectors_multiplied_are_the_scores_and_candidates_get_theirs(
    model: GRUWords, tiny: Dataset, task: Task
) -> None:
    asked = _requests(tiny, task)
    whole = model.score(asked)
    product = model.request_vectors(asked) @ model.ranked_vectors(task).T
    np.testing.assert_allclose(product, whole, atol=1e-5)
    some = np.tile(np.array([[0, 5, 9]], dtype=np.int32), (len(asked), 1))
    np.testing.assert_allclose(
        model.score(replace(asked, candidates=some)), whole[:, [0, 5, 9]], atol=1e-5
    )


def test_a_user_without_history_is_answered_from_the_start(model: GRUWords, tiny: Dataset) -> None:
    asked = without_history(_requests(tiny, Task.REC), tiny.train.log)
    start = (model.network.items.weight @ model.network.start).detach().numpy()
    np.testing.assert_allclose(model.score(asked), np.tile(start, (len(asked), 1)), atol=1e-5)


def test_training_learns_queries_and_the_walk_through_the_items(tiny: Dataset) -> None:
    trained = _fit(tiny, epochs=25, validate_every=25, width=16)
    found = HarnessValidation(tiny, BOTH).measure(trained)
    by_chance = 4.54 / 120
    assert found["rec"] > 5 * by_chance
    assert found["search"] > 5 * by_chance


def test_trained_twice_it_is_the_same(model: GRUWords, tiny: Dataset) -> None:
    again = _fit(tiny)
    for name, array in again.state()[0].items():
        np.testing.assert_array_equal(array, model.state()[0][name], err_msg=name)


def test_without_any_search_or_any_event_it_answers(tiny: Dataset) -> None:
    log = tiny.train.log
    for kept in (log.kind == EventSource.RECOMMENDED, np.zeros(len(log), dtype=bool)):
        model = GRUWords(replace(SMALL, epochs=1))
        train = replace(tiny.train, log=log.select(kept))
        model.fit(train, HarnessValidation(tiny, BOTH), TrainingContext(BOTH, 1))
        for task in BOTH:
            assert np.isfinite(model.score(_requests(tiny, task))).all()
