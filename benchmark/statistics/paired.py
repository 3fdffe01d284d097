"""Paired comparison of two models over the same units: tests, intervals and effect sizes.

A unit is a user: requests of one user are not independent of one another, so :func:`by_unit` sums
them first. All tests are two-sided except :func:`non_inferiority`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from benchmark.statistics.training_noise import between_trainings

__all__ = [
    "LEVEL",
    "Effect",
    "Interval",
    "NonInferiority",
    "bootstrap_interval",
    "by_unit",
    "detectable_difference",
    "effect_size",
    "effect_sizes",
    "mean_interval",
    "non_inferiority",
    "student_t",
    "wilcoxon",
]

LEVEL = 0.05
"""Significance level of the leaderboard."""
_BOOTSTRAP_AT_ONCE = 2**22


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Effect(NamedTuple):
    """A standardised mean difference and its confidence interval."""

    size: float
    low: float
    high: float


@dataclass(frozen=True)
class NonInferiority:
    """Whether a new run is worse than its baseline by more than a margin.

    Attributes:
        difference: mean of new minus baseline.
        bound: upper one-sided confidence bound of the mean difference.
        p: of the hypothesis that the new run is worse by no more than the margin.
        passed: whether that hypothesis stands at the level.
        detectable: the drop that would have been found with a power of 80%.
    """

    difference: float
    bound: float
    p: float
    passed: bool
    detectable: float


def by_unit(values: NDArray[np.float64], users: NDArray[np.integer]) -> NDArray[np.float64]:
    """Sum the requests of each user, scaled so that the mean stays what it was.

    Args:
        values: ``[..., requests]``.
        users: the user of each request, ``[requests]``.

    Returns:
        ``[..., units]``, one for each user that occurs, in ascending order of users; the mean over
        units is the mean over requests.
    """
    found, place = np.unique(users, return_inverse=True)
    if len(found) == len(users):
        return np.asarray(values, dtype=np.float64)[..., np.argsort(place.ravel())]
    order = np.argsort(place.ravel(), kind="stable")
    first = np.searchsorted(place.ravel()[order], np.arange(len(found)))
    sums = np.add.reduceat(np.asarray(values, dtype=np.float64)[..., order], first, axis=-1)
    return sums * (len(found) / len(users))


def student_t(differences: NDArray[np.float64]) -> float:
    """Return Student's paired two-sided p-value; 1 where all ``[units]`` are equal to 0."""
    if len(differences) < 2 or not np.any(differences):
        return 1.0
    if np.ptp(differences) == 0:
        return 0.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def wilcoxon(differences: NDArray[np.float64]) -> float:
    """Return Wilcoxon's signed-rank two-sided p-value; 1 where all ``[units]`` are equal to 0.

    Units without a difference are left out, as in Wilcoxon 1945 and by SciPy's default.
    """
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def mean_interval(differences: NDArray[np.float64], level: float = 1 - LEVEL) -> Interval:
    """Return Student's interval of the mean of ``[units]`` with confidence ``level``."""
    mean = float(differences.mean())
    if len(differences) < 2:
        return Interval(-math.inf, math.inf)
    if np.ptp(differences) == 0:
        return Interval(mean, mean)
    count = len(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    low, high = stats.t.interval(level, count - 1, mean, error)
    return Interval(float(low), float(high))


def bootstrap_interval(
    differences: NDArray[np.float64], seed: int = 0, draws: int = 9999, level: float = 1 - LEVEL
) -> Interval:
    """Return the bias-corrected and accelerated bootstrap interval of the mean (Efron 1987).

    Args:
        differences: ``[units]``.
        seed: of the resamples; the same seed gives the same interval.
        draws: number of resamples.
        level: confidence.
    """
    if len(differences) < 2 or np.ptp(differences) == 0:
        return mean_interval(differences, level)
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=draws,
        batch=max(1, _BOOTSTRAP_AT_ONCE // len(differences)),
        confidence_level=level,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def effect_size(differences: NDArray[np.float64], level: float = 1 - LEVEL) -> Effect:
    """Return the mean of ``[units]`` over its standard deviation, and its interval.

    Cohen's d of paired samples (d_z), with the large-sample interval of Hedges and Olkin (1985),
    which is rough below some fifty units; NaN where all units are equal but not 0.
    """
    return Effect(*effect_sizes(differences[None], level)[0].tolist())


def effect_sizes(differences: NDArray[np.float64], level: float = 1 - LEVEL) -> NDArray[np.float64]:
    """Return the :func:`effect_size` of each row of ``[pairs, units]`` as ``[pairs, 3]``."""
    count = differences.shape[1]
    alike = np.ptp(differences, axis=1) == 0
    mean = differences.mean(axis=1)
    size = np.where(differences[:, 0] == 0, 0.0, np.nan)
    wide = np.where(alike, 0.0, np.nan)
    if count > 1:
        deviation = differences[~alike].std(axis=1, ddof=1)
        size[~alike] = mean[~alike] / deviation
        wide[~alike] = special.ndtri((1 + level) / 2) * np.sqrt(
            1 / count + size[~alike] ** 2 / (2 * count)
        )
    return np.stack([size, size - wide, size + wide], axis=1)


def detectable_difference(
    differences: NDArray[np.float64], power: float = 0.8, level: float = LEVEL
) -> float:
    """Return the mean difference that a two-sided t test over ``[units]`` finds with ``power``.

    By the normal approximation, from the spread that was seen.
    """
    if len(differences) < 2:
        return math.inf
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return error * float(stats.norm.isf(level / 2) + stats.norm.ppf(power))


def non_inferiority(
    differences: NDArray[np.float64], margin: float = 0.0, level: float = LEVEL
) -> NonInferiority:
    """Test whether new runs are worse than their baselines by more than ``margin``.

    One-sided paired t test over units. A drop that noise explains passes; how large a drop could
    have been found is told beside. Several trainings are averaged, and what they differ by is noise
    too: what it adds to the variance over units (see ``training_noise``) counts, with Welch's and
    Satterthwaite's degrees of freedom. Trainings that repeat their baseline in every bit differ by
    nothing. One unit alone shows nothing, so it passes.

    Args:
        differences: new minus baseline, higher is better, ``[units]`` or ``[trainings, units]``.
        margin: the drop that is accepted, 0 or more, in units of the metric.
        level: probability of failing runs that are worse by just the margin.
    """
    trainings = np.atleast_2d(differences)
    mean = float(trainings.mean())
    if trainings.shape[1] < 2:
        return NonInferiority(mean, math.inf, 1.0, True, math.inf)
    units = _variance_of_mean(trainings.mean(axis=0))
    between, luck = 0.0, 0.0
    if len(trainings) > 1:
        between, luck = (part / len(trainings) for part in between_trainings(trainings))
    # The luck of a training on single units is in the spread over units too, and counts once.
    variance = units + max(between - luck, 0.0)
    if variance == 0:
        passed = mean >= -margin
        return NonInferiority(mean, mean, 1.0 if passed else 0.0, passed, 0.0)
    known = units**2 / (trainings.shape[1] - 1) + between**2 / max(len(trainings) - 1, 1)
    freedom = variance**2 / known
    error = math.sqrt(variance)
    p = float(stats.t.cdf((mean + margin) / error, freedom))
    bound = mean + error * float(stats.t.isf(level, freedom))
    found = margin + error * float(stats.t.isf(level, freedom) + stats.t.isf(0.2, freedom))
    return NonInferiority(mean, bound, p, p >= level, found)


def _variance_of_mean(values: NDArray[np.float64]) -> float:
    """Return the variance of the mean of ``[values]``, two or more."""
    return 0.0 if np.ptp(values) == 0 else float(values.var(ddof=1)) / len(values)
