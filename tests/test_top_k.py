from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.top_k import top_k


def _by_sorting(scores: NDArray[np.float32], k: int) -> tuple[NDArray, NDArray]:
    """Sort every row whole: what is meant, at the price of a sort."""
    kept = min(k, scores.shape[1])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
    best = np.take_along_axis(scores, order, axis=1)
    items = np.where(np.isneginf(best), -1, order).astype(np.int32)
    wide = ((0, 0), (0, k - kept))
    return np.pad(items, wide, constant_values=-1), np.pad(best, wide, constant_values=-np.inf)


def _assert_equal(scores: NDArray[np.float32], k: int) -> None:
    for ours, theirs in zip(top_k(scores, k), _by_sorting(scores, k), strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()


@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(0, 5),
    columns=st.integers(1, 700),
    k=st.integers(0, 12),
    values=st.sampled_from([1, 2, 5, 30, 2**20]),
    missing=st.sampled_from([0.0, 0.5, 0.98, 1.0]),
)
def test_the_best_are_those_of_a_stable_sort(
    seed: int, rows: int, columns: int, k: int, values: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-values, values, (rows, columns)).astype(np.float32)
    scores[rng.random(scores.shape) < missing] = -np.inf
    _assert_equal(scores, k)


@pytest.mark.parametrize("columns", [20_000, 20_001, 300_000])
@pytest.mark.parametrize("k", [10, 50])
def test_rows_of_real_width(columns: int, k: int) -> None:
    rng = np.random.default_rng(columns)
    row = rng.standard_normal(columns).astype(np.float32)
    scores = np.stack([row, np.round(row), np.zeros_like(row), np.full_like(row, -np.inf)])
    _assert_equal(scores, k)
    _assert_equal(scores[:, ::-1], k)
    _assert_equal(np.broadcast_to(row, (9, columns)), k)


def test_nan_is_not_hidden() -> None:
    scores = np.zeros((3, 5000), dtype=np.float32)
    scores[1, 4000] = np.nan
    items, best = top_k(scores, 5)
    assert np.isnan(best[1]).any()
    assert not np.isnan(best[[0, 2]]).any()
    assert (items[[0, 2]] == np.arange(5)).all()
