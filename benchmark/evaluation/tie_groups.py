"""Groups of candidates with equal scores, and expectations over all orders inside of them.

McSherry and Najork 2008, "Computing information retrieval performance measures efficiently in the
presence of tied scores". A group of ``size`` candidates behind ``greater`` better ones fills the
ranks ``greater + 1 … greater + size``; in a random order its ``relevant`` items are a uniformly
drawn subset of these places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TieGroups", "sum_over_ranks"]


@dataclass(frozen=True)
class TieGroups:
    """The groups that hold a relevant item, ordered by request and, within it, best first.

    Attributes:
        request: int64 ``[groups]``.
        greater: int64 ``[groups]``, candidates in front of the group.
        size: int64 ``[groups]``, candidates in the group.
        relevant: int64 ``[groups]``, relevant items in the group, at least 1.
        before: int64 ``[groups]``, relevant items in front of the group.
    """

    request: NDArray[np.int64]
    greater: NDArray[np.int64]
    size: NDArray[np.int64]
    relevant: NDArray[np.int64]
    before: NDArray[np.int64]

    @classmethod
    def of_rows(
        cls, request: NDArray[np.int64], greater: NDArray[np.int32], tied: NDArray[np.int32]
    ) -> TieGroups:
        """Group the rows of relevant items, ``[rows]``, by request and ``greater``."""
        order = np.lexsort((greater, request))
        request, place = request[order], greater[order].astype(np.int64)
        new = np.diff(request, prepend=-1) != 0
        starts = np.flatnonzero(new | (np.diff(place, prepend=-1) != 0))
        first_row = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
        return cls(
            request=request[starts],
            greater=place[starts],
            size=tied[order][starts].astype(np.int64) + 1,
            relevant=np.diff(starts, append=len(order)),
            before=starts - first_row[starts],
        )

    def first(self) -> TieGroups:
        """Return the best group of each request."""
        best = self.before == 0
        return TieGroups(*(column[best] for column in vars(self).values()))

    def sums(self, values: NDArray[np.float64], requests: int) -> NDArray[np.float64]:
        """Return the sum of ``[groups]`` values over each request, ``[requests]``."""
        return np.bincount(self.request, values, minlength=requests).astype(np.float64)

    def first_relevant_at(self, depth: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield each place within the group, and the probability that it is the first relevant one.

        A draw without replacement: the place ``p`` (from 1) is it with probability
        ``r / (s - p + 1)`` times the product of ``(s - r - j) / (s - j)`` over ``j < p - 1``.

        Args:
            depth: the last place that is of interest; later ones are not yielded.
        """
        missed = np.ones(len(self.size))
        for place in range(1, min(depth, int(self.size.max(initial=0))) + 1):
            left = np.maximum(self.size - place + 1, 1)
            # Where the irrelevant ones are used up, `missed` is 0 already.
            yield place, missed * np.minimum(self.relevant / left, 1.0)
            missed = missed * np.maximum(left - self.relevant, 0) / left


def sum_over_ranks(
    values: NDArray[np.float64], greater: NDArray[np.integer], size: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the sum of values at the ranks ``greater + 1 … greater + size``.

    Args:
        values: the values at ranks 1, 2, … ``[cutoff]``; beyond them all is 0.
        greater: of any shape.
        size: of the same shape, at least 1.
    """
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.minimum(greater, len(values))
    last = np.minimum(greater.astype(np.int64) + size, len(values))
    # Of one rank the value itself, not a difference of sums, so that no digit is lost.
    alone = np.concatenate([values, [0.0]])[first]
    return np.where(size == 1, alone, total[last] - total[first])
