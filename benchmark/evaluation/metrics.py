"""Metrics in closed form from the counts, in expectation over all orders of tied candidates.

McSherry and Najork 2008, "Computing information retrieval performance measures efficiently in the
presence of tied scores". With one relevant item of ``greater`` better and ``tied`` equal
candidates its rank is uniform on ``greater + 1 … greater + tied + 1``, so a metric is the mean of
its values at these ranks. Without ties the values are trec_eval's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CUTOFFS", "MAIN", "METRICS", "Metric", "compute"]

CUTOFFS = (1, 5, 10, 20)
MAIN = "ndcg@10"


@dataclass(frozen=True)
class Metric:
    """A metric of the rank of the single relevant item, higher is better.

    Attributes:
        name: as in ``run.json``, for example ``ndcg@10``.
        summary: one line.
        cutoff: ranks beyond it give 0.
        gain: the value at ranks 1, 2, … (float64 of the same shape).
    """

    name: str
    summary: str
    cutoff: int
    gain: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def values(
        self, greater: NDArray[np.integer], tied: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Return the expected value for each request, ``[requests]``, in [0, 1]."""
        gains = self.gain(np.arange(1, self.cutoff + 1, dtype=np.float64))
        total = np.concatenate([[0.0], np.cumsum(gains)])
        first = np.minimum(greater, self.cutoff)
        last = np.minimum(greater.astype(np.int64) + tied + 1, self.cutoff)
        # Without ties the gain itself, not a difference of sums, so that no digit is lost.
        alone = np.concatenate([gains, [0.0]])[first]
        return np.where(tied == 0, alone, (total[last] - total[first]) / (tied + 1.0))


def _ones(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones_like(ranks)


def _discount(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / np.log2(ranks + 1.0)


def _reciprocal(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / ranks


_FAMILIES = (
    ("hr", "share of requests with the relevant item among the first {k}", _ones),
    ("recall", "share of relevant items among the first {k}; one each, so equal to HR", _ones),
    ("ndcg", "1 / log2(rank + 1), 0 beyond rank {k}", _discount),
    ("mrr", "1 / rank, 0 beyond rank {k}", _reciprocal),
)

METRICS = {
    f"{name}@{k}": Metric(f"{name}@{k}", summary.format(k=k), k, gain)
    for name, summary, gain in _FAMILIES
    for k in CUTOFFS
}


def compute(
    greater: NDArray[np.integer], tied: NDArray[np.integer], names: tuple[str, ...] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return each metric's values by request, ``{name: [requests]}``."""
    return {name: METRICS[name].values(greater, tied) for name in names or tuple(METRICS)}
