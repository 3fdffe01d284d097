from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from benchmark.statistics.randomisation import randomisation_test, randomisation_tests


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


@pytest.mark.parametrize("size", [5, 11])
def test_the_exact_test_is_scipys_own_two_sided_one(size: int) -> None:
    values = np.random.default_rng(size).normal(0.3, 1.0, size)
    expected = stats.permutation_test(
        (values, np.zeros_like(values)),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert randomisation_test(values) == pytest.approx(expected, abs=1e-12)


def test_the_sampled_test_agrees_with_t_on_normal_differences() -> None:
    values = np.random.default_rng(0).normal(0.3, 1.0, 40)
    sampled = randomisation_test(values, seed=1)
    assert randomisation_test(values, seed=1) == sampled
    assert sampled == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, abs=0.01)


def test_the_sampled_test_agrees_with_the_exact_one_on_tied_sums() -> None:
    # Of few values many sums are equal, which a comparison of rounded sums would get wrong.
    values = np.array([0.1] * 13 + [-0.1] * 8)
    expected = stats.binomtest(8, 21).pvalue
    assert randomisation_test(values) == pytest.approx(expected, abs=0.006)


def test_no_difference_gives_one_and_p_is_never_zero() -> None:
    assert randomisation_test(np.zeros(50)) == 1.0
    assert 0 < randomisation_test(np.full(100, 1.0), draws=1000) <= 1 / 500


def test_neither_threads_nor_the_order_of_models_move_a_p_value() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((5, 3000)) * (rng.random((5, 3000)) < 0.3)
    alone = randomisation_tests(values, seed=3, draws=5000, workers=1)
    np.testing.assert_array_equal(alone, randomisation_tests(values, seed=3, draws=5000, workers=4))
    turned = randomisation_tests(values[::-1], seed=3, draws=5000)
    np.testing.assert_array_equal(alone, turned[::-1, ::-1])


@settings(deadline=None, max_examples=20)
@given(arrays(np.float64, (3, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_all_pairs_are_the_pairs_one_by_one(values: np.ndarray) -> None:
    together = randomisation_tests(values, draws=4000)
    np.testing.assert_array_equal(together, together.T)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        alone = randomisation_test(values[a] - values[b], draws=4000)
        # Exact for few differences; else two samples of the same distribution.
        assert together[a, b] == pytest.approx(alone, abs=0.05)


def test_a_constant_added_to_a_request_for_all_models_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    values = rng.random((3, 200))
    moved = randomisation_tests(values + rng.random(200) * 100, draws=2000)
    np.testing.assert_allclose(moved, randomisation_tests(values, draws=2000), atol=1e-9)
