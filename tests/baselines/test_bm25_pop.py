from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines.bm25 import BM25
from baselines.bm25_pop import GRID, BM25Pop, BM25PopSettings
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext

SEARCH = (Task.SEARCH,)


def _fit(data: Dataset, weight: float | None) -> tuple[BM25Pop, TrainingContext]:
    model, context = BM25Pop(BM25PopSettings(weight=weight)), TrainingContext(SEARCH, 1)
    model.fit(data.train, HarnessValidation(data, SEARCH), context)
    return model, context


@pytest.fixture(scope="module")
def words(tiny: Dataset) -> BM25:
    model = BM25()
    model.fit(tiny.train, HarnessValidation(tiny, SEARCH), TrainingContext(SEARCH, 1))
    return model


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_scores_are_those_of_the_formula(tiny: Dataset, words: BM25, weight: float) -> None:
    asked = tiny.evaluation["test", Task.SEARCH]
    counts = np.bincount(tiny.train.log.item, minlength=len(tiny.items))
    expected = words.score(asked.requests) + weight * np.log(1 + counts)
    model, _ = _fit(tiny, weight)
    np.testing.assert_allclose(model.score(asked.requests), expected, rtol=1e-5)
    candidates = asked.lists["sampled"].rectangle()
    few = model.score(replace(asked.requests, candidates=candidates))
    np.testing.assert_allclose(few, np.take_along_axis(expected, candidates, axis=1), rtol=1e-5)


def test_weight_0_is_bm25(tiny: Dataset, words: BM25) -> None:
    asked = tiny.evaluation["test", Task.SEARCH].requests
    np.testing.assert_array_equal(_fit(tiny, 0.0)[0].score(asked), words.score(asked))


def test_a_small_weight_orders_what_bm25_ties_by_popularity(tiny: Dataset, words: BM25) -> None:
    asked = tiny.evaluation["test", Task.SEARCH].requests[:20]
    counts = np.bincount(tiny.train.log.item, minlength=len(tiny.items))
    found, plain = _fit(tiny, 1e-3)[0].score(asked), words.score(asked)
    tied = plain[:, :, None] == plain[:, None, :]
    more = counts[:, None] > counts
    assert (tied & more).any()
    assert (found[:, :, None] > found[:, None, :])[tied & more].all()
    clearly = plain[:, :, None] > plain[:, None, :] + 0.01
    assert (found[:, :, None] > found[:, None, :])[clearly].all()


def test_the_weight_is_the_best_of_the_grid_on_validation(tiny: Dataset) -> None:
    model, context = _fit(tiny, None)
    measured = {
        w: HarnessValidation(tiny, SEARCH).measure(_fit(tiny, w)[0])["search"] for w in GRID
    }
    assert context.run_log.facts["weight"] == model.weight
    assert measured[model.weight] == max(measured.values())
    assert all(measured[w] < measured[model.weight] for w in GRID if w < model.weight)
    assert model.settings.weight is None


class _Unasked(HarnessValidation):
    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        raise AssertionError("a given weight needs no validation")


def test_a_given_weight_is_taken(tiny: Dataset) -> None:
    model = BM25Pop(BM25PopSettings(weight=0.2))
    model.fit(tiny.train, _Unasked(tiny, SEARCH), TrainingContext(SEARCH, 1))
    assert model.weight == 0.2
