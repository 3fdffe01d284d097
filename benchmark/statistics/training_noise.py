"""How much the mean of a system moves from one training to the next.

A system's scores are ``[trainings, units]``. By the usual model of two random factors (Searle,
Casella and McCulloch 1992, "Variance Components", chapter 4) a score is the mean of the recipe,
plus what the training is worth on all units, plus what the recipe is worth on the unit, plus the
luck of that training on that unit. The variance between the means of trainings holds the first and
a share ``1 / units`` of the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["TrainingNoise", "training_noise"]


class TrainingNoise(NamedTuple):
    """What trainings add to the variance of each system's mean, beyond what its units show.

    Attributes:
        variance: between the means of single trainings, ``[systems]``; 0 where all trainings are
            the same.
        freedom: degrees of freedom of ``variance``; infinite where that is 0 for sure, 0 where no
            system has two trainings.
        luck: the part of ``variance`` that is luck on single units, which the spread over units
            holds already.
        borrowed: the system has one training, and the spread of others.
    """

    variance: NDArray[np.float64]
    freedom: NDArray[np.float64]
    luck: NDArray[np.float64]
    borrowed: NDArray[np.bool_]


def training_noise(scores: Sequence[NDArray[np.float64]], families: Sequence[str]) -> TrainingNoise:
    """Estimate the noise of trainings of systems with scores ``[trainings, units]``.

    A system with one training borrows from those of its family that have several, else from all
    that have; trainings that are all the same lend only where their whole family is so.
    """
    size = len(scores)
    variance, luck, freedom = np.zeros(size), np.zeros(size), np.zeros(size)
    for place, each in enumerate(scores):
        if len(each) > 1:
            variance[place], luck[place] = _own(each)
            freedom[place] = len(each) - 1 if variance[place] or luck[place] else np.inf
    borrowed = np.array([len(each) == 1 for each in scores])
    noise = TrainingNoise(variance, freedom, luck, borrowed)
    for place in np.flatnonzero(borrowed).tolist():
        donors = _donors(noise, families, place)
        if len(donors):
            weights = np.minimum(freedom[donors], 1e9)
            variance[place] = np.average(variance[donors], weights=weights)
            luck[place] = np.average(luck[donors], weights=weights)
            freedom[place] = _pooled_freedom(variance[donors], weights)
    return noise


def _own(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the variance of the means of ``[trainings, units]``, and the luck in it."""
    if not np.any(scores != scores[0]):
        return 0.0, 0.0
    trainings, units = scores.shape
    centred = scores - scores.mean(axis=0)
    means = centred.mean(axis=1)
    rest = ((centred - means[:, None]) ** 2).sum() / ((trainings - 1) * max(units - 1, 1))
    return float(means.var(ddof=1)), float(rest) / units


def _donors(noise: TrainingNoise, families: Sequence[str], place: int) -> NDArray[np.intp]:
    able = ~noise.borrowed & (noise.freedom > 0)
    family = able & np.array([name == families[place] != "" for name in families])
    among = family if family.any() else able
    moving = among & (noise.variance > 0)
    if moving.any():
        return np.flatnonzero(moving)
    return np.flatnonzero(family)


def _pooled_freedom(variances: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return Satterthwaite's degrees of freedom of the pooled variance."""
    if not variances.any():
        return float("inf")
    parts = weights * variances
    return float(parts.sum() ** 2 / (parts**2 / weights).sum())
