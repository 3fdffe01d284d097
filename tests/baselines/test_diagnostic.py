from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import comb

from baselines.diagnostic import Constant, Random
from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation, evaluate
from benchmark.evaluation.metrics import compute
from benchmark.model import Model, TrainingContext
from benchmark.run_log import RunLog

TASKS = (Task.REC, Task.SEARCH)


def _fitted(model: Model, data: Dataset, seed: int = 1) -> Model:
    model.fit(data.train, HarnessValidation(data, TASKS), TrainingContext(TASKS, seed))
    return model


@pytest.mark.parametrize("cutoff", [1, 5, 10, 20])
def test_a_constant_finds_what_is_relevant_by_chance(movies: Dataset, cutoff: int) -> None:
    model = _fitted(Constant(), movies)
    run_log = RunLog(quiet=True)
    for outcome in evaluate(model, "constant", movies, "test", TASKS, ("sampled",), run_log):
        counts = outcome.counts
        first = np.unique(counts.request, return_index=True)[1]
        size, relevant = counts.candidates[first], np.bincount(counts.request)
        missed = comb(size - relevant, cutoff) / comb(size, cutoff)
        hits = compute(counts, (f"hr@{cutoff}",))[f"hr@{cutoff}"]
        np.testing.assert_allclose(hits, 1 - missed, atol=1e-12)


def test_popularity_counts_training_events_only(tiny: Dataset) -> None:
    model = _fitted(Popularity(), tiny)
    counts = Counter(tiny.train.log.item.tolist())
    assert sum(counts.values()) < len(tiny.log)
    for task in TASKS:
        whole = tiny.evaluation["test", task]
        expected = [counts[item] for item in range(len(tiny.items))]
        scores = model.score(whole.requests)
        np.testing.assert_array_equal(scores, [expected] * len(whole.requests))
        candidates = whole.lists["sampled"].rectangle()
        sampled = model.score(replace(whole.requests, candidates=candidates))
        np.testing.assert_array_equal(sampled, np.array(expected)[candidates])


def test_popularity_retrieves_the_most_frequent_unseen_items(tiny: Dataset) -> None:
    model = _fitted(Popularity(), tiny)
    counts = Counter(tiny.train.log.item.tolist())
    asked = tiny.evaluation["test", Task.REC].requests[:10]
    assert asked.exclude_seen
    offsets, seen = asked.seen()
    for row, items in enumerate(model.retrieve(asked, 7)[0].tolist()):
        out = set(seen[offsets[row] : offsets[row + 1]].tolist())
        kept = [item for item in range(asked.items) if item not in out]
        assert items == sorted(kept, key=lambda item: (-counts[item], item))[:7]


def test_random_scores_look_uniform_and_hang_on_the_seed(tiny: Dataset) -> None:
    asked = tiny.evaluation["test", Task.REC].requests
    first, other = (_fitted(Random(), tiny, seed).score(asked) for seed in (1, 2))
    assert (first != other).mean() > 0.99
    counts = np.histogram(first, bins=10, range=(0, 1))[0]
    expected = first.size / 10
    assert ((counts - expected) ** 2 / expected).sum() < 28  # chi-squared, 9 degrees, p = 0.001
    assert ((first >= 0) & (first < 1)).all()
