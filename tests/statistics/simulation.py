"""Simulated leaderboards, of recipes that are equal or differ by a planted amount.

Requests of a user share a difficulty and each recipe's own luck with that user, so they are not
independent. Scores are NDCG@10 of ranks, as skewed and as full of zeros as real ones. Each training
has luck of its own with every request, and may be better or worse on all of them: that is the noise
of trainings, stated as its standard deviation in shares of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics import Recipe
from benchmark.statistics.paired import by_unit

__all__ = ["LARGE", "SMALL", "Users", "boards", "recipes", "shift", "unit_means"]

CUTOFF = 10
AT_ONCE = 2**21


@dataclass(frozen=True)
class Users:
    """So many users with one, two or three requests each."""

    count: int

    @property
    def of_requests(self) -> NDArray[np.int64]:
        """The user of each request."""
        return np.repeat(np.arange(self.count), np.resize([1, 2, 3], self.count))


SMALL = Users(150)
LARGE = Users(600)


def boards(
    rng: np.random.Generator,
    count: int,
    users: Users,
    better: NDArray[np.float64],
    noise: NDArray[np.float64],
    seeds: int = 3,
) -> NDArray[np.float64]:
    """Draw NDCG@10 by request, ``[boards, recipes, seeds, requests]``.

    Args:
        rng: source of chance.
        count: number of boards.
        users: who asks.
        better: how much better each recipe is, on the log scale of ranks, ``[recipes]``.
        noise: standard deviation of its trainings on that scale, ``[recipes]``.
        seeds: trainings of each recipe.
    """
    of = users.of_requests
    size, systems = len(of), len(better)
    found = np.empty((count, systems, seeds, size))
    step = max(1, AT_ONCE // (systems * seeds * size))
    for start in range(0, count, step):
        part = found[start : start + step]
        each = len(part)
        difficulty = rng.normal(0, 0.8, (each, 1, users.count))[..., of]
        difficulty = difficulty + rng.normal(0, 0.8, (each, 1, size))
        luck = rng.normal(0, 0.7, (each, systems, users.count))[..., of]
        hard = (difficulty + luck - better[:, None])[:, :, None, :]
        trainings = rng.normal(0, 1, (each, systems, seeds)) * noise[:, None]
        part[:] = hard + trainings[..., None] + rng.normal(0, 0.5, part.shape)
        above = np.floor(np.exp(part + 1.5))
        part[:] = np.where(above < CUTOFF, 1 / np.log2(above + 2), 0.0)
    return found


def unit_means(scores: NDArray[np.float64], users: Users) -> NDArray[np.float64]:
    """Return the values that the narrow test takes, ``[boards, recipes, users]``."""
    return by_unit(scores.mean(axis=2), users.of_requests)


def recipes(board: NDArray[np.float64], users: Users, trainings: list[int]) -> list[Recipe]:
    """Return the recipes of one board, each with so many of its trainings."""
    units = by_unit(board, users.of_requests)
    return [Recipe(f"{place:02d}", units[place, :n]) for place, n in enumerate(trainings)]


@lru_cache(maxsize=8)
def shift(share: float) -> float:
    """Return the noise on the log scale of ranks whose trainings vary by a share of their mean."""
    if share == 0:
        return 0.0
    rng = np.random.default_rng(11)
    better = np.linspace(-0.5, 0.5, 21)
    means = boards(rng, 60, LARGE, better, np.zeros(21), 1).mean(axis=(0, 2, 3))
    slope = np.polyfit(better, means, 1)[0]
    return float(share * means[10] / slope)
