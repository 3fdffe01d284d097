"""TGH's lists, held against the rules in loops."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from math import log1p
from typing import Any

import numpy as np
import pytest

from baselines import tgh
from baselines.tgh import TGH, TGHSettings
from benchmark.data.dataset import Dataset
from benchmark.data.request_by_hand import request_after
from benchmark.data.requests import Requests, Task
from benchmark.model import TrainingContext

REC = (Task.REC,)


@pytest.fixture(autouse=True)
def vectors(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Stand in for the texts' vectors; no two cosines are equal."""
    made = np.random.default_rng(5).standard_normal((len(tiny.items), 6)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    monkeypatch.setattr(tgh, "text_vectors", lambda *told: made)
    return made


def fitted(data: Dataset, **changed: Any) -> TGH:
    model = TGH(TGHSettings(**changed))
    model.fit(data.train, None, TrainingContext(REC, 1))  # type: ignore[arg-type]
    return model


def steps(data: Dataset) -> dict[int, Counter]:
    log, found = data.train.log, defaultdict(Counter)
    for start, stop in pairwise(log.offsets):
        for one, other in pairwise(log.item[start:stop].tolist()):
            found[one][other] += 1
    return found


def slow_list(
    source: int,
    places: tuple[int, ...],
    barred: set[int],
    follows: dict[int, Counter],
    vectors: np.ndarray,
    weight: float,
) -> list[int]:
    """Return what stands around a source, barred items left out, filled up by likeness."""

    def like(item: int) -> float:
        return float(vectors[source] @ vectors[item])

    most = max(map(log1p, follows[source].values()), default=1.0)
    value = {i: like(i) + weight * log1p(n) / most for i, n in follows[source].items()}
    rings, visited = [sorted(value, key=lambda i: -value[i])], {source, *value}
    while len(rings) < len(places):
        reached = {i for one in rings[-1] for i in follows[one]} - visited
        visited |= reached
        rings.append(sorted(reached, key=lambda i: -like(i)))
    rings = [[i for i in ring if i not in barred] for ring in rings]
    listed: list[int] = []

    def give(items: list[int], count: int) -> None:
        listed.extend([i for i in items if i not in listed][: max(0, count)])

    for number, (ring, count) in enumerate(zip(rings, places, strict=True)):
        give([i for earlier in rings[:number] for i in earlier], count - len(ring))
        give(ring, min(count, len(ring)))
    give([i for ring in rings for i in ring], sum(places) - len(listed))
    others = sorted(set(range(len(vectors))) - barred, key=lambda i: -like(i))
    give(others, sum(places) - len(listed))
    return listed


@pytest.mark.parametrize("weight", [0.0, 0.5])
@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(
    ("places", "before"),
    [((7, 2, 1), ()), ((5, 1), (3, 1)), ((2, 9, 4), (1,)), ((40,), ()), ((), (3,))],
)
def test_lists_are_those_of_the_rules(
    tiny: Dataset,
    vectors: np.ndarray,
    places: tuple[int, ...],
    before: tuple[int, ...],
    seen: bool,
    weight: float,
) -> None:
    model = fitted(tiny, places=places, places_before=before, count_weight=weight)
    requests = replace(tiny.evaluation["test", Task.REC].requests, exclude_seen=seen)
    follows, scores = steps(tiny), model.score(requests)
    offsets, items = requests.seen()
    for row, (start, stop) in enumerate(pairwise(offsets)):
        history = items[start:stop].tolist()
        barred = set(history) if seen else set()
        wanted: list[int] = []
        for source, own in ((history[-1:], places), (history[-2:-1], before)):
            if source and own:
                near = slow_list(source[0], own, barred | {*wanted}, follows, vectors, weight)
                wanted += near
        order = np.argsort(-scores[row], kind="stable")
        assert order[: len(wanted)].tolist() == wanted
        rest = [i for i in order[len(wanted) :].tolist() if i not in barred]
        likeness = vectors @ vectors[history[-1]]
        assert rest == sorted(rest, key=lambda i: -likeness[i])


def test_a_random_fill_hangs_on_seed_user_and_item_only(tiny: Dataset) -> None:
    model = fitted(tiny, places=(40,), fill="random")
    requests: Requests = tiny.evaluation["test", Task.REC].requests
    whole = model.score(requests)
    np.testing.assert_array_equal(model.score(requests[np.array([3])])[0], whole[3])
    other = fitted(tiny, places=(40,), fill="random")
    other.seed = 2
    assert (other.score(requests) != whole).any()
    never = np.setdiff1d(np.arange(len(tiny.items)), tiny.train.log.item)
    assert (whole[:, never] <= 0).all()


def test_draws_are_spread_evenly() -> None:
    drawn = tgh._scattered(np.arange(100_000, dtype=np.uint64))
    assert np.histogram(drawn, 20, (0, 1))[0] == pytest.approx([5000] * 20, rel=0.06)
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.01


def test_without_a_history_everything_is_tied(tiny: Dataset) -> None:
    nobody = request_after([], len(tiny.items), Task.REC, None, True)
    for fill in ("texts", "random"):
        scores = fitted(tiny, fill=fill).score(nobody)
        assert len(np.unique(scores)) == 1
