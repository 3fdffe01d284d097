"""Fisher's randomisation test on paired units, for one pair or for all pairs of many models.

Fisher 1935; Smucker, Allan and Carterette 2007 for retrieval. Under the null hypothesis each
difference may as well have the other sign; p is the share of sign assignments whose sum is at
least as far from 0 as the observed one.

All pairs share their flips: the flipped sum of ``a - b`` is the flipped sum of ``a`` less that of
``b``, so one product of a sign matrix with the scores serves every pair. Scores are rounded to
integers of a common fine quantum first; integer sums are exact in float64 in whatever order they
are added, so neither the number of threads nor the linear algebra library moves a p-value.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

__all__ = ["DRAWS", "EXACT_UP_TO", "randomisation_test", "randomisation_tests"]

DRAWS = 100_000
EXACT_UP_TO = 20
"""With so many nonzero differences or fewer all 2^n sign assignments are looked at."""
_DRAWS_AT_ONCE = 1024
_UNITS_AT_ONCE = 1024
_EXACT_INTEGERS = 2.0**52


def randomisation_test(
    differences: NDArray[np.float64], seed: int = 0, draws: int = DRAWS
) -> float:
    """Return the two-sided p-value of the hypothesis that signs of differences are arbitrary.

    Exact for at most ``EXACT_UP_TO`` differences other than 0; else sampled, where the observed
    signs count as one of the draws, so that p is never 0.

    Args:
        differences: paired differences, ``[units]``.
        seed: of the sampled flips; the same seed gives the same p.
        draws: number of sampled flips.
    """
    moved = differences[differences != 0]
    return float(randomisation_tests(np.stack([moved, np.zeros_like(moved)]), seed, draws, 1)[0, 1])


def randomisation_tests(
    values: NDArray[np.float64], seed: int = 0, draws: int = DRAWS, workers: int | None = None
) -> NDArray[np.float64]:
    """Return the two-sided p-values of all pairs of models.

    Args:
        values: ``[..., models, units]``; leading axes are tables of their own, such as metrics.
        seed: of the sampled flips, which all pairs share.
        draws: number of sampled flips.
        workers: threads, as many as there are processors if not given; p does not depend on it.

    Returns:
        symmetric ``[..., models, models]`` with 1 on the diagonal.
    """
    models, units = values.shape[-2:]
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(
        math.prod(values.shape[:-2]), models, units
    )
    tables, first, second = _pairs(len(flat), models)
    nonzero = np.array(
        [
            np.count_nonzero(flat[t, a] != flat[t, b])
            for t, a, b in zip(tables, first, second, strict=True)
        ],
        dtype=np.int64,
    )
    found = np.ones(len(tables))
    for pair in np.flatnonzero((nonzero > 0) & (nonzero <= EXACT_UP_TO)):
        moved = flat[tables[pair], first[pair]] - flat[tables[pair], second[pair]]
        found[pair] = _exact(moved[moved != 0])
    many = nonzero > EXACT_UP_TO
    if many.any():
        rows = flat - flat.mean(axis=1, keepdims=True)
        a, b = (tables[many] * models + side[many] for side in (first, second))
        found[many] = _sampled(rows.reshape(len(rows) * models, units), a, b, seed, draws, workers)
    p = np.ones((len(flat), models, models))
    p[tables, first, second] = p[tables, second, first] = found
    return p.reshape(*values.shape[:-2], models, models)


def _pairs(tables: int, models: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(models, 1)
    return (
        np.repeat(np.arange(tables), len(first)),
        np.tile(first, tables),
        np.tile(second, tables),
    )


def _exact(moved: NDArray[np.float64]) -> float:
    sums = np.zeros(1)
    for value in moved:
        sums = np.concatenate([sums + value, sums - value])
    # Sums that differ by rounding alone count as equal.
    bound = abs(moved.sum()) - 1e-12 * max(1.0, np.abs(moved).sum())
    return float((np.abs(sums) >= bound).mean())


def _sampled(
    values: NDArray[np.float64],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    seed: int,
    draws: int,
    workers: int | None,
) -> NDArray[np.float64]:
    """Return p of the pairs of rows of ``[rows, units]``."""
    scores = np.ascontiguousarray(_integers(values).T)
    total = scores.sum(axis=0)
    # Each rounded difference is off by 1 at most, so are equal sums by no more than their number.
    bound = np.abs(total[first] - total[second]) - len(scores)
    starts = range(0, draws, _DRAWS_AT_ONCE)

    def reached(block: int) -> NDArray[np.int64]:
        count = min(_DRAWS_AT_ONCE, draws - starts[block])
        rng = np.random.default_rng([seed, block])
        sums = 2.0 * _positive_sums(rng, count, scores) - total
        return (np.abs(sums[:, first] - sums[:, second]) >= bound).sum(axis=0)

    # Products too small to be shared out: threads below ours would mostly wait for each other.
    with (
        _linear_algebra().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
    ):
        hits = sum(pool.map(reached, range(len(starts))), np.zeros(len(first), dtype=np.int64))
    return (hits + 1) / (draws + 1)


@lru_cache(maxsize=1)
def _linear_algebra() -> ThreadpoolController:
    """Find the loaded libraries once, as that takes longer than a small test."""
    return ThreadpoolController()


def _integers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to multiples of a quantum so fine that sums of any signs stay exact in float64."""
    largest = 4.0 * np.abs(values).sum(axis=1).max() + values.shape[1]
    # A power of two: scaling then loses no digit of its own.
    return np.rint(values * 2.0 ** np.floor(np.log2(_EXACT_INTEGERS / largest)))


def _positive_sums(
    rng: np.random.Generator, draws: int, scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum the scores that keep their sign, ``[draws, models]``, for random signs of each draw."""
    sums = np.zeros((draws, scores.shape[1]))
    for start in range(0, len(scores), _UNITS_AT_ONCE):
        part = scores[start : start + _UNITS_AT_ONCE]
        octets = rng.integers(0, 256, (draws, -(-len(part) // 8)), dtype=np.uint8)
        sums += np.unpackbits(octets, axis=1, count=len(part)).astype(np.float64) @ part
    return sums
