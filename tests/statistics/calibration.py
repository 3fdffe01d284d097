"""Do the tests of the leaderboard reject as often as they say? Simulated leaderboards tell.

``python -m tests.statistics.calibration`` simulates the 2,000 leaderboards of ``evaluation.md`` and
prints rates and bounds; the test suite does the same at a smaller size.

Requests of a user share a difficulty and each model's own luck with that user, so they are not
independent; scores are NDCG@10 of ranks, averaged over three seeds, so they are as skewed and as
full of zeros as real ones. Models that are equal in distribution differ by luck alone.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.evaluation.metrics import MAIN, compute
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import LEVEL, by_unit, student_t, wilcoxon
from benchmark.statistics.randomisation import randomisation_tests

USERS = np.repeat(np.arange(150), np.tile([1, 2, 3], 50))
SEEDS = 3
AT_ONCE = 100
DRAWS = 20_000
PLANTED = 0.28
"""How much better the planted model is, on the log scale of ranks."""


@dataclass(frozen=True)
class Rate:
    """How often something was rejected, and the bounds within which that should lie."""

    name: str
    rate: float
    low: float
    high: float

    @property
    def good(self) -> bool:
        return self.low <= self.rate <= self.high


def scores(rng: np.random.Generator, boards: int, better: NDArray[np.float64]) -> NDArray:
    """Draw NDCG@10 by request, ``[boards, models, requests]``; ``better`` is ``[models]``."""
    models, size = len(better), len(USERS)
    users = USERS[-1] + 1
    difficulty = rng.normal(0, 0.8, (boards, 1, users))[..., USERS]
    difficulty = difficulty + rng.normal(0, 0.8, (boards, 1, size))
    luck = rng.normal(0, 0.7, (boards, models, users))[..., USERS]
    noise = rng.normal(0, 0.5, (boards, models, SEEDS, size))
    hard = (difficulty + luck - better[:, None])[:, :, None, :] + noise
    above = np.floor(np.exp(hard + 1.5)).astype(np.int64)
    return compute(above, np.zeros_like(above), (MAIN,))[MAIN].mean(axis=2)


def units(rng: np.random.Generator, boards: int, better: NDArray[np.float64]) -> NDArray:
    """Draw the values that the leaderboard tests, ``[boards, models, users]``."""
    return by_unit(scores(rng, boards, better), USERS)


def p_values(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p of all pairs by the randomisation test, ``[boards, models, models]``."""
    starts = range(0, len(values), AT_ONCE)
    parts = [values[start : start + AT_ONCE] for start in starts]
    return np.concatenate(
        [randomisation_tests(part, seed, DRAWS) for seed, part in enumerate(parts)]
    )


def binomial(boards: int) -> tuple[float, float]:
    """Return the 99% interval of the rate at which a test of level 0.05 rejects by chance."""
    low, high = stats.binom.interval(0.99, boards, LEVEL)
    return low / boards, high / boards


def single_pair(boards: int) -> list[Rate]:
    """Reject one pair of equal models, by each test."""
    low, high = binomial(boards)
    values = units(np.random.default_rng(1), boards, np.zeros(2))
    differences = values[:, 0] - values[:, 1]
    found = {
        "randomisation test": p_values(values)[:, 0, 1],
        "Student's t": np.array([student_t(moved) for moved in differences]),
        "Wilcoxon": np.array([wilcoxon(moved) for moved in differences]),
    }
    return [
        Rate(f"one pair, {name}", float((p < LEVEL).mean()), low, high) for name, p in found.items()
    ]


def family(boards: int, models: int = 8) -> Rate:
    """Reject any pair of equal models after Holm's correction."""
    upper = np.triu_indices(models, 1)
    p = p_values(units(np.random.default_rng(3), boards, np.zeros(models)))
    wrong = [min(holm(board[upper].tolist())) < LEVEL for board in p]
    return Rate(
        f"any of all pairs of {models} models", float(np.mean(wrong)), 0, binomial(boards)[1]
    )


def power(boards: int) -> Rate:
    """Find a planted difference; theory is the noncentral t distribution of its true size."""
    better = np.array([0.0, PLANTED])
    population = units(np.random.default_rng(4), 4000, better)
    moved = (population[:, 1] - population[:, 0]).ravel()
    count = USERS[-1] + 1
    centre = moved.mean() / moved.std() * np.sqrt(count)
    edge = stats.t.isf(LEVEL / 2, count - 1)
    theory = float(stats.nct.sf(edge, count - 1, centre) + stats.nct.cdf(-edge, count - 1, centre))
    p = p_values(units(np.random.default_rng(5), boards, better))[:, 0, 1]
    name = f"a planted difference of {moved.mean():.4f} (theory {theory:.4f})"
    return Rate(name, float((p < LEVEL).mean()), theory - 0.02, theory + 0.02)


def main() -> None:
    """Print every rate with its bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=2000, help="simulated leaderboards")
    boards = parser.parse_args().boards
    for rate in (*single_pair(boards), family(boards), power(4 * boards)):
        verdict = "within" if rate.good else "OUTSIDE"
        print(f"{rate.name}: {rate.rate:.4f}, {verdict} {rate.low:.4f} to {rate.high:.4f}")


if __name__ == "__main__":
    main()
