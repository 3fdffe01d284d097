from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.evaluation.significance import holm, randomisation_test, sum_by_unit


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=10))
def test_the_exact_test_is_scipys(differences: list[int]) -> None:
    values = np.array(differences, dtype=float)
    expected = stats.permutation_test(
        (values, np.zeros_like(values)),
        lambda a, b: float(np.abs((a - b).sum())),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=False,
    ).pvalue
    assert randomisation_test(values) == pytest.approx(expected, abs=1e-12)


def test_the_sampled_test_agrees_with_the_exact_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 1.0, 40)
    sampled = randomisation_test(values, seed=1)
    assert randomisation_test(values, seed=1) == sampled
    expected = stats.ttest_1samp(values, 0.0).pvalue
    assert sampled == pytest.approx(expected, abs=0.01)


def test_it_rejects_as_often_as_it_says_when_nothing_is_there() -> None:
    rng = np.random.default_rng(1)
    draws = [randomisation_test(rng.normal(size=60), seed=s, draws=2000) for s in range(400)]
    rejected = np.mean(np.array(draws) < 0.05)
    assert abs(rejected - 0.05) < 2.58 * np.sqrt(0.05 * 0.95 / 400)


def test_no_difference_gives_one_and_p_is_never_zero() -> None:
    assert randomisation_test(np.zeros(50)) == 1.0
    assert 0 < randomisation_test(np.full(100, 1.0), draws=1000) <= 1 / 500


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    assert all(a <= 1 for a in adjusted)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_requests_of_one_user_are_summed() -> None:
    values = sum_by_unit(np.array([1.0, 2.0, 4.0]), np.array([7, 3, 7]))
    np.testing.assert_array_equal(values, [2.0, 5.0])
