from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.shape import equal_bins, gini, histogram, top_share

COUNTS = st.sampled_from([40, 10**6]).flatmap(
    lambda most: st.lists(st.integers(0, most), min_size=1, max_size=60)
)


@given(COUNTS)
def test_every_value_lies_in_one_bin_of_whatever_kind(values: list[int]) -> None:
    column = np.array(values)
    for bins in (histogram(column), equal_bins(column, 12)):
        for each in bins:
            assert each.count == sum(each.low <= value <= each.high for value in values)
        assert sum(each.count for each in bins) == len(values)
        assert all(one.high + 1 == two.low for one, two in pairwise(bins))
        assert bins[0].low <= min(values) <= bins[0].high
        assert bins[-1].low <= max(values) <= bins[-1].high
    assert len(equal_bins(column, 12)) <= 12


def test_few_numbers_have_a_bin_each_and_many_are_cut_where_they_double() -> None:
    assert [(b.low, b.high) for b in histogram(np.array([3, 5]))] == [(3, 3), (4, 4), (5, 5)]
    wide = [(b.low, b.high) for b in histogram(np.array([2, 20]))]
    assert wide == [(2, 2), (3, 4), (5, 8), (9, 16), (17, 32)]


@given(COUNTS)
def test_gini_is_half_the_mean_difference_by_the_mean(values: list[int]) -> None:
    column = np.array(values, dtype=np.float64)
    differences = np.abs(column[:, None] - column[None, :]).mean()
    expected = differences / (2 * column.mean()) if column.any() else 0.0
    assert gini(np.array(values)) == pytest.approx(expected, abs=1e-9)


@given(COUNTS, st.floats(0.01, 1))
def test_the_top_share_is_that_of_the_largest(values: list[int], part: float) -> None:
    most = max(1, round(part * len(values)))
    expected = sum(sorted(values)[-most:]) / sum(values) if sum(values) else 0.0
    assert top_share(np.array(values), part) == pytest.approx(expected)
