from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from benchmark.statistics.randomisation import (
    EXACT_UP_TO,
    randomisation_test,
    randomisation_tests,
)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=10))
def test_few_differences_give_scipys_p(differences: list[int]) -> None:
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
def test_few_differences_give_scipys_own_two_sided_p(size: int) -> None:
    values = np.random.default_rng(size).normal(0.3, 1.0, size)
    expected = stats.permutation_test(
        (values, np.zeros_like(values)),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert randomisation_test(values) == pytest.approx(expected, abs=1e-12)


def _counted(differences: np.ndarray) -> float:
    """Count all signs: of each sum of one half, how many of the other reach the observed sum."""
    sums = [np.zeros(1), np.zeros(1)]
    for place, value in enumerate(differences):
        half = sums[place % 2]
        sums[place % 2] = np.concatenate([half + value, half - value])
    total = np.abs(differences.sum()) - 1e-9
    second = np.sort(sums[1])
    above = len(second) - np.searchsorted(second, total - sums[0])
    below = np.searchsorted(second, -total - sums[0], side="right")
    return float((above + below).sum()) / 2.0 ** len(differences)


NDCG = 1 / np.log2(np.arange(2, 12))
SIZES = {
    "normal": lambda rng, n: np.abs(rng.normal(0, 1, n)),
    "heavy tails": lambda rng, n: np.abs(rng.standard_cauchy(n)),
    "ndcg": lambda rng, n: rng.choice(NDCG, n),
    "hits": lambda rng, n: np.ones(n),
    "hits of three seeds": lambda rng, n: rng.integers(1, 4, n) / 3,
    "one outweighs all": lambda rng, n: np.concatenate([[6.0], rng.exponential(1, n - 1)]),
}


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("size", [EXACT_UP_TO + 1, 32])
def test_many_differences_give_nearly_the_counted_p(kind: str, size: int) -> None:
    rng = np.random.default_rng(size)
    for better in (0.5, 0.65, 0.8):
        for _ in range(4):
            signs = np.where(rng.random(size) < better, 1.0, -1.0)
            values = signs * SIZES[kind](rng, size)
            expected = _counted(values)
            # Far out few assignments of few values are left, and p is a step function.
            near = 0.03 if expected > 1e-4 else 0.3 if expected > 1e-6 else 0.5
            assert randomisation_test(values) == pytest.approx(expected, rel=near)


def test_a_tail_that_draws_would_never_reach() -> None:
    values = np.array([1.0] * 130 + [-1.0] * 70)
    assert randomisation_test(values) == pytest.approx(stats.binomtest(70, 200).pvalue, rel=0.01)
    values = np.random.default_rng(3).normal(0.4, 1.0, 400)
    student = stats.ttest_1samp(values, 0.0).pvalue
    assert student < 1e-8
    assert np.log(randomisation_test(values)) == pytest.approx(np.log(student), rel=0.1)


def test_no_difference_gives_one_and_p_is_never_zero() -> None:
    assert randomisation_test(np.zeros(50)) == 1.0
    assert randomisation_test(np.array([1.0, -1.0] * 20)) == 1.0
    assert randomisation_test(np.full(100, 1.0)) == 2.0**-99
    assert randomisation_test(np.full(10, 0.1)) == 2.0**-9


def test_the_order_of_systems_and_units_moves_no_p_value() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((5, 3000)) * (rng.random((5, 3000)) < 0.3)
    p = randomisation_tests(values)
    np.testing.assert_allclose(randomisation_tests(values[::-1])[::-1, ::-1], p, rtol=1e-9)
    np.testing.assert_allclose(randomisation_tests(rng.permutation(values, axis=1)), p, rtol=1e-9)


@settings(deadline=None, max_examples=20)
@given(arrays(np.float64, (2, 3, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_all_pairs_are_the_pairs_one_by_one(values: np.ndarray) -> None:
    together = randomisation_tests(values)
    np.testing.assert_array_equal(together, together.swapaxes(-1, -2))
    for scores, p in zip(values, together, strict=True):
        assert (np.diag(p) == 1).all()
        for a, b in ((0, 1), (0, 2), (1, 2)):
            assert p[a, b] == pytest.approx(randomisation_test(scores[a] - scores[b]), rel=1e-9)


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_unit_of_measurement_does_not_matter(factor: float) -> None:
    values = np.random.default_rng(5).normal(0.2, 1.0, 100)
    assert randomisation_test(factor * values) == pytest.approx(randomisation_test(values))


def test_a_constant_added_to_a_request_for_all_systems_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    values = rng.random((3, 200))
    moved = randomisation_tests(values + rng.random(200) * 100)
    np.testing.assert_allclose(moved, randomisation_tests(values), rtol=1e-6)
