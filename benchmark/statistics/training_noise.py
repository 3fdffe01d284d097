"""How much the mean of a system moves from one training to the next.

A system's scores are ``[trainings, units]``. In the usual model of two random factors (Searle,
Casella and McCulloch 1992, "Variance Components", chapter 4) a score is the mean of the recipe,
plus what the training is worth on all units, plus what the recipe is worth on the unit, plus the
luck of that training on that unit. The variance between the means of trainings holds the first and
``1 / units`` of the last; the variance over units of the averaged scores holds the last as well.
It must be counted once: what trainings add is the variance between their means less the luck.

Two or three trainings say little about a variance, and a test that trusts a variance which is small
by chance errs far more often than it says. So no system is believed to be less noisy than systems
are on average, and its variance has the degrees of freedom of that average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TrainingNoise", "between_trainings", "training_noise"]


@dataclass(frozen=True)
class TrainingNoise:
    """What one training adds to the variance of a system's mean.

    Attributes:
        added: beyond what the spread over units holds already, ``[systems]``; below 0 where
            the means of trainings differ by less than luck on single units explains.
        variance: between the means of single trainings, luck included, ``[systems]``.
        freedom: degrees of freedom of both, ``[systems]``; infinite where all trainings are the
            same, 0 where nothing is known of other trainings.
        borrowed: the system has one training, and the noise of others, ``[systems]``.
    """

    added: NDArray[np.float64]
    variance: NDArray[np.float64]
    freedom: NDArray[np.float64]
    borrowed: NDArray[np.bool_]

    @classmethod
    def none(cls, systems: int) -> TrainingNoise:
        """Return the noise of systems that are taken as they are."""
        nothing = np.zeros(systems)
        return cls(nothing, nothing, nothing, np.zeros(systems, dtype=bool))


def training_noise(scores: Sequence[NDArray[np.float64]], families: Sequence[str]) -> TrainingNoise:
    """Estimate the noise of systems with scores ``[trainings, units]``.

    Trainings that are all the same have no noise, and take no part in any average. A system with
    one training has the average noise of its family, else of all, with half the degrees of freedom,
    as nobody knows how near that average it is.

    Args:
        scores: of each system.
        families: of each system; an empty name is no family.
    """
    trainings = np.array([len(each) for each in scores])
    variance, luck = np.array([between_trainings(each) for each in scores]).T
    repeated = trainings > 1
    noisy = repeated & (variance + luck > 0)
    weights = np.where(noisy, trainings - 1.0, 0.0)
    added = np.where(noisy, variance - luck, 0.0)
    freedom = np.where(repeated & ~noisy, np.inf, 0.0)
    if noisy.any():
        pooled, free = _average(variance, weights)
        raised = np.maximum(variance, pooled)
        added = np.where(noisy, np.maximum(added, np.average(added, weights=weights)), added)
        freedom = np.where(noisy, np.maximum(weights, free), freedom)
    else:
        raised = variance
    spread = np.where(noisy, raised, 0.0)
    for place in np.flatnonzero(~repeated).tolist():
        family = noisy & np.array([bool(f) and f == families[place] for f in families])
        donors = family if family.any() else noisy
        if donors.any():
            lent = np.where(donors, weights, 0.0)
            spread[place], free = _average(variance, lent)
            added[place] = np.average(variance - luck, weights=lent)
            freedom[place] = free / 2
    return TrainingNoise(added, spread, freedom, ~repeated)


def between_trainings(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the variance of the means of ``[trainings, units]``, and the luck in it."""
    if not np.any(scores != scores[0]):
        return 0.0, 0.0
    trainings, units = scores.shape
    centred = scores - scores.mean(axis=0)
    means = centred.mean(axis=1, keepdims=True)
    luck = ((centred - means) ** 2).sum() / ((trainings - 1) * max(units - 1, 1) * units)
    return float(means.var(ddof=1)), float(luck)


def _average(variances: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean variance, and its degrees of freedom (Satterthwaite 1946)."""
    parts = (variances * weights)[weights > 0]
    squares = float((parts**2 / weights[weights > 0]).sum())
    free = float(parts.sum() ** 2 / squares) if squares else float(weights.sum())
    return float(parts.sum() / weights.sum()), free
