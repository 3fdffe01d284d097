from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmark.errors import BenchmarkError
from benchmark.evaluation import counting
from benchmark.evaluation.counting import count_list, count_scores
from benchmark.top_k import top_k

SCORES = arrays(
    np.float32, (4, 7), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), fill=st.nothing()
)
RELEVANT = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1)


def _rows(pairs: set[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(sorted(pairs)).T)  # type: ignore[return-value]


@given(scores=SCORES, relevant=RELEVANT, out=RELEVANT, at_once=st.integers(1, 40))
def test_counts_are_those_of_a_loop(scores, relevant, out, at_once) -> None:
    request, column = _rows(relevant)
    left_out = np.array(sorted(r * 7 + c for r, c in out - relevant), dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_AT_ONCE", at_once)
        found = count_scores(scores, request, column, left_out, k=3)
    for number, (r, c) in enumerate(zip(request, column, strict=True)):
        others = [scores[r, j] for j in range(7) if j != c and (r, j) not in out - relevant]
        assert found.greater[number] == sum(s > scores[r, c] for s in others)
        assert found.tied[number] == sum(s == scores[r, c] for s in others)
        assert found.candidates[r] == len(others) + 1
    masked = scores.copy()
    masked.reshape(-1)[left_out] = -np.inf
    for ours, theirs in zip((found.columns, found.scores), top_k(masked, 3), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 2039, 2040, 2041, 70_000])
def test_no_count_overflows_its_byte(width: int) -> None:
    """All candidates stand above one item, and all are level with the other."""
    scores = np.ones((3, width), dtype=np.float32)
    scores[1, 0] = 0
    found = count_scores(scores, np.arange(3), np.zeros(3, dtype=int), np.empty(0, np.int64), k=1)
    np.testing.assert_array_equal(found.greater, [0, width - 1, 0])
    np.testing.assert_array_equal(found.tied, [width - 1, 0, width - 1])


def test_rows_that_share_memory_are_neither_copied_whole_nor_written_to() -> None:
    row = np.arange(50, dtype=np.float32)
    scores = np.broadcast_to(row, (200, 50))
    left_out = np.arange(200) * 50 + 49
    found = count_scores(scores, np.arange(200), np.full(200, 7), left_out, k=2)
    assert (found.greater == 41).all()
    assert (found.columns == [48, 47]).all()
    np.testing.assert_array_equal(row, np.arange(50))


@given(scores=SCORES, relevant=RELEVANT, k=st.integers(1, 9))
def test_a_list_of_the_best_gives_the_counts_of_all_scores_cut_there(scores, relevant, k) -> None:
    request, item = _rows(relevant)
    items, best = top_k(scores, k)
    cut = np.full_like(scores, -np.inf)
    for row, (listed, values) in enumerate(zip(items, best, strict=True)):
        cut[row, listed[listed >= 0]] = values[listed >= 0]
    expected = count_scores(cut, request, item, np.empty(0, np.int64), k=1)
    greater, tied = count_list(items, best, request, item, np.full(4, 7))
    np.testing.assert_array_equal(greater, expected.greater)
    np.testing.assert_array_equal(tied, expected.tied)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("left_out", [[], [9]])
def test_a_score_that_is_no_number_names_the_request(bad: float, left_out: list[int]) -> None:
    scores = np.zeros((3, 4), dtype=np.float32)
    scores[2, 1] = bad
    column, out = np.zeros(3, dtype=int), np.array(left_out, dtype=np.int64)
    with pytest.raises(BenchmarkError, match="mine: request 2 has"):
        count_scores(scores, np.arange(3), column, out, k=1, model="mine")
    with pytest.raises(BenchmarkError, match="mine: request 70 has"):
        count_scores(scores, np.arange(3), column, out, 1, "mine", np.array([5, 6, 70]))


def test_a_list_with_an_item_twice_or_without_score_is_an_error() -> None:
    items, own = np.array([[1, 2, 3], [1, 2, 1]]), (np.array([0]), np.array([0]), np.array([5, 5]))
    with pytest.raises(BenchmarkError, match="request 1 has an item retrieved twice"):
        count_list(items, np.zeros((2, 3), np.float32), *own)
    with pytest.raises(BenchmarkError, match="request 0 has a retrieved item without"):
        count_list(items, np.full((2, 3), np.nan, np.float32), *own)
