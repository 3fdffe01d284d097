from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.data.requests import Requests, Task
from benchmark.errors import DivergedError
from benchmark.evaluation import asking, products
from benchmark.evaluation.counting import Places, count_scores
from benchmark.evaluation.products import count_products

from .reference import Scoring, World
from .test_evaluate import WORLDS, _numbered, _outcomes


def _same(ours: Places, theirs: Places) -> None:
    for name, values in vars(theirs).items():
        found = getattr(ours, name)
        assert found.dtype == values.dtype, name
        np.testing.assert_array_equal(found, values, err_msg=name)


def _pairs(rng: np.random.Generator, rows: int, items: int, share: float) -> NDArray[np.int64]:
    return np.flatnonzero(rng.random(rows * items) < share)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 9),
    items=st.integers(1, 90),
    columns=st.sampled_from([8, 16, 64]),
    k=st.integers(0, 12),
    values=st.sampled_from([1, 2, 9]),
    double=st.booleans(),
    pending=st.sampled_from([1, 2**16]),
)
def test_counts_and_lists_are_those_of_all_scores(
    seed: int,
    rows: int,
    items: int,
    columns: int,
    k: int,
    values: int,
    double: bool,
    pending: int,
) -> None:
    """Whole numbers, so that products are exact in any order: ties in plenty."""
    rng = np.random.default_rng(seed)
    queries = rng.integers(-values, values, (rows, 3)).astype(np.float64 if double else np.float32)
    vectors = rng.integers(-values, values, (items, 3)).astype(np.float32)
    relevant = _pairs(rng, rows, items, rng.choice([0.02, 0.3]))
    out = np.setdiff1d(_pairs(rng, rows, items, rng.choice([0.0, 0.2, 0.9])), relevant)
    request, item = np.divmod(relevant, items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "_ITEMS", columns)
        patch.setattr(products, "_PENDING", pending)
        ours = count_products(queries, vectors, request, item, out, k)
    scores = (queries @ vectors.T).astype(np.float32)
    _same(ours, count_scores(scores, request, item, out, k))


def test_an_item_whose_score_is_another_at_its_place_is_counted_by_that_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the last digits hung on the place in the block, and copies were no longer level."""
    monkeypatch.setattr(products, "_ITEMS", 8)
    rng = np.random.default_rng(0)
    queries, vectors = np.ones((5, 2), np.float32), rng.integers(0, 3, (40, 2)).astype(np.float32)
    plain, calls = products._Blocks._products, []

    def uneven(self: products._Blocks, some: NDArray[np.float32]) -> NDArray[np.float32]:
        calls.append(len(some))
        scores = plain(self, some)
        scores += np.arange(len(scores), dtype=np.float32)[:, None] / 1024
        return scores

    monkeypatch.setattr(products._Blocks, "_products", uneven)
    request, item = np.arange(5), np.array([3, 11, 12, 30, 39])
    ours = count_products(queries, vectors, request, item, np.empty(0, np.int64), 4)
    scores = queries @ vectors.T + np.tile(np.arange(8, dtype=np.float32), 5) / 1024
    _same(ours, count_scores(scores, request, item, np.empty(0, np.int64), 4))
    assert len(calls) == 1 + 5 + 5


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_product_that_is_no_number_names_the_request(bad: float) -> None:
    queries = np.ones((3, 2), dtype=np.float32)
    queries[1] = bad
    vectors, one = np.ones((9, 2), dtype=np.float32), np.array([0])
    with pytest.raises(DivergedError, match="mine: request 41 has a score that is NaN or infinite"):
        count_products(
            queries, vectors, one, one, np.empty(0, np.int64), 1, "mine", np.array([40, 41, 42])
        )


class _ByVectors(Scoring):
    """Its vectors are the rows of its scores and of the unit matrix."""

    def request_vectors(self, requests: Requests) -> NDArray[np.float32]:
        """Return the scores."""
        return self.score(requests)

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the unit matrix."""
        return np.eye(self.table.shape[1], dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(world=WORLDS)
def test_an_evaluation_by_vectors_is_that_by_scores(world: World) -> None:
    finite = [[max(score, -1.0) for score in row] for row in world.scores]
    world = World(world.items, finite, world.seen, world.grades, world.lists, world.exclude)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "LARGE", 0)
        patch.setattr(products, "_ITEMS", 16)
        found = _outcomes(_ByVectors(world), world.dataset())
        for (_, protocol), outcome in found.items():
            assert _numbered(outcome) == world.rows(outcome.protocol), protocol
            best = [world.best(n, outcome.protocol, 10) for n in outcome.requests.tolist()]
            np.testing.assert_array_equal(outcome.top, best)
