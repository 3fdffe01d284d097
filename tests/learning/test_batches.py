from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmark.learning.batches import by_length, length_order

LENGTHS = st.lists(st.integers(0, 30), max_size=40).map(np.array)
JITTERS = st.floats(0, 8)
SEEDS = st.integers(0, 99)


@given(LENGTHS, JITTERS, SEEDS)
def test_no_row_comes_before_one_that_is_much_shorter(length, jitter, seed) -> None:
    order = length_order(length, jitter, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(length)))
    for place, row in enumerate(order):
        assert (length[row] <= length[order[place:]] + jitter).all()


@given(LENGTHS, st.integers(1, 9), JITTERS, SEEDS)
def test_batches_are_neighbours_in_that_order(length, size, jitter, seed) -> None:
    order = length_order(length, jitter, np.random.default_rng(seed)).tolist()
    expected = [order[start : start + size] for start in range(0, len(order), size)]
    batches = by_length(length, size, jitter, np.random.default_rng(seed))
    assert sorted(batch.tolist() for batch in batches) == sorted(expected)


def test_batches_come_in_random_order() -> None:
    first = {by_length(np.arange(64), 4, 0.0, np.random.default_rng(s))[0][0] for s in range(30)}
    assert len(first) > 5
