from __future__ import annotations

from typing import get_args, get_type_hints

import numpy as np
import pytest

from baselines.bi_encoder import query_item_pairs
from baselines.generative.semantic_ids import SemanticIds, SemanticIdsSettings
from baselines.generative.text_spaces import neighbour_pairs
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext, TrainView
from benchmark.run_log import RunLog
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from tests.baselines.generative.support import (
    SMALL,
    asked,
    without_first_users,
    without_searches,
    without_text_encoder,
    without_texts,
)

BOTH = (Task.REC, Task.SEARCH)
CONSTRUCTIONS = get_args(get_type_hints(SemanticIdsSettings)["construction"])


def _fit(
    data: Dataset,
    train: TrainView | None = None,
    tasks: tuple[Task, ...] = BOTH,
    tuned_on: list[list[int]] | None = None,
    **changed: object,
) -> SemanticIds:
    wanted = {**SMALL, "interaction_width": 16, "search_batch_size": 64, **changed}
    model = SemanticIds(SemanticIdsSettings(**wanted))  # type: ignore[arg-type]
    context = TrainingContext(tasks, 1, run_log=RunLog(quiet=True))
    with without_text_encoder(tuned_on):
        model.fit(train or data.train, HarnessValidation(data, tasks), context)
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> SemanticIds:
    return _fit(tiny, epochs=20, validate_every=20, batch_size=4, width=32)


@pytest.mark.parametrize("construction", CONSTRUCTIONS)
def test_every_construction_gives_unique_identifiers_and_answers(
    construction: str, tiny: Dataset
) -> None:
    model = _fit(tiny, construction=construction, epochs=1)
    vocabulary = model.vocabulary
    search, rec = (vocabulary.code_tokens(kind) for kind in (SEMANTIC, COLLABORATIVE))
    for tokens in (search, rec):
        assert len(np.unique(tokens, axis=0)) == len(tiny.items)
    if construction == "separate":
        assert not set(search.ravel().tolist()) & set(rec.ravel().tolist())
    else:
        np.testing.assert_array_equal(search, rec)
    for task in BOTH:
        assert np.isfinite(model.score(asked(tiny, task))).all()


def test_constructions_tune_on_what_their_names_say(tiny: Dataset) -> None:
    queries, neighbours = (
        len(pairs(tiny.train).pairs) for pairs in (query_item_pairs, neighbour_pairs)
    )
    assert queries != neighbours
    expected = {
        "content": [],
        "rec-tuned": [],
        "search-tuned": [[queries]],
        "separate": [[queries]],
        "fused-concat": [[queries]],
        "fused-svd": [[queries]],
        "multi-task": [[neighbours, queries]],
    }
    for construction in CONSTRUCTIONS:
        tuned_on: list[list[int]] = []
        _fit(tiny, tuned_on=tuned_on, construction=construction, epochs=1)
        assert tuned_on == expected[construction]
    for task, pairs in ((Task.REC, neighbours), (Task.SEARCH, queries)):
        tuned_on = []
        _fit(tiny, tasks=(task,), tuned_on=tuned_on, epochs=1)
        assert tuned_on == [[pairs]]


def test_both_tasks_are_learned(model: SemanticIds, tiny: Dataset) -> None:
    reached = HarnessValidation(tiny, BOTH).measure(model)
    assert reached["rec"] > 0.25
    assert reached["search"] > 0.12


def test_a_search_does_not_depend_on_who_asks(model: SemanticIds, tiny: Dataset) -> None:
    requests = tiny.evaluation["test", Task.SEARCH].requests
    scores = model.score(requests)
    for query in np.unique(requests.query):
        same = scores[requests.query == query]
        np.testing.assert_allclose(same, same[:1].repeat(len(same), axis=0), atol=1e-5)
    assert len(np.unique(requests.query)) < len(requests)


@pytest.mark.parametrize("task", BOTH)
def test_one_task_alone(task: Task, tiny: Dataset) -> None:
    model = _fit(tiny, tasks=(task,), epochs=1)
    assert np.isfinite(model.score(asked(tiny, task))).all()


def test_data_without_any_search_and_users_without_events(tiny: Dataset) -> None:
    train = without_first_users(without_searches(tiny.train))
    for tasks in ((Task.REC,), BOTH):
        model = _fit(tiny, train, tasks=tasks, epochs=1)
        assert np.isfinite(model.score(asked(tiny, Task.REC))).all()


def test_a_catalogue_without_text_is_served_by_rec_tuned_only(tiny: Dataset) -> None:
    blank = without_texts(tiny.train)
    for construction in CONSTRUCTIONS:
        if construction != "rec-tuned":
            with pytest.raises(BenchmarkError, match="construction=rec-tuned"):
                _fit(tiny, blank, construction=construction)
    model = _fit(tiny, blank, construction="rec-tuned", epochs=1)
    assert np.isfinite(model.score(asked(tiny, Task.REC))).all()
