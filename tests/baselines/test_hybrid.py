from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines.bm25 import BM25, BM25Settings
from baselines.dense import Dense, DenseSettings
from baselines.hybrid import Hybrid, HybridSettings, reciprocal_ranks
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext

SEARCH = (Task.SEARCH,)
SETTINGS = HybridSettings(tuning="none", k1=0.9, constant=10)


@pytest.fixture(scope="module")
def hybrid(tiny: Dataset) -> Hybrid:
    model = Hybrid(SETTINGS)
    model.fit(tiny.train, HarnessValidation(tiny, SEARCH), TrainingContext(SEARCH, 1))
    return model


def test_ranks_are_those_counted_by_hand() -> None:
    scores = np.array([[3.0, 1.0, 2.0, 0.5], [0.0, 5.0, 0.0, 5.0], [1, 1, 1, 1]], dtype=np.float32)
    ranks = np.array([[1, 3, 2, 4], [3.5, 1.5, 3.5, 1.5], [2.5, 2.5, 2.5, 2.5]])
    np.testing.assert_allclose(reciprocal_ranks(scores, 60), 1 / (60 + ranks), rtol=1e-12)


def test_scores_are_those_of_the_two_models_fused(tiny: Dataset, hybrid: Hybrid) -> None:
    context, validation = TrainingContext(SEARCH, 1), HarnessValidation(tiny, SEARCH)
    asked = tiny.evaluation["test", Task.SEARCH].requests[:12]
    expected = np.zeros((12, len(tiny.items)))
    for part in (BM25(BM25Settings(k1=0.9)), Dense(DenseSettings(tuning="none"))):
        part.fit(tiny.train, validation, context)
        for row, own in enumerate(part.score(asked)):
            for item, score in enumerate(own):
                rank = (own > score).sum() + ((own == score).sum() + 1) / 2
                expected[row, item] += 1 / (10 + rank)
    np.testing.assert_allclose(hybrid.score(asked), expected, rtol=1e-5)


def test_candidates_have_the_scores_that_they_have_in_the_catalogue(
    tiny: Dataset, hybrid: Hybrid
) -> None:
    whole = tiny.evaluation["test", Task.SEARCH]
    candidates = whole.lists["sampled"].rectangle()
    scores = hybrid.score(replace(whole.requests, candidates=candidates))
    expected = np.take_along_axis(hybrid.score(whole.requests), candidates, axis=1)
    np.testing.assert_array_equal(scores, expected)
