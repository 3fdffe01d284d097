"""Which item follows which: the graph of consecutive events, and what lies one or two steps away.

After TGH (Han et al. 2026, arXiv 2605.07125), which ranks next items without training: the items
that followed the last one stand in front, then those that followed these.
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
        """Return, ``[n]``, how many items :meth:`rings` gives at most; -1 stands for no item."""
        walks = np.minimum(self._walks[source], len(self._walks))
        return np.where(source >= 0, walks, 0)

    def rings(self, source: NDArray[np.integer]) -> tuple[csr_array, csr_array]:
        """Return what lies around items, each ``[n, items]``.

        Args:
            source: ``[n]``, items; -1 where there is none, whose rings are empty.

        Returns:
            The successors and how often each followed, and the items that are two steps away and
            neither successor nor source, with the number of walks that lead there.
        """
        real = source >= 0
        ends = np.concatenate([[0], np.cumsum(real)])
        start = csr_array(
            (np.ones(ends[-1]), source[real].astype(np.int64), ends),
            shape=(len(source), self.counts.shape[0]),
        )
        one = csr_array(start @ self.counts)
        two = csr_array(one @ self.counts)
        two = csr_array(two - two.multiply((one + start) > 0))
        two.eliminate_zeros()
        return one, two
