from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.statistics.multiple import holm, letters


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    assert all(a <= 1 for a in adjusted)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def _symmetric(size: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    differ = np.zeros((size, size), dtype=bool)
    for a, b in pairs:
        differ[a, b] = differ[b, a] = True
    return differ


def test_letters_by_hand() -> None:
    assert letters(_symmetric(0, [])) == []
    assert letters(_symmetric(3, [])) == ["a", "a", "a"]
    assert letters(_symmetric(3, [(0, 1), (0, 2), (1, 2)])) == ["a", "b", "c"]
    # The middle one is like both, which differ.
    assert letters(_symmetric(3, [(0, 2)])) == ["a", "ab", "b"]


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 7), st.data())
def test_two_models_share_a_letter_exactly_if_they_do_not_differ(
    size: int, data: st.DataObject
) -> None:
    pairs = [(a, b) for a in range(size) for b in range(a + 1, size)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True) if pairs else st.just([]))
    differ = _symmetric(size, chosen)
    found = letters(differ)
    assert all(found) and "a" in found[0]
    for a, b in pairs:
        assert bool(set(found[a]) & set(found[b])) != differ[a, b]


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 7), st.data())
def test_no_letter_says_what_another_says_already(size: int, data: st.DataObject) -> None:
    """Piepho's absorption: a group within another group is no group of its own."""
    pairs = [(a, b) for a in range(size) for b in range(a + 1, size)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True) if pairs else st.just([]))
    found = letters(_symmetric(size, chosen))
    groups = {x: {i for i, own in enumerate(found) if x in own} for x in "".join(found)}
    for letter, group in groups.items():
        assert not any(group <= other for name, other in groups.items() if name != letter)


def test_more_groups_than_letters() -> None:
    size = 30
    found = letters(~np.eye(size, dtype=bool))
    assert len(set(found)) == size
    assert found[26:28] == ["aa", "ab"]


def test_many_groups_that_cross_each_other_are_covered() -> None:
    """Families of systems that win by turns make thousands of largest groups."""
    rng = np.random.default_rng(0)
    size = 120
    differ = np.triu(rng.random((size, size)) < 0.3, 1)
    differ |= differ.T
    groups = [set(found.split(",")) for found in letters(differ)]
    assert len(set().union(*groups)) < size**2 / 2
    share = np.array([[bool(a & b) for b in groups] for a in groups])
    np.testing.assert_array_equal(share, ~differ)
