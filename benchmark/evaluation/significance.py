"""Fisher's randomisation test on paired requests, and Holm's correction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["holm", "randomisation_test", "sum_by_unit"]

DRAWS = 100_000
EXACT_UP_TO = 20
"""With so many pairs or fewer all 2^n sign flips are looked at."""
_AT_ONCE = 2**24


def sum_by_unit(values: NDArray[np.float64], unit: NDArray[np.integer]) -> NDArray[np.float64]:
    """Sum the requests of each user, because they are not independent of one another.

    Args:
        values: ``[requests]``.
        unit: the user of each request, ``[requests]``.

    Returns:
        one sum for each user that occurs, in ascending order of users.
    """
    _, place = np.unique(unit, return_inverse=True)
    return np.bincount(place.ravel(), weights=values).astype(np.float64)


def randomisation_test(
    differences: NDArray[np.float64], seed: int = 0, draws: int = DRAWS
) -> float:
    """Return the two-sided p-value of the hypothesis that signs of differences are arbitrary.

    Fisher 1935; Smucker, Allan and Carterette 2007 for retrieval. Exact for at most
    ``EXACT_UP_TO`` pairs; else sampled, where the observed signs count as one of the draws, so
    that p is never 0.

    Args:
        differences: paired differences, ``[pairs]``.
        seed: of the sampled flips; the same seed gives the same p.
        draws: number of sampled flips.
    """
    moved = differences[differences != 0]
    if len(moved) == 0:
        return 1.0
    observed = abs(moved.sum())
    # Sums that differ by rounding alone count as equal.
    bound = observed - 1e-12 * max(1.0, np.abs(moved).sum())
    if len(moved) <= EXACT_UP_TO:
        return _exact(moved, bound)
    rng = np.random.default_rng(seed)
    size = max(1, _AT_ONCE // len(moved))
    reached = 0
    for start in range(0, draws, size):
        count = min(size, draws - start)
        octets = rng.integers(0, 256, (count, -(-len(moved) // 8)), dtype=np.uint8)
        positive = np.unpackbits(octets, axis=1, count=len(moved))
        # A flipped sum is twice the sum of the positive part less the sum of all.
        sums = 2.0 * (positive.astype(np.float64) @ np.abs(moved)) - np.abs(moved).sum()
        reached += int((np.abs(sums) >= bound).sum())
    return (reached + 1) / (draws + 1)


def _exact(moved: NDArray[np.float64], bound: float) -> float:
    sums = np.zeros(1)
    for value in moved:
        sums = np.concatenate([sums + value, sums - value])
    return float((np.abs(sums) >= bound).mean())


def holm(p_values: list[float]) -> list[float]:
    """Return Holm's (1979) adjusted p-values, in the given order."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
