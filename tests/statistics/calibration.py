"""Do the tests of the leaderboard reject as often as they say? Simulated leaderboards tell.

``python -m tests.statistics.calibration`` simulates the 2,000 leaderboards of ``evaluation.md`` and
prints the table of ``docs/statistics.md``; the test suite does the same at a smaller size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.statistics import compare_recipes
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import LEVEL, student_t, wilcoxon
from benchmark.statistics.randomisation import randomisation_test, randomisation_tests

from .simulation import LARGE, SMALL, Users, boards, recipes, shift, unit_means

PLANTED = 0.28
"""How much better the planted model is, on the log scale of ranks."""
RECIPES = 8
PRICE = 0.1
"""Power that is given for an error which holds where some recipes are noisier than others."""


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


@dataclass(frozen=True)
class Board:
    """Equal recipes: how noisy their trainings are, in shares of the mean, and how many each has.

    One share or number of trainings stands for all recipes.
    """

    name: str
    noise: list[float]
    trainings: list[int] = field(default_factory=lambda: [3])
    recipes: int = RECIPES

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        noise = np.array([shift(share) for share in np.resize(self.noise, self.recipes)])
        equal = np.zeros(self.recipes)
        return boards(rng, count, LARGE, equal, noise, max(self.trainings))

    def counts(self) -> list[int]:
        return np.resize(self.trainings, self.recipes).tolist()


ASKED = (
    Board("noise 0%", [0.0]),
    Board("noise 3%", [0.03]),
    Board("noise 10%", [0.10]),
)
HARDER = (
    Board("noise 10%, 34 recipes", [0.10], recipes=34),
    Board("noise 10%, 2 seeds", [0.10], [2]),
    Board("noise 10%, 5 seeds", [0.10], [5]),
    Board("noise 10%, 2 to 5 seeds", [0.10], [2, 3, 4, 5]),
    Board("noise 3% or 10%", [0.03, 0.10]),
    Board("one 10%, others 3%", [0.10] + 7 * [0.03]),
    Board("one 10%, others 1%", [0.10] + 7 * [0.01]),
    Board("noise 10%, 4 of 8 with one seed", [0.10], [3, 1]),
    Board("noise 10%, 6 of 8 with one seed", [0.10], [3, 1, 1, 1]),
)


def binomial(count: int) -> tuple[float, float]:
    """Return the 99% interval of the rate at which a test of level 0.05 rejects by chance."""
    low, high = stats.binom.interval(0.99, count, LEVEL)
    return low / count, high / count


def units(rng: np.random.Generator, count: int, better: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw what the narrow test takes, of trainings that are never better or worse on all."""
    return unit_means(boards(rng, count, SMALL, better, np.zeros_like(better)), SMALL)


def single_pair(count: int) -> list[Rate]:
    """Reject one pair of equal models, by each test."""
    values = units(np.random.default_rng(1), count, np.zeros(2))
    differences = values[:, 0] - values[:, 1]
    tests = {
        "randomisation test": randomisation_test,
        "Student's t": student_t,
        "Wilcoxon": wilcoxon,
    }
    return [
        Rate(
            f"one pair, {name}",
            float(np.mean([test(moved) < LEVEL for moved in differences])),
            *binomial(count),
        )
        for name, test in tests.items()
    ]


def family(count: int) -> Rate:
    """Reject any pair of equal models, by the narrow test after Holm's correction."""
    values = units(np.random.default_rng(3), count, np.zeros(RECIPES))
    rate = float(np.mean([_any_differs(randomisation_tests(board)) for board in values]))
    return Rate(f"any pair of {RECIPES} equal models, narrow test", rate, 0, binomial(count)[1])


def _any_differs(p: NDArray[np.float64]) -> bool:
    return min(holm(p[np.triu_indices(len(p), 1)].tolist())) < LEVEL


def family_of_recipes(board: Board, count: int) -> tuple[Rate, float]:
    """Reject any pair of equal recipes; beside it how often the narrow test does."""
    rng = np.random.default_rng(7)
    scores = board.draw(rng, count)
    found, narrow = [], []
    for each in scores:
        systems = recipes(each, LARGE, board.counts())
        found.append(bool((compare_recipes(systems).p_corrected < LEVEL).any()))
        means = np.stack([system.scores.mean(axis=0) for system in systems])
        narrow.append(_any_differs(randomisation_tests(means)))
    return Rate(board.name, float(np.mean(found)), 0, binomial(count)[1]), float(np.mean(narrow))


def power(count: int) -> Rate:
    """Find a planted difference; theory is the noncentral t distribution of its true size."""
    better = np.array([0.0, PLANTED])
    population = units(np.random.default_rng(4), 4000, better)
    moved = (population[:, 1] - population[:, 0]).ravel()
    theory = _theory(moved.mean(), moved.std() / np.sqrt(SMALL.count), SMALL.count - 1)
    values = units(np.random.default_rng(5), count, better)
    p = np.array([randomisation_test(b - a) for a, b in values])
    name = f"a planted difference of {moved.mean():.4f} (theory {theory:.4f})"
    return Rate(name, float((p < LEVEL).mean()), theory - 0.02, theory + 0.02)


def _theory(difference: float, error: float, freedom: float, level: float = LEVEL) -> float:
    centre = difference / error
    edge = stats.t.isf(level / 2, freedom)
    return float(stats.nct.sf(edge, freedom, centre) + stats.nct.cdf(-edge, freedom, centre))


def power_of_recipes(share: float, count: int, users: Users = LARGE) -> Rate:
    """Find a recipe that is better than seven equal ones, pair by pair, before correction.

    Theory knows the true error of a difference and that all recipes are equally noisy, and its t
    distribution has the degrees of freedom that requests and all trainings give it. The test does
    not count on equal noise, which may cost it :data:`PRICE`.
    """
    better, seeds = np.zeros(RECIPES), 3
    better[0] = 0.2
    noise = np.full(RECIPES, shift(share))
    scores = boards(np.random.default_rng(8), count, users, better, noise, seeds)
    means = scores.mean(axis=(2, 3))
    moved = means[:, 0] - means[:, 1]
    between = float(scores[:, 1].mean(axis=2).var(axis=1, ddof=1).mean()) * 2 / seeds
    variance = float(moved.var())
    rest = max(variance - between, 0.0)
    parts = rest**2 / (users.count - 1) + between**2 / (RECIPES * (seeds - 1))
    theory = _theory(moved.mean(), np.sqrt(variance), variance**2 / parts)
    found = [compare_recipes(recipes(each, users, RECIPES * [seeds])).p[0, 1:] for each in scores]
    rate = float((np.array(found) < LEVEL).mean())
    name = f"better by {moved.mean() / means[:, 1].mean():.0%}, noise {share:.0%}"
    return Rate(f"{name} (theory {theory:.4f})", rate, theory - PRICE, theory + 0.02)


def _lines(count: int, harder: bool) -> Iterator[str]:
    for rate in (*single_pair(count), family(count), power(4 * count)):
        yield _line(rate)
    for board in (*ASKED, *(HARDER if harder else ())):
        rate, narrow = family_of_recipes(board, count if board.recipes == RECIPES else count // 4)
        yield f"{_line(rate)}; the narrow test {narrow:.4f}"
    for share in (0.0, 0.03, 0.10):
        yield _line(power_of_recipes(share, count))


def _line(rate: Rate) -> str:
    verdict = "within" if rate.good else "OUTSIDE"
    return f"{rate.name}: {rate.rate:.4f}, {verdict} {rate.low:.4f} to {rate.high:.4f}"


def main() -> None:
    """Print every rate with its bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, default=2000, help="simulated leaderboards")
    parser.add_argument("--brief", action="store_true", help="without the harder boards")
    arguments = parser.parse_args()
    started = time.perf_counter()
    for line in _lines(arguments.boards, not arguments.brief):
        print(f"{time.perf_counter() - started:6.0f} s  {line}", flush=True)


if __name__ == "__main__":
    main()
