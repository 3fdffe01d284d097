"""Which item follows which: the graph of consecutive events, and what lies one or two steps away.

After text-guided hops (Han et al. 2026, arXiv 2605.07125), which rank next items without training:
the items that followed the last one stand in front, then those that followed these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmark.data.events import EventLog

__all__ = ["TransitionGraph"]


class TransitionGraph:
    """Counts of consecutive events of one user, of both kinds, in the order of the log.

    Attributes:
        counts: ``[items, items]``; ``counts[i, j]`` times item ``j`` came right after item ``i``.
    """

    def __init__(self, log: EventLog, items: int) -> None:
        follows = np.flatnonzero(log.user[1:] == log.user[:-1])
        pairs = (log.item[follows].astype(np.int64), log.item[follows + 1].astype(np.int64))
        self.counts = csr_array((np.ones(len(follows)), pairs), shape=(items, items))
        self.counts.sum_duplicates()
        degree = np.diff(self.counts.indptr)
        self._walks = (self.counts > 0) @ degree + degree

    def reach(self, source: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return how many items lie around each source at most, ``[n]``; 0 for source -1."""
        walks = np.minimum(self._walks[source], len(self._walks))
        return np.where(source >= 0, walks, 0)

    def successors(self, source: NDArray[np.integer]) -> csr_array:
        """Return how often each item followed each source, ``[n, items]``.

        ``source`` is ``[n]``; -1 stands for no item, which nothing follows.
        """
        one = csr_array(_rows(source, self.counts.shape[0]) @ self.counts)
        one.sort_indices()
        return one

    def two_steps(self, source: NDArray[np.integer]) -> csr_array:
        """Return how many walks of two steps lead to each item, ``[n, items]``.

        An item that is the source or its successor is left out.
        """
        start, one = _rows(source, self.counts.shape[0]), self.successors(source)
        two = csr_array(one @ self.counts)
        two = csr_array(two - two.multiply((one + start) > 0))
        two.eliminate_zeros()
        two.sort_indices()
        return two


def _rows(source: NDArray[np.integer], items: int) -> csr_array:
    """Return a 1 in each row at its source, ``[n, items]``; an empty row for source -1."""
    real = source >= 0
    ends = np.concatenate([[0], np.cumsum(real)])
    columns = source[real].astype(np.int64)
    return csr_array((np.ones(len(columns)), columns, ends), shape=(len(source), items))
