"""Tests of recipes: would other trainings, on other requests, show the difference?

A leaderboard has two sources of chance: which requests were asked, and how each training went.
Readers take a table to speak of recipes, so the variance of a difference of two means is that of
requests plus that of trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmark.errors import InputError
from benchmark.statistics.multiple import holm, letters
from benchmark.statistics.paired import LEVEL
from benchmark.statistics.randomisation import randomisation_tests
from benchmark.statistics.ranks import rank_intervals
from benchmark.statistics.training_noise import TrainingNoise, training_noise

__all__ = [
    "MARGIN",
    "SMALLEST_P",
    "Question",
    "Recipe",
    "RecipePair",
    "Tiers",
    "Verdict",
    "compare_recipes",
    "edge_of",
    "mean_errors",
    "unit_means",
]

Question = Literal["recipes", "requests"]
"""``recipes``: would other trainings on other requests show it? ``requests``: would other requests
show it between these very trainings?"""
Verdict = Literal["differs", "equivalent", "unclear"]
SMALLEST_P = 1e-300
"""Smaller ones are not told apart; 0 would say that something is certain."""
LARGEST = 1e100
"""The largest size of a score, so that its squares are numbers."""
MARGIN = 0.02
"""Differences below this share of the best mean do not matter in practice."""


@dataclass(frozen=True)
class Recipe:
    """A system: a recipe that was trained once or several times.

    Attributes:
        name: of the system.
        scores: higher is better, ``[trainings, units]``; a unit is a request, or the sum of a
            user's requests. The units are the same for all systems.
        family: systems whose trainings are about as noisy; one with a single training borrows the
            spread of its family. Empty for none.
    """

    name: str
    scores: NDArray[np.float64]
    family: str = ""


@dataclass(frozen=True)
class RecipePair:
    """Two systems by their place in the given order; ``a`` comes before ``b`` there.

    Attributes:
        a: the one.
        b: the other.
        difference: mean of ``a`` minus mean of ``b``.
        low: lower end of the interval of the difference, of confidence 1 - level, for this pair
            alone; infinite where too little is known for any.
        high: its upper end.
        p: two-sided, for this pair alone.
        p_corrected: after Holm's correction over all pairs.
        wins: units in which ``a`` is better, by the mean of its trainings.
        ties: units in which both are the same.
        losses: units in which ``b`` is better.
        verdict: ``equivalent``: the interval lies within the margin; ``differs``: significant after
            correction, and the difference is larger than the margin; else ``unclear``.
    """

    a: int
    b: int
    difference: float
    low: float
    high: float
    p: float
    p_corrected: float
    wins: int
    ties: int
    losses: int
    verdict: Verdict


@dataclass(frozen=True)
class Tiers:
    """What can be said of many systems at once; lists are in the order in which they were given.

    Attributes:
        names: of the systems.
        means: over trainings and units.
        letters: two systems share one if and only if they do not differ; ``a`` for the best.
        rank_low: the best rank that a system may have, 1 for the first; all intervals hold at once.
        rank_high: the worst.
        trainings: number of each system's trainings.
        units: number of units.
        borrowed: the system has one training, and the spread of others stands in for its own.
        pairs: all pairs, ``(0, 1), (0, 2), …``.
        p: symmetric ``[systems, systems]``, 1 on the diagonal.
        p_corrected: likewise, after Holm's correction.
        question: what the p-values answer; ``requests`` where no system was trained twice, as
            nothing is known of other trainings then.
        level: probability of any wrong difference among all pairs.
        margin: differences up to this do not matter, in units of the scores.
    """

    names: list[str]
    means: list[float]
    letters: list[str]
    rank_low: list[int]
    rank_high: list[int]
    trainings: list[int]
    units: int
    borrowed: list[bool]
    pairs: tuple[RecipePair, ...]
    p: NDArray[np.float64]
    p_corrected: NDArray[np.float64]
    question: Question
    level: float
    margin: float

    @property
    def order(self) -> list[int]:
        """Places of the systems, the best mean first; equal means by name."""
        return sorted(range(len(self.names)), key=lambda i: (-self.means[i], self.names[i]))

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each system, the best first.

        The columns are ``system``, ``mean``, ``letters``, ``rank_low``, ``rank_high``,
        ``trainings`` and ``borrowed``.
        """
        columns = ("letters", "rank_low", "rank_high", "trainings", "borrowed")
        named = {"system": self.names, "mean": self.means}
        every = {**named, **{name: getattr(self, name) for name in columns}}
        return pd.DataFrame(every).loc[self.order].reset_index(drop=True)

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, float_format="{:.4g}".format)


@dataclass(frozen=True)
class Errors:
    """Standard errors of means or of their differences, and degrees of freedom, of one shape."""

    error: NDArray[np.float64]
    freedom: NDArray[np.float64]


def compare_recipes(
    recipes: Sequence[Recipe],
    *,
    level: float = LEVEL,
    margin: float = MARGIN,
    question: Question = "recipes",
) -> Tiers:
    """Compare all pairs of systems.

    Under ``recipes`` p is Welch's: the squared error is the variance over units of the difference
    of the two means over trainings, plus what trainings add to that (see ``training_noise``), with
    Satterthwaite's degrees of freedom. Under ``requests``, or where no system was trained twice,
    p is that of Fisher's randomisation test. No answer depends on random draws.

    Args:
        recipes: two or more systems, over the same units.
        level: of each interval, and of the whole family of pairs.
        margin: share of the best mean below which a difference does not matter.
        question: which question the p-values answer.

    Raises:
        InputError: a level or margin that is no share, fewer than two systems, a name twice, scores
            of different or no units, or a score that is no finite number or larger than 1e100.
    """
    if not 0 < level < 1 or not 0 <= margin < np.inf:
        raise InputError(f"level {level} and margin {margin}: give shares, the level from 0 to 1")
    scores = _checked(recipes)
    noise = training_noise(scores, [recipe.family for recipe in recipes])
    if question == "requests" or (noise.freedom == 0).any():
        question = "requests"
        noise = TrainingNoise.none(len(recipes))
    trainings = np.array([len(each) for each in scores])
    units = unit_means(scores)
    means = units.mean(axis=1)
    errors = _errors(units, trainings, noise)
    p = randomisation_tests(units) if question == "requests" else _p(units, noise, errors)
    p = np.maximum(p, SMALLEST_P)
    corrected = _corrected(p)
    differ = corrected < level
    names = [recipe.name for recipe in recipes]
    low, high = rank_intervals(means, differ)
    matters = margin * float(np.abs(means).max())
    return Tiers(
        names=names,
        means=means.tolist(),
        letters=_letters(means, names, differ),
        rank_low=low,
        rank_high=high,
        trainings=trainings.tolist(),
        units=units.shape[1],
        borrowed=noise.borrowed.tolist(),
        pairs=tuple(_pairs(units, errors, p, corrected, level, matters)),
        p=p,
        p_corrected=corrected,
        question=question,
        level=level,
        margin=matters,
    )


def _checked(recipes: Sequence[Recipe]) -> list[NDArray[np.float64]]:
    if len(recipes) < 2:
        lonely = ", ".join(f"'{recipe.name}'" for recipe in recipes)
        raise InputError(f"two or more systems can be compared, not {lonely or 'none'}")
    names = [recipe.name for recipe in recipes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"'{twice[0]}': two systems have this name")
    scores = [np.atleast_2d(np.asarray(r.scores, dtype=np.float64)) for r in recipes]
    for recipe, each in zip(recipes, scores, strict=True):
        if each.ndim != 2 or each.shape[1] != scores[0].shape[1] or not each.size:
            raise InputError(
                f"'{recipe.name}': scores of shape {each.shape}, not (trainings, "
                f"{scores[0].shape[-1]})"
            )
        if not np.isfinite(each).all():
            raise InputError(f"'{recipe.name}': a score is no finite number")
        if np.abs(each).max() > LARGEST:
            raise InputError(f"'{recipe.name}': a score is larger than {LARGEST:g}; scale them all")
    return scores


def unit_means(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the means over trainings, ``[systems, units]``, whatever the order of trainings.

    They are added in order of size, so that the last digit does not hang on which seed came first,
    and as what they are above the least, so that the mean of equal scores is just these: what a
    system answers the same in every training is no different from one training of it.
    """
    return np.stack([_mean(np.sort(each, axis=0)) for each in scores])


def _mean(ascending: NDArray[np.float64]) -> NDArray[np.float64]:
    least: NDArray[np.float64] = ascending[0]
    return least + (ascending - least).mean(axis=0)


def _errors(
    units: NDArray[np.float64], trainings: NDArray[np.int64], noise: TrainingNoise
) -> Errors:
    """Return the errors of differences of means of ``[systems, units]``, of all pairs."""
    size, count = units.shape
    if count < 2:
        return Errors(np.full((size, size), np.inf), np.ones((size, size)))
    requests = np.stack([(scores - units).var(axis=1, ddof=1) / count for scores in units])
    added, squares = _trainings_part(trainings, noise)
    pairs = added[:, None] + added[None, :]
    np.fill_diagonal(pairs, 0.0)
    return _combined(requests, pairs, squares[:, None] + squares[None, :], count)


def mean_errors(
    units: NDArray[np.float64], trainings: NDArray[np.int64], noise: TrainingNoise
) -> Errors:
    """Return the errors of the means of ``[systems, units]``, as those of their differences are."""
    size, count = units.shape
    if count < 2:
        return Errors(np.full(size, np.inf), np.ones(size))
    return _combined(units.var(axis=1, ddof=1) / count, *_trainings_part(trainings, noise), count)


def _trainings_part(
    trainings: NDArray[np.int64], noise: TrainingNoise
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what trainings add to the variance of each mean, and Satterthwaite's term for it."""
    variance = noise.variance / trainings
    free = np.where(variance > 0, noise.freedom, 1.0)
    return noise.added / trainings, variance**2 / free


def _combined(
    requests: NDArray[np.float64],
    added: NDArray[np.float64],
    squares: NDArray[np.float64],
    units: int,
) -> Errors:
    """Put the variance over requests and that of trainings together, with Satterthwaite's df."""
    variance = requests + np.maximum(added, 0.0)
    spread = requests**2 / (units - 1) + squares
    known = np.where(spread > 0, spread, 1.0)
    return Errors(np.sqrt(variance), np.where(spread > 0, variance**2 / known, np.inf))


def _p(units: NDArray[np.float64], noise: TrainingNoise, errors: Errors) -> NDArray[np.float64]:
    """Return the p-values of recipes; of two without any noise only requests are chance."""
    means = units.mean(axis=1)
    p = _welch(means[:, None] - means[None, :], errors)
    certain = np.isinf(noise.freedom)
    if certain.sum() > 1:
        p[np.ix_(certain, certain)] = randomisation_tests(units[certain])
    return p


def _letters(means: NDArray[np.float64], names: list[str], differ: NDArray[np.bool_]) -> list[str]:
    order = sorted(range(len(names)), key=lambda i: (-means[i], names[i]))
    named = dict(zip(order, letters(differ[np.ix_(order, order)]), strict=True))
    return [named[i] for i in range(len(names))]


def edge_of(error: NDArray[np.float64], freedom: NDArray[np.float64], level: float) -> NDArray:
    """Return half the width of intervals of confidence 1 - level.

    With less than one degree of freedom next to nothing is known: the interval is infinite.
    """
    wide = stats.t.isf(level / 2, np.maximum(freedom, 1.0)) * error
    return np.where((freedom < 1) & (error > 0), np.inf, wide)


def _welch(differences: NDArray[np.float64], errors: Errors) -> NDArray[np.float64]:
    """Return two-sided p; 1 where nothing differs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(differences) / errors.error
    p = np.where(errors.error > 0, 2 * stats.t.sf(t, errors.freedom), differences == 0)
    np.fill_diagonal(p, 1.0)
    return np.asarray(p, dtype=np.float64)


def _corrected(p: NDArray[np.float64]) -> NDArray[np.float64]:
    upper = np.triu_indices(len(p), 1)
    corrected = np.ones_like(p)
    corrected[upper] = holm(p[upper].tolist())
    return np.minimum(corrected, corrected.T)


def _pairs(
    units: NDArray[np.float64],
    errors: Errors,
    p: NDArray[np.float64],
    corrected: NDArray[np.float64],
    level: float,
    margin: float,
) -> list[RecipePair]:
    edge = edge_of(errors.error, errors.freedom, level)
    pairs = []
    for a in range(len(units) - 1):
        moved = units[a] - units[a + 1 :]
        counts = ((moved > 0).sum(axis=1), (moved == 0).sum(axis=1), (moved < 0).sum(axis=1))
        for b, difference, win, tie, loss in zip(
            range(a + 1, len(units)),
            moved.mean(axis=1).tolist(),
            *(c.tolist() for c in counts),
            strict=True,
        ):
            low, high = difference - float(edge[a, b]), difference + float(edge[a, b])
            verdict: Verdict = "unclear"
            if -margin <= low and high <= margin:
                verdict = "equivalent"
            elif corrected[a, b] < level and abs(difference) > margin:
                verdict = "differs"
            found = float(p[a, b]), float(corrected[a, b])
            pairs.append(RecipePair(a, b, difference, low, high, *found, win, tie, loss, verdict))
    return pairs
