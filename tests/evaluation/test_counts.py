from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmark.errors import BenchmarkError
from benchmark.evaluation.counts import ranks_from_scores, ranks_from_top
from benchmark.model import top_k

SCORES = arrays(
    np.float32, (4, 7), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0]), fill=st.nothing()
)
TARGETS = arrays(np.int64, 4, elements=st.integers(0, 6))


@given(scores=SCORES, target=TARGETS, left_out=arrays(np.bool_, (4, 7)))
def test_counts_are_those_of_a_loop(scores, target, left_out) -> None:
    ranks = ranks_from_scores(scores, target, left_out)
    for row in range(4):
        others = [scores[row, c] for c in range(7) if c != target[row] and not left_out[row, c]]
        own = scores[row, target[row]]
        assert ranks.greater[row] == sum(s > own for s in others)
        assert ranks.tied[row] == sum(s == own for s in others)
        assert ranks.candidates[row] == len(others) + 1


@given(scores=SCORES, target=TARGETS, k=st.integers(1, 9))
def test_a_list_of_the_best_gives_the_ranks_of_all_scores_cut_there(scores, target, k) -> None:
    items, best = top_k(scores, k)
    cut = np.full_like(scores, -np.inf)
    for row in range(4):
        for item, score in zip(items[row], best[row], strict=True):
            if item >= 0:
                cut[row, item] = score
    expected = ranks_from_scores(cut, target)
    found = ranks_from_top(items, best, target, np.full(4, 7))
    np.testing.assert_array_equal(found.greater, expected.greater)
    np.testing.assert_array_equal(found.tied, expected.tied)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_an_error_that_names_the_request(bad: float) -> None:
    scores = np.zeros((3, 4), dtype=np.float32)
    scores[1, 2] = bad
    with pytest.raises(BenchmarkError, match="mine: request 1"):
        ranks_from_scores(scores, np.zeros(3, dtype=int), model="mine")


def test_an_item_retrieved_twice_is_an_error() -> None:
    items = np.array([[1, 2, 1]])
    with pytest.raises(BenchmarkError, match="twice"):
        ranks_from_top(items, np.zeros((1, 3), np.float32), np.array([0]), np.array([5]))
