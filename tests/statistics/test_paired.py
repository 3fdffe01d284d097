from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.statistics.paired import (
    bootstrap_interval,
    by_unit,
    detectable_difference,
    effect_size,
    mean_interval,
    non_inferiority,
    student_t,
    wilcoxon,
)

NORMAL = np.random.default_rng(0).normal(0.2, 1.0, 200)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 1)), min_size=1, max_size=30))
def test_units_keep_the_mean_and_the_sums_of_users(pairs: list[tuple[int, float]]) -> None:
    users, values = np.array([u for u, _ in pairs]), np.array([v for _, v in pairs])
    units = by_unit(values, users)
    assert units.mean() == pytest.approx(values.mean(), abs=1e-12)
    scale = len(units) / len(values)
    expected = [values[users == user].sum() * scale for user in np.unique(users)]
    np.testing.assert_allclose(units, expected, atol=1e-12)


def test_units_of_many_models_at_once() -> None:
    values, users = np.arange(6.0).reshape(2, 3), np.array([7, 3, 7])
    np.testing.assert_allclose(by_unit(values, users), [[2 / 3, 4 / 3], [8 / 3, 16 / 3]])


def test_p_values_are_scipys() -> None:
    other = np.zeros_like(NORMAL)
    assert student_t(NORMAL) == pytest.approx(stats.ttest_rel(NORMAL, other).pvalue, abs=1e-12)
    assert wilcoxon(NORMAL) == pytest.approx(stats.wilcoxon(NORMAL, other).pvalue, abs=1e-12)


def test_no_difference_is_no_evidence() -> None:
    nothing = np.zeros(10)
    assert student_t(nothing) == wilcoxon(nothing) == 1.0
    assert mean_interval(nothing) == bootstrap_interval(nothing) == (0.0, 0.0)
    assert effect_size(nothing) == (0.0, 0.0, 0.0)


def test_the_same_difference_everywhere() -> None:
    assert student_t(np.full(10, 0.5)) == 0.0
    assert math.isnan(effect_size(np.full(10, 0.5)).size)


def test_intervals_agree_where_the_bootstrap_has_nothing_to_correct() -> None:
    student, bootstrap = mean_interval(NORMAL), bootstrap_interval(NORMAL)
    assert bootstrap == bootstrap_interval(NORMAL)
    assert bootstrap.low == pytest.approx(student.low, abs=0.02)
    assert bootstrap.high == pytest.approx(student.high, abs=0.02)


def test_the_bootstrap_covers_a_skewed_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [bootstrap_interval(rng.exponential(1.0, 60), draws=999) for _ in range(200)]
    covered = np.mean([low < 1.0 < high for low, high in intervals])
    assert 0.88 <= covered <= 0.985


@pytest.mark.parametrize("count", [100, 3000])
def test_the_interval_of_an_effect_agrees_with_the_noncentral_t(count: int) -> None:
    values = np.random.default_rng(count).normal(0.3, 1.0, count)
    size, low, high = effect_size(values)
    root = math.sqrt(count)
    assert size == pytest.approx(values.mean() / values.std(ddof=1))
    assert stats.nct.sf(size * root, count - 1, low * root) == pytest.approx(0.025, abs=2e-3)
    assert stats.nct.cdf(size * root, count - 1, high * root) == pytest.approx(0.025, abs=2e-3)


def test_the_detectable_difference_is_found_with_that_power() -> None:
    rng = np.random.default_rng(3)
    target = detectable_difference(rng.normal(0, 1, 200_000)[:500], power=0.8)
    found = [student_t(rng.normal(target, 1, 500)) < 0.05 for _ in range(800)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


class TestNonInferiority:
    def test_a_plain_drop_inside_noise_passes(self) -> None:
        noise = np.random.default_rng(5).normal(0, 1, 100)
        found = non_inferiority(noise - noise.mean() - 0.05)
        assert found.passed and found.difference < 0 < found.bound
        assert found.detectable > 0.05

    def test_a_sure_drop_fails_unless_the_margin_allows_it(self) -> None:
        drop = np.random.default_rng(6).normal(-0.5, 1, 400)
        found = non_inferiority(drop)
        assert not found.passed and found.bound < 0
        assert found.p == pytest.approx(stats.ttest_1samp(drop, 0, alternative="less").pvalue)
        assert non_inferiority(drop, margin=0.5).passed

    def test_it_fails_exactly_when_the_bound_is_below_the_margin(self) -> None:
        rng = np.random.default_rng(7)
        for shift in np.linspace(-0.4, 0.1, 40):
            found = non_inferiority(rng.normal(shift, 1, 150), margin=0.1)
            assert found.passed == (found.bound >= -0.1)

    def test_equal_runs_pass(self) -> None:
        assert non_inferiority(np.zeros(20)).passed
        assert not non_inferiority(np.full(20, -0.1)).passed
        assert non_inferiority(np.full(20, -0.1), margin=0.2).passed

    def test_one_training_is_the_t_test_of_its_units(self) -> None:
        assert non_inferiority(NORMAL[None] - 0.3) == non_inferiority(NORMAL - 0.3)

    def test_trainings_that_all_drop_alike_fail(self) -> None:
        drop = np.random.default_rng(8).normal(-0.3, 1, 400) + np.array([[0.01], [0.0], [-0.01]])
        assert not non_inferiority(drop).passed

    def test_trainings_that_differ_by_chance_seldom_fail(self) -> None:
        """The same model, trained anew elsewhere: its luck is drawn before its units."""
        rng = np.random.default_rng(9)
        luck = rng.normal(0, 0.1, (1000, 3, 1))
        runs = luck + rng.normal(0, 1, (1000, 3, 400))
        failed = [not non_inferiority(run).passed for run in runs]
        assert np.mean(failed) <= stats.binom.ppf(0.995, 1000, 0.05) / 1000
        blind = [not non_inferiority(run[0]).passed for run in runs]
        assert np.mean(blind) > 0.1


def test_the_interval_of_the_mean_is_scipys() -> None:
    expected = stats.ttest_1samp(NORMAL, 0.0).confidence_interval(0.95)
    assert mean_interval(NORMAL) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_luck_of_trainings_on_single_units_counts_once(noise: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        drops = rng.normal(0, 1, (3, 100)) + noise * rng.normal(0, 1, (3, 1))
        units = drops.mean(0).var(ddof=1) / 100
        between = drops.mean(1).var(ddof=1) / 3
        rest = drops - drops.mean(0) - drops.mean(1, keepdims=True) + drops.mean()
        luck = (rest**2).sum() / (2 * 99) / 100 / 3
        variance = units + max(between - luck, 0.0)
        freedom = variance**2 / (units**2 / 99 + between**2 / 2)
        expected = stats.t.cdf(drops.mean() / np.sqrt(variance), freedom)
        assert non_inferiority(drops).p == pytest.approx(expected)


def test_one_unit_shows_nothing() -> None:
    assert non_inferiority(np.array([-0.1])).passed
    assert mean_interval(np.array([-0.1])) == (-math.inf, math.inf)
