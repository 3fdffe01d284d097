"""The reduced size of :mod:`tests.statistics.calibration`."""

from __future__ import annotations

import numpy as np

from benchmark.statistics.paired import LEVEL, student_t

from . import calibration

BOARDS = 500


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


def test_requests_as_units_would_be_noticed() -> None:
    # The simulation has the dependence that clustering by user is there for.
    rng = np.random.default_rng(6)
    first, second = calibration.scores(rng, BOARDS, np.zeros(2)).swapaxes(0, 1)
    rate = np.mean([student_t(a - b) < LEVEL for a, b in zip(first, second, strict=True)])
    assert rate > calibration.binomial(BOARDS)[1]
