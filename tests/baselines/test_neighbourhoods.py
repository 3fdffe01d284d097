"""Markov chain, STAN and EASE, held against their formulas in loops."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from math import exp, sqrt
from typing import Any

import numpy as np
import pytest

from baselines import ease, stan
from baselines.ease import EASE, EASESettings
from baselines.histories import distinct_events
from baselines.markov import Markov, MarkovSettings
from baselines.stan import STAN, STANSettings
from benchmark.data.dataset import Dataset
from benchmark.data.request_by_hand import request_after
from benchmark.data.requests import Requests, Task
from benchmark.errors import RefusedError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext

REC = (Task.REC,)


def fitted(model: Model, data: Dataset) -> Model:
    model.fit(data.train, HarnessValidation(data, REC), TrainingContext(REC, 1))
    return model


def asked(data: Dataset) -> Requests:
    return data.evaluation["test", Task.REC].requests


def histories(requests: Requests) -> list[list[int]]:
    """Return each history, an item where it stood last."""
    offsets, items = requests.seen()
    whole = [items[a:b].tolist() for a, b in pairwise(offsets)]
    return [list(dict.fromkeys(each[::-1]))[::-1] for each in whole]


def sequences(data: Dataset) -> list[list[int]]:
    log = data.train.log
    return [log.item[a:b].tolist() for a, b in pairwise(log.offsets)]


def holds(model: Model, data: Dataset, expected: np.ndarray) -> None:
    """Check scores of the catalogue and of lists."""
    np.testing.assert_allclose(model.score(asked(data)), expected, rtol=1e-4, atol=1e-5)
    lists = data.evaluation["test", Task.REC].lists["sampled"].rectangle()
    few = model.score(replace(asked(data), candidates=lists))
    np.testing.assert_allclose(
        few, np.take_along_axis(expected, lists, axis=1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("steps", [1, 3])
def test_markov_counts_what_follows_and_popularity_decides_between_equals(
    tiny: Dataset, steps: int
) -> None:
    follows: dict[int, Counter] = defaultdict(Counter)
    for sequence in sequences(tiny):
        for i, one in enumerate(sequence):
            for distance, other in enumerate(sequence[i + 1 : i + 1 + steps], 1):
                follows[one][other] += 1 / distance
    times = Counter(item for sequence in sequences(tiny) for item in sequence)
    offsets, seen = asked(tiny).seen()
    last = [seen[stop - 1] if stop > start else None for start, stop in pairwise(offsets)]
    expected = np.array(
        [
            [follows[one][i] + times[i] / (times.total() + 1) for i in range(len(tiny.items))]
            for one in last
        ]
    )
    holds(fitted(Markov(MarkovSettings(steps)), tiny), tiny, expected)


def slow_stan(
    data: Dataset, most: int, recency: float, reach: float, shared_item: str
) -> np.ndarray:
    known = [list(dict.fromkeys(each[::-1]))[::-1] for each in sequences(data)]
    scores = np.zeros((len(asked(data)), len(data.items)))
    for number, own in enumerate(histories(asked(data))):
        weight = {item: exp(-age / recency) for age, item in enumerate(own[::-1])}
        length = sqrt(sum(w * w for w in weight.values()))
        similar = {}
        for user, theirs in enumerate(known):
            shared = [item for item in theirs if item in weight]
            if shared:
                cosine = sum(weight[item] for item in shared) / length / sqrt(len(theirs))
                recent = max(shared, key=weight.__getitem__)
                similar[user] = (
                    np.float32(cosine),
                    recent if shared_item == "recent" else shared[-1],
                )
        for user in sorted(similar, key=lambda u: (-similar[u][0], u))[:most]:
            cosine, nearest = similar[user]
            place = known[user].index(nearest)
            for other, item in enumerate(known[user]):
                scores[number, item] += cosine * exp(-abs(other - place) / reach)
    return scores


@pytest.mark.parametrize(
    ("most", "recency", "reach", "shared"),
    [(500, 1.02, 2.05, "recent"), (500, 5.0, 9.0, "last"), (3, 2.0, 1.0, "recent")],
)
def test_stan_sums_the_votes_of_the_nearest_users(
    tiny: Dataset, most: int, recency: float, reach: float, shared: Any, monkeypatch
) -> None:
    model = fitted(STAN(STANSettings(most, recency, reach, shared)), tiny)
    expected = slow_stan(tiny, most, recency, reach, shared)
    assert (expected > 0).mean() > 0.1
    holds(model, tiny, expected)
    together = model.score(asked(tiny))
    monkeypatch.setattr(stan, "_EVENTS_AT_ONCE", 1)
    np.testing.assert_allclose(model.score(asked(tiny)), together, rtol=1e-6)


@pytest.mark.parametrize(("l2", "recency", "block"), [(500.0, 1.0, 1024), (20.0, 0.7, 7)])
def test_ease_is_the_least_squares_matrix_without_a_diagonal(
    tiny: Dataset, l2: float, recency: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ease, "_BLOCK", block)
    taken = np.zeros((len(sequences(tiny)), len(tiny.items)))
    for user, sequence in enumerate(sequences(tiny)):
        taken[user, sequence] = 1
    # Each column alone, by ridge regression on all other columns.
    weights = np.zeros((len(tiny.items),) * 2)
    for item in range(len(tiny.items)):
        others = np.delete(np.arange(len(tiny.items)), item)
        known = taken[:, others]
        gram = known.T @ known + l2 * np.eye(len(others))
        weights[others, item] = np.linalg.solve(gram, known.T @ taken[:, item])
    history = np.zeros((len(asked(tiny)), len(tiny.items)))
    for row, own in enumerate(histories(asked(tiny))):
        for age, item in enumerate(own[::-1]):
            history[row, item] = recency**age
    holds(fitted(EASE(EASESettings(l2, recency)), tiny), tiny, history @ weights)


def test_ease_says_so_where_the_matrix_has_no_inverse(tiny: Dataset) -> None:
    model = EASE(EASESettings(l2=1e-3))
    model.settings = replace(model.settings, l2=-1e6)
    with pytest.raises(RefusedError, match="l2 -1e\\+06 is too little"):
        fitted(model, tiny)


@pytest.mark.parametrize("model", [Markov, STAN, EASE])
def test_nothing_is_made_up_without_a_history(model: type[Model], tiny: Dataset) -> None:
    own = fitted(model(), tiny)
    nobody = request_after([], len(tiny.items), Task.REC, None, False)
    counts = np.bincount(tiny.train.log.item, minlength=len(tiny.items))
    scores = own.score(nobody)[0]
    if model is Markov:
        np.testing.assert_array_equal(
            np.argsort(-scores, kind="stable"), np.argsort(-counts, kind="stable")
        )
    else:
        assert not scores.any()


def test_repeats_are_left_out_where_they_are_older() -> None:
    offsets, items = distinct_events(
        np.array([0, 4, 4, 7]), np.array([5, 3, 5, 2, 3, 3, 9], dtype=np.int32), 10
    )
    assert (offsets.tolist(), items.tolist()) == ([0, 3, 3, 5], [3, 5, 2, 3, 9])
