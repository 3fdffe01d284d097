from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmark.learning.ragged import Ragged, join

ROWS = st.lists(st.lists(st.integers(-5, 99), max_size=4), max_size=6)


def _lists(ragged: Ragged) -> list[list[int]]:
    return [ragged.values[a:b].tolist() for a, b in itertools.pairwise(ragged.offsets)]


@given(ROWS)
def test_lists_come_back_as_they_went_in(rows) -> None:
    assert _lists(Ragged.of_lists(rows)) == rows


@given(ROWS, st.data())
def test_rows_are_taken_as_from_a_list_and_minus_one_is_empty(rows, data) -> None:
    chosen = data.draw(st.lists(st.integers(-1, len(rows) - 1), max_size=8))
    taken = Ragged.of_lists(rows).take(np.array(chosen, dtype=np.int64))
    assert _lists(taken) == [rows[i] if i >= 0 else [] for i in chosen]


@given(st.lists(st.tuples(*[st.lists(st.integers(0, 9), max_size=3)] * 3), max_size=5))
def test_joined_rows_are_concatenated_lists(triples) -> None:
    parts = [Ragged.of_lists([triple[i] for triple in triples]) for i in range(3)]
    assert _lists(join(*parts)) == [a + b + c for a, b, c in triples]


@given(ROWS, st.integers(1, 4), st.data())
def test_rows_of_one_owner_become_one_row(rows, owners, data) -> None:
    owner = sorted(data.draw(st.integers(0, owners - 1)) for _ in rows)
    grouped = Ragged.of_lists(rows).regroup(np.array(owner, dtype=np.int64), owners)
    expected = [
        [v for o, row in zip(owner, rows, strict=True) if o == n for v in row]
        for n in range(owners)
    ]
    assert _lists(grouped) == expected


@given(ROWS)
def test_padding_fills_rows_on_the_right(rows) -> None:
    longest = max((len(row) for row in rows), default=0)
    expected = [row + [-9] * (longest - len(row)) for row in rows]
    padded = Ragged.of_lists(rows).padded(-9)
    assert padded.shape == (len(rows), longest)
    assert padded.tolist() == expected


@given(ROWS)
def test_values_may_have_further_axes(rows) -> None:
    flat = Ragged.of_lists(rows)
    wide = Ragged(np.stack([flat.values, flat.values + 1], axis=1), flat.lengths)
    joined = join(wide, wide).padded(0)
    np.testing.assert_array_equal(joined[..., 0], join(flat, flat).padded(0))
    real = np.arange(joined.shape[1]) < 2 * flat.lengths[:, None]
    np.testing.assert_array_equal(joined[..., 1], (joined[..., 0] + 1) * real)
