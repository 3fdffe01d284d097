from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmark.statistics.ranks import rank_intervals


def test_ranks_by_hand() -> None:
    means = np.array([0.1, 0.3, 0.2])
    differ = np.zeros((3, 3), dtype=bool)
    assert rank_intervals(means, differ) == ([1, 1, 1], [3, 3, 3])
    differ[0, 1] = differ[1, 0] = True
    assert rank_intervals(means, differ) == ([2, 1, 1], [3, 2, 3])
    assert rank_intervals(means, ~np.eye(3, dtype=bool)) == ([3, 1, 2], [3, 1, 2])


@given(st.integers(1, 8), st.data())
def test_a_rank_by_the_means_lies_in_its_interval(size: int, data: st.DataObject) -> None:
    means = np.array(data.draw(st.permutations(range(size))), dtype=float)
    half = np.triu(np.array(data.draw(st.lists(st.booleans(), min_size=64, max_size=64))).reshape(
        8, 8
    )[:size, :size], 1)  # fmt: skip
    low, high = rank_intervals(means, half | half.T)
    for system in range(size):
        assert 1 <= low[system] <= 1 + (means > means[system]).sum() <= high[system] <= size
