from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.data.requests import Requests, Task
from benchmark.errors import BenchmarkError, DivergedError
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
        ours, seconds = count_products(queries, vectors, request, item, out, k)
    scores = (queries @ vectors.T).astype(np.float32)
    _same(ours, count_scores(scores, request, item, out, k))
    assert seconds > 0


def _uneven(
    monkeypatch: pytest.MonkeyPatch, more: Callable[[int, int], NDArray[np.float32]]
) -> list[int]:
    """Add ``more(calls, rows)`` to the scores of each block; return a list with one for each."""
    plain, calls = products._Blocks._products, []

    def uneven(self: products._Blocks, some: NDArray[np.float32]) -> NDArray[np.float32]:
        calls.append(len(some))
        scores = plain(self, some)
        scores += more(len(calls), len(some))[:, None]
        return scores

    monkeypatch.setattr(products, "_ITEMS", 8)
    monkeypatch.setattr(products._Blocks, "_products", uneven)
    return calls


NOTHING = np.empty(0, np.int64)


@pytest.mark.parametrize("items", [40, 43])
def test_an_item_is_counted_by_its_score_at_its_place_in_its_block(
    items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the last digits hung on that place and on the shape of a block, and in one pass."""

    def digits(calls: int, rows: int) -> NDArray[np.float32]:
        return np.arange(rows, dtype=np.float32) / 1024 * (2 if rows < 8 else 1)

    calls = _uneven(monkeypatch, digits)
    rng = np.random.default_rng(0)
    queries = np.ones((5, 2), np.float32)
    vectors = rng.integers(0, 3, (items, 2)).astype(np.float32)
    request, item = np.array([0, 1, 1, 2, 3, 4]), np.array([3, 11, 12, 30, items - 1, 3])
    ours, _ = count_products(queries, vectors, request, item, NOTHING, 4)
    blocks = [min(8, items - first) for first in range(0, items, 8)]
    scores = queries @ vectors.T + np.concatenate([digits(0, rows) for rows in blocks])
    _same(ours, count_scores(scores, request, item, NOTHING, 4))
    assert len(calls) == (2 if items == 40 else 3) + len(blocks)


def test_an_item_whose_score_is_another_in_its_block_is_counted_by_that_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = _uneven(
        monkeypatch, lambda calls, rows: np.full(rows, calls == 1, dtype=np.float32) / 1024
    )
    queries, vectors = np.ones((5, 2), np.float32), np.ones((40, 2), np.float32)
    request, item = np.arange(5), np.array([3, 11, 19, 27, 35])
    ours, _ = count_products(queries, vectors, request, item, NOTHING, 4)
    _same(ours, count_scores(queries @ vectors.T, request, item, NOTHING, 4))
    assert len(calls) == 5 + 5 + 5


def test_products_that_are_never_the_same_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _uneven(monkeypatch, lambda calls, rows: np.full(rows, calls, dtype=np.float32) / 1024)
    one, vectors = np.array([0]), np.ones((40, 2), np.float32)
    with pytest.raises(BenchmarkError, match="another one each time"):
        count_products(vectors[:1], vectors, one, one, NOTHING, 4)


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
