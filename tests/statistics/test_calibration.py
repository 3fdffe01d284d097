"""The reduced size of :mod:`tests.statistics.calibration`, and real recipes split in two."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.evaluation.metrics import MAIN
from benchmark.statistics.paired import LEVEL, student_t

from . import calibration, real_pairs, simulation

BOARDS = 500
FEW = 120


def test_equal_models_are_told_apart_as_often_as_the_level_says() -> None:
    rates = calibration.single_pair(BOARDS)
    assert len(rates) == 3
    assert all(rate.good for rate in rates), rates


def test_holm_keeps_the_error_of_the_whole_family() -> None:
    rate = calibration.family(BOARDS)
    assert rate.good, rate


def test_a_difference_is_found_as_often_as_theory_says() -> None:
    rate = calibration.power(4 * BOARDS)
    assert rate.good, rate


@pytest.mark.parametrize("board", calibration.ASKED, ids=lambda board: board.name)
def test_equal_recipes_are_seldom_told_apart(board: calibration.Board) -> None:
    rate, _ = calibration.family_of_recipes(board, FEW)
    assert rate.good, rate


def test_the_narrow_test_does_not_speak_of_recipes() -> None:
    noisy = calibration.ASKED[-1]
    assert calibration.family_of_recipes(noisy, FEW)[1] > 0.5


def test_a_better_recipe_is_found_nearly_as_often_as_theory_says() -> None:
    rate = calibration.power_of_recipes(0.03, FEW)
    assert rate.good, rate


def test_noise_is_what_it_is_said_to_be() -> None:
    rng = np.random.default_rng(9)
    noise = np.full(20, simulation.shift(0.1))
    scores = simulation.boards(rng, 20, simulation.LARGE, np.zeros(20), noise, 8)
    between = scores.mean(axis=3).std(axis=2, ddof=1) / scores.mean()
    assert np.sqrt((between**2).mean()) == pytest.approx(0.1, rel=0.15)


def test_requests_as_units_would_be_noticed() -> None:
    # The simulation has the dependence that clustering by user is there for.
    rng = np.random.default_rng(6)
    scores = simulation.boards(rng, BOARDS, simulation.SMALL, np.zeros(2), np.zeros(2))
    first, second = scores.mean(axis=2).swapaxes(0, 1)
    rate = np.mean([student_t(a - b) < LEVEL for a, b in zip(first, second, strict=True)])
    assert rate > calibration.binomial(BOARDS)[1]


def test_seeds_of_one_recipe_differ_no_more_often_than_said() -> None:
    found = list(real_pairs.splits(MAIN))
    if not found:
        pytest.skip("no stored recipe has three seeds")
    recipes = len({(split.board, split.recipe) for split in found})
    # The splits of a recipe depend on one another, so that recipes are what counts.
    bound = stats.binom.ppf(0.995, recipes, LEVEL) / recipes
    assert np.mean([split.among_others < LEVEL for split in found]) <= bound
