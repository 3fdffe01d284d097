from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from baselines.generative.dsi import DSI, DSISettings
from baselines.generative.indexing import IndexingRegime, ItemSide, PersonalRegime
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from benchmark.settings import build_settings
from gensar.engine.sequences import NOTHING
from gensar.engine.targets import CodeTargets, Step
from tests.gensar.support import bag_of_words

TASKS = (Task.SEARCH,)
SMALL = DSISettings(
    generator="words",
    queries_per_item=3,
    width=16,
    heads=2,
    layers=1,
    feed_forward=32,
    text_tokens=200,
    max_history=6,
    epochs=2,
    validate_every=2,
    validation_requests=20,
)


@pytest.fixture(scope="module", autouse=True)
def _without_text_encoder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gensar.engine.item_vectors.semantic_vectors", bag_of_words)
        patch.setattr("baselines.generative.dsi.semantic_vectors", bag_of_words)
        yield


def _fit(data: Dataset, **changed: object) -> DSI:
    model = DSI(replace(SMALL, **changed))  # type: ignore[arg-type]
    model.fit(data.train, HarnessValidation(data, TASKS), TrainingContext(TASKS, 1))
    return model


@pytest.fixture(scope="module")
def plain(tiny: Dataset) -> DSI:
    return _fit(tiny)


@pytest.fixture(scope="module")
def personal(tiny: Dataset) -> DSI:
    return _fit(tiny, personalised=True, docid="naive")


def _requests(data: Dataset) -> Requests:
    return data.evaluation["validation", Task.SEARCH].requests


def _with_other_histories(asked: Requests) -> Requests:
    log = asked._log
    moved = replace(log, item=((log.item + 31) % asked.items).astype(np.int32))
    return replace(asked, _log=moved)


def test_scores_follow_from_the_query_alone(plain: DSI, tiny: Dataset) -> None:
    asked = _requests(tiny)
    other = _with_other_histories(asked)
    np.testing.assert_array_equal(plain.score(asked), plain.score(other))
    reworded = replace(asked, query=np.roll(asked.query, 1))
    changed = np.array(asked.query_texts()) != np.array(reworded.query_texts())
    differs = (plain.score(asked) != plain.score(reworded)).any(axis=1)
    assert changed.any()
    assert differs[changed].all()


def test_personalised_scores_follow_from_history_and_query(personal: DSI, tiny: Dataset) -> None:
    asked = _requests(tiny)
    scores = personal.score(asked)
    has_history = asked.history(1).length > 0
    assert has_history.any()
    differs = (scores != personal.score(_with_other_histories(asked))).any(axis=1)
    assert differs[has_history].all()
    reworded = replace(asked, query=np.roll(asked.query, 1))
    changed = np.array(asked.query_texts()) != np.array(reworded.query_texts())
    assert (scores != personal.score(reworded)).any(axis=1)[changed].all()


@pytest.mark.parametrize("name", ["plain", "personal"])
def test_every_retrieved_identifier_is_an_item_s(
    name: str, tiny: Dataset, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    items, scores = model.retrieve(_requests(tiny), 20)
    assert ((items >= 0) & (items < len(tiny.items))).all()
    assert all(len(set(row)) == 20 for row in items.tolist())
    exact = np.take_along_axis(model.score(_requests(tiny)), items, axis=1)
    np.testing.assert_allclose(scores, exact, atol=1e-4)


def test_the_digits_of_a_naive_identifier_are_the_row_number(personal: DSI) -> None:
    codes = personal.vocabulary.identifiers.codes
    for kind in (0, 1):
        assert [int("".join(map(str, row))) for row in codes[kind]] == list(range(len(codes[0])))
    tokens = [personal.vocabulary.code_tokens(kind) for kind in (0, 1)]
    np.testing.assert_array_equal(tokens[0], tokens[1])


def _steps(model: DSI, data: Dataset) -> list[Step]:
    rng = np.random.default_rng(0)
    return [make(rng) for make in model.regime.training(data.train, TASKS)(rng)]


def _read(targets: CodeTargets, model: DSI) -> list[tuple[str, int]]:
    """Return text and item of targets that read one text each, without END and query token."""
    rows = []
    for inputs, visible, item in zip(
        targets.inputs, targets.visible[:, 0], targets.item[:, 0], strict=True
    ):
        assert (inputs[visible:] == NOTHING).all()
        tokens = inputs[:visible, 0].tolist()
        assert tokens[1] == model.vocabulary.query
        rows.append((model.vocabulary.tokenizer.decode(tokens[2:]), int(item)))
    return rows


def _real_pairs(data: Dataset) -> list[tuple[str, int]]:
    log, queries = data.train.log, data.train.queries.texts
    found = np.flatnonzero(log.kind == EventSource.SEARCHED)
    return sorted((queries[log.query[row]], int(log.item[row])) for row in found)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("indexing", ["queries", "text", "both"])
def test_an_epoch_is_the_training_searches_and_what_was_written(
    real: bool, indexing: str, tiny: Dataset
) -> None:
    model = _fit(tiny, real_queries=real, indexing=indexing, epochs=1, batch_size=64)
    steps = _steps(model, tiny)
    assert all(len(step.codes) == 1 and not step.texts for step in steps)
    assert all(len(step.codes[0][0].item) <= 64 for step in steps)
    read = sorted(pair for step in steps for pair in _read(step.codes[0][0], model))
    side = model._item_side
    expected = list(zip(side.texts, side.item.tolist(), strict=True))
    expected = [(text.lower(), item) for text, item in expected]
    assert len(expected) == len(tiny.items) * {"queries": 3, "text": 1, "both": 4}[indexing]
    assert read == sorted(expected + (_real_pairs(tiny) if real else []))


def test_the_item_side_is_learned_without_a_history_beside_the_sequences(tiny: Dataset) -> None:
    model = _fit(tiny, personalised=True, epochs=1, sequences=8)
    side = ItemSide(("drama", "word3 title3", "comedy"), np.array([0, 3, 1]), 8)
    model.regime = PersonalRegime(model.sequences, side, 6, 8, 16)
    steps = _steps(model, tiny)
    assert not any(step.texts for step in steps)
    extra = [
        pair for step in steps if len(step.codes) > 1 for pair in _read(step.codes[1][0], model)
    ]
    assert sorted(extra) == [("comedy", 1), ("drama", 0), ("word3 title3", 3)]
    targets = [step.codes[0][0] for step in steps]
    asked = sorted(int(item) for t in targets for item in t.item[t.visible > 0])
    assert asked == sorted(item for _, item in _real_pairs(tiny))
    assert all((t.start[t.visible > 0] == model.vocabulary.searched).all() for t in targets)


def test_real_pairs_never_hold_a_query_that_training_does_not(plain: DSI, tiny: Dataset) -> None:
    regime = IndexingRegime(plain.sequences, ItemSide((), np.empty(0, np.int64), 1), True, 64, 16)
    plain_regime, plain.regime = plain.regime, regime
    read = [pair for step in _steps(plain, tiny) for pair in _read(step.codes[0][0], plain)]
    plain.regime = plain_regime
    assert sorted(read) == _real_pairs(tiny)


def test_training_learns_which_items_a_query_leads_to(tiny: Dataset) -> None:
    model = _fit(tiny, epochs=14, validate_every=20, patience=99, learning_rate=1e-2, batch_size=32)
    untrained = _fit(tiny, epochs=1, learning_rate=1e-9)
    validation = HarnessValidation(tiny, TASKS)
    assert validation.measure(model)["search"] > 2 * validation.measure(untrained)["search"]


def test_data_without_any_search_are_learned_from_texts(tiny: Dataset) -> None:
    log: EventLog = tiny.train.log
    train = replace(tiny.train, log=log.select(log.kind == EventSource.RECOMMENDED))
    for personalised in (False, True):
        model = DSI(replace(SMALL, generator="own", personalised=personalised))
        model.fit(train, HarnessValidation(tiny, TASKS), TrainingContext(TASKS, 1))
        assert np.isfinite(model.score(_requests(tiny))).all()


def test_settings_that_leave_nothing_to_learn_are_refused() -> None:
    wrong = [("personalised", "true"), ("real_queries", "false")]
    with pytest.raises(InputError, match="needs real_queries"):
        build_settings(DSISettings, DSI.presets, "standard", wrong)
    with pytest.raises(InputError, match="at least 2"):
        build_settings(DSISettings, DSI.presets, "standard", [("branches", "1")])
