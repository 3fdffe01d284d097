"""Ranks with intervals, from pairs that were found to differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rank_intervals"]


def rank_intervals(
    means: NDArray[np.float64], differ: NDArray[np.bool_]
) -> tuple[list[int], list[int]]:
    """Return the best and the worst rank that each system may have, 1 for the best.

    Mogstad, Romano, Shaikh and Wilhelm 2024 ("Inference for ranks with applications to mobility
    across neighbourhoods and academic achievement across countries"), section 3: a rank lies
    between 1 + the number of systems significantly better and m - the number significantly worse.
    Where the family-wise error of ``differ`` is at most 5%, all intervals hold at once with 95%.

    Args:
        means: higher is better, ``[systems]``.
        differ: which pairs differ after correction, symmetric ``[systems, systems]``.
    """
    better = differ & (means[None, :] > means[:, None])
    worse = differ & (means[None, :] < means[:, None])
    low = 1 + better.sum(axis=1)
    high = len(means) - worse.sum(axis=1)
    return low.tolist(), high.tolist()
