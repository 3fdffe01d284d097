from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.analysis.agreement import FEWEST, Order, agreement

NAMES = tuple("abcdefgh")
figures = st.lists(st.integers(0, 5).map(float), min_size=len(NAMES), max_size=len(NAMES))


def _order(means: list[float], apart: set[tuple[str, str]] | None = None) -> Order:
    return Order(dict(zip(NAMES, means, strict=False)), frozenset(apart or ()))


@given(figures, figures)
def test_tau_counts_pairs_that_stand_the_same_way_round(
    here: list[float], there: list[float]
) -> None:
    """By its definition (Kendall 1945): ties of either order shorten its denominator."""
    signs = np.array(
        [
            (np.sign(here[a] - here[b]), np.sign(there[a] - there[b]))
            for a, b in itertools.combinations(range(len(NAMES)), 2)
        ]
    )
    untied = np.sqrt((signs != 0).sum(axis=0).prod())
    found = agreement(_order(here), _order(there), "rec", "other")
    assert found is not None
    if untied:
        assert found.tau == pytest.approx(signs.prod(axis=1).sum() / untied)
    else:
        assert found.tau is None


def test_pairs_that_only_one_table_tells_apart_count_for_nothing() -> None:
    means = list(map(float, range(len(NAMES))))
    here = _order(means, {("b", "a"), ("c", "a"), ("d", "a")})
    there = _order(means, {("b", "a"), ("d", "a"), ("a", "c"), ("h", "g")})
    found = agreement(here, there, "search", "other")
    assert found is not None
    assert (found.same, found.opposite, found.models) == (2, 1, len(NAMES))


def test_models_of_one_order_alone_do_not_count() -> None:
    here = _order([3.0, 2.0, 1.0, 5.0, 4.0, 9.0])
    there = Order(
        {**dict(zip("bcdef", [2.0, 1.0, 5.0, 4.0, 9.0], strict=True)), "z": 7.0}, frozenset()
    )
    found = agreement(here, there, "rec", "other")
    assert found is not None
    assert (found.models, found.tau) == (5, pytest.approx(1))


def test_few_models_have_no_agreement() -> None:
    few = Order(dict.fromkeys(NAMES[: FEWEST - 1], 1.0), frozenset())
    assert agreement(few, _order([1.0] * len(NAMES)), "rec", "other") is None
    assert agreement(Order({}, frozenset()), Order({}, frozenset()), "rec", "other") is None
