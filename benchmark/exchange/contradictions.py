"""Remarks on run files that say two things at once, or nothing.

Scores alone rank, as in trec_eval. A rank column that tells another order is a sign that the scores
may not be what was meant: distances, or another column.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmark.exchange.trec_read import Listing

__all__ = ["contradictions"]


def contradictions(listing: Listing) -> Iterator[str]:
    """Yield a line, with counts, for each way in which requests contradict themselves."""
    seen = _Requests(listing)
    remarks = {
        "scores rise with the rank, so that what is ranked last counts as the best; if lower"
        " scores are better, negate them": seen.rises & ~seen.falls,
        "ranks and scores tell different orders; scores count": seen.rises & seen.falls,
        "scores are 1, 2, 3, … and ranks are fractions; are the two columns swapped?": (
            seen.numbered & seen.fractional
        ),
        "all scores are equal, so that the items are tied, whatever their ranks": ~seen.differ,
        "some items share a rank; scores count": seen.shared & seen.differ,
    }
    whole = int(seen.several.sum())
    for remark, which in remarks.items():
        count = int((which & seen.several).sum())
        if count:
            yield f"in {count} of {whole} requests with several items {remark}"


class _Requests:
    """What holds of each request that a file names; all attributes are bool ``[requests]``.

    Attributes:
        several: it lists two items or more.
        differ: its scores are not all the same.
        rises: of two ranks that follow each other the worse one has the higher score.
        falls: the same with the lower score.
        shared: two items have one rank.
        numbered: its scores are 0, 1, … or 1, 2, … in some order.
        fractional: a rank is no whole number.
    """

    def __init__(self, listing: Listing) -> None:
        # What is no number comes last, and is neither above nor below anything.
        order = np.lexsort((-listing.score, listing.rank, listing.request))
        request, rank, score = listing.request[order], listing.rank[order], listing.score[order]
        self._starts = np.flatnonzero(np.diff(request, prepend=-1))
        self._same = np.diff(request) == 0
        sizes = np.diff(self._starts, append=len(request))
        self._owner = np.repeat(np.arange(len(sizes)), sizes)
        worse, change = np.diff(rank) > 0, np.diff(score)
        self.several = sizes > 1
        self.differ = self._any_pair(change != 0)
        self.rises = self._any_pair(worse & (change > 0))
        self.falls = self._any_pair(worse & (change < 0))
        self.shared = self._any_pair(np.diff(rank) == 0)
        self.fractional = np.bitwise_or.reduceat(rank % 1 > 0, self._starts)
        self.numbered = self._numbered(score[np.lexsort((score, request))])

    def _any_pair(self, pairs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return for which requests ``pairs`` of neighbouring lines hold once at least."""
        found = np.zeros(len(self._starts), dtype=np.bool_)
        found[self._owner[1:][pairs & self._same]] = True
        return found

    def _numbered(self, ascending: NDArray[np.float64]) -> NDArray[np.bool_]:
        first = ascending[self._starts]
        return np.isin(first, (0, 1)) & ~self._any_pair(np.diff(ascending) != 1)
