"""Item-kNN, popularity given the query and their product, held against their formulas."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest

from baselines import item_knn
from baselines.item_knn import ItemKNN, ItemKNNSettings
from baselines.query_pop_item_knn import GRID, QueryPopItemKNN, QueryPopItemKNNSettings
from baselines.query_popularity import QueryPopularity, QueryPopularitySettings
from benchmark.data.dataset import Dataset
from benchmark.data.request_by_hand import request_after
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext

BOTH = (Task.REC, Task.SEARCH)


def fitted(model: Model, data: Dataset) -> Model:
    model.fit(data.train, HarnessValidation(data, BOTH), TrainingContext(BOTH, 1))
    return model


def asked(data: Dataset, task: Task, candidates: bool = False) -> Requests:
    whole = data.evaluation["test", task]
    if not candidates:
        return whole.requests
    return replace(whole.requests, candidates=whole.lists["sampled"].rectangle())


def slow_knn(
    data: Dataset, requests: Requests, most: int, shrinkage: float, recency: float = 1.0
) -> np.ndarray:
    """Return sums of cosines by dictionaries of sets, an item counted where it stands last."""
    users = defaultdict(set)
    for user, item in zip(data.train.log.user, data.train.log.item, strict=True):
        users[int(item)].add(int(user))
    near: dict[int, dict[int, float]] = {}
    for item, own in users.items():
        both = {o: len(own & theirs) for o, theirs in users.items() if o != item and own & theirs}
        cosines = {o: n / (sqrt(len(own) * len(users[o])) + shrinkage) for o, n in both.items()}
        best = sorted(cosines, key=lambda o: (-np.float32(cosines[o]), o))[:most]
        near[item] = {o: cosines[o] for o in best}
    scores = np.zeros((len(requests), requests.items))
    offsets, seen = requests.seen()
    for i in range(len(requests)):
        latest_first = dict.fromkeys(seen[offsets[i] : offsets[i + 1]][::-1].tolist())
        for age, item in enumerate(latest_first):
            for other, cosine in near.get(item, {}).items():
                scores[i, other] += recency**age * cosine
    return scores


@pytest.mark.parametrize(("most", "shrinkage"), [(200, 0.0), (200, 10.0), (5, 3.0)])
@pytest.mark.parametrize("task", BOTH)
def test_item_knn_is_the_sum_of_cosines(
    tiny: Dataset, most: int, shrinkage: float, task: Task
) -> None:
    model = fitted(ItemKNN(ItemKNNSettings(most, shrinkage)), tiny)
    expected = slow_knn(tiny, asked(tiny, task), most, shrinkage)
    np.testing.assert_allclose(model.score(asked(tiny, task)), expected, rtol=1e-4, atol=1e-6)
    few = asked(tiny, task, candidates=True)
    np.testing.assert_allclose(
        model.score(few), np.take_along_axis(expected, few.candidates, axis=1), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("task", BOTH)
def test_item_knn_trusts_what_lies_back_less_where_recency_is_below_1(
    tiny: Dataset, task: Task
) -> None:
    model = fitted(ItemKNN(ItemKNNSettings(50, 3.0, recency=0.6)), tiny)
    expected = slow_knn(tiny, asked(tiny, task), 50, 3.0, recency=0.6)
    np.testing.assert_allclose(model.score(asked(tiny, task)), expected, rtol=1e-4, atol=1e-6)
    few = asked(tiny, task, candidates=True)
    np.testing.assert_allclose(
        model.score(few), np.take_along_axis(expected, few.candidates, axis=1), rtol=1e-4, atol=1e-6
    )


def test_item_knn_knows_no_order_where_recency_is_1_to_the_last_bit(tiny: Dataset) -> None:
    model, items = fitted(ItemKNN(), tiny), len(tiny.items)
    history = [(int(item), None) for item in np.unique(tiny.train.log.item)[:25]]
    onward, back = (
        model.score(request_after(each, items, Task.REC, "", False))
        for each in (history, history[::-1])
    )
    np.testing.assert_array_equal(onward, back)


def test_the_product_hands_recency_to_item_knn(tiny: Dataset) -> None:
    near = fitted(ItemKNN(ItemKNNSettings(recency=0.5)), tiny)
    model = fitted(QueryPopItemKNN(QueryPopItemKNNSettings(recency=0.5, weight=1.0)), tiny)
    requests = asked(tiny, Task.REC)
    np.testing.assert_array_equal(model.score(requests), near.score(requests))
    assert not np.array_equal(model.score(requests), fitted(ItemKNN(), tiny).score(requests))


def test_neighbours_are_the_same_in_parts_of_any_size(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(ItemKNN(), tiny).state()[0]
    monkeypatch.setattr(item_knn, "_ENTRIES_AT_ONCE", 7)
    parts = fitted(ItemKNN(), tiny).state()[0]
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name])


def slow_probabilities(data: Dataset, requests: Requests, smoothing: float) -> np.ndarray:
    train, items = data.train.log, len(data.items)
    reached: dict[str, Counter] = defaultdict(Counter)
    for item, query in zip(train.item.tolist(), train.query.tolist(), strict=True):
        if query >= 0:
            reached[data.queries.texts[query]][item] += 1
    times = np.array([1 + (train.item == i).sum() for i in range(items)])
    rows = []
    for text in requests.query_texts():
        counts = np.array([reached[text][i] for i in range(items)])
        rows.append((counts + smoothing * times / times.sum()) / (counts.sum() + smoothing))
    return np.array(rows)


@pytest.mark.parametrize("smoothing", [1.0, 50.0])
def test_query_pop_is_the_smoothed_probability(tiny: Dataset, smoothing: float) -> None:
    model = fitted(QueryPopularity(QueryPopularitySettings(smoothing)), tiny)
    expected = slow_probabilities(tiny, asked(tiny, Task.SEARCH), smoothing)
    np.testing.assert_allclose(model.score(asked(tiny, Task.SEARCH)), expected, rtol=1e-5)
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, rtol=1e-9)
    few = asked(tiny, Task.SEARCH, candidates=True)
    np.testing.assert_allclose(
        model.score(few), np.take_along_axis(expected, few.candidates, axis=1), rtol=1e-5
    )


def test_case_and_blanks_of_a_query_do_not_count_and_new_words_mean_popularity(
    tiny: Dataset,
) -> None:
    model, items = fitted(QueryPopularity(), tiny), len(tiny.items)

    def score(words: str) -> np.ndarray:
        return model.score(request_after([], items, Task.SEARCH, words, False))[0]

    np.testing.assert_array_equal(score("western"), score("  WESTERN "))
    assert not np.array_equal(score("western"), score("drama"))
    counts = np.bincount(tiny.train.log.item, minlength=items) + 1
    np.testing.assert_allclose(score("never heard of"), counts / counts.sum(), rtol=1e-5)


def test_the_product_is_one_and_its_parts_are_its_ends(tiny: Dataset) -> None:
    settings = QueryPopItemKNNSettings(weight=2.0, floor=0.1)
    model = fitted(QueryPopItemKNN(settings), tiny)
    near = fitted(ItemKNN(), tiny)
    given = fitted(QueryPopularity(), tiny)
    search, rec = asked(tiny, Task.SEARCH), asked(tiny, Task.REC)
    product = np.log(given.score(search)) + 2 * np.log(near.score(search) + 0.1)
    np.testing.assert_allclose(model.score(search), product, rtol=1e-4)
    np.testing.assert_array_equal(model.score(rec), near.score(rec))
    alone = fitted(QueryPopItemKNN(QueryPopItemKNNSettings(weight=0.0)), tiny)
    np.testing.assert_array_equal(alone.score(search), np.log(given.score(search)))


def test_the_weight_is_the_best_of_the_grid_on_validation(tiny: Dataset) -> None:
    model, context = QueryPopItemKNN(), TrainingContext(BOTH, 1)
    model.fit(tiny.train, HarnessValidation(tiny, BOTH), context)
    measured = {
        w: HarnessValidation(tiny, BOTH).measure(
            fitted(QueryPopItemKNN(QueryPopItemKNNSettings(weight=w)), tiny)
        )["search"]
        for w in GRID
    }
    best = max(measured.values())
    assert model.weight == min(w for w in GRID if measured[w] == best)
    assert context.run_log.facts["weight"] == model.weight


def test_a_saved_product_scores_the_same(tiny: Dataset, tmp_path: Path) -> None:
    model = fitted(QueryPopItemKNN(), tiny)
    model.save(tmp_path)
    other = QueryPopItemKNN.load(tmp_path)
    for task in BOTH:
        np.testing.assert_array_equal(
            model.score(asked(tiny, task)), other.score(asked(tiny, task))
        )


def test_both_signals_help_where_both_are_planted(tiny: Dataset) -> None:
    """Tiny's users keep to one genre, and search by it or by a word that few items share."""
    measure = HarnessValidation(tiny, (Task.SEARCH,)).measure
    product = measure(fitted(QueryPopItemKNN(), tiny))["search"]
    assert product >= measure(fitted(QueryPopularity(), tiny))["search"]
    assert product > measure(fitted(ItemKNN(), tiny))["search"]
    assert log(product) > log(0.05)
