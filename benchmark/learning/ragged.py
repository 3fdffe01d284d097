"""Rows of different length as flat arrays, so that sequences are put together without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.spans import spread

__all__ = ["Ragged", "join"]


@dataclass(frozen=True)
class Ragged:
    """``values`` (``[total, ...]``) cut into consecutive rows of ``lengths`` (int64 ``[rows]``)."""

    values: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Start of each row in ``values``, and the total: ``[rows + 1]``."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    @classmethod
    def of_lists(cls, rows: list[list[int]]) -> Ragged:
        """Build from Python lists of numbers."""
        flat = [value for row in rows for value in row]
        return cls(np.array(flat, dtype=np.int64), np.array([len(r) for r in rows], dtype=np.int64))

    def take(self, rows: NDArray[np.integer]) -> Ragged:
        """Return the rows at ``rows``, in that order; a row of -1 is empty."""
        lengths = np.where(rows >= 0, self.lengths[rows], 0) if len(self) else np.zeros_like(rows)
        starts = self.offsets[:-1][rows] if len(self) else np.zeros_like(rows)
        return Ragged(self.values[spread(starts, lengths)], lengths.astype(np.int64))

    def regroup(self, owner: NDArray[np.integer], rows: int) -> Ragged:
        """Join rows: row ``i`` becomes part of row ``owner[i]``; owners ascend."""
        lengths = np.bincount(owner, weights=self.lengths, minlength=rows).astype(np.int64)
        return Ragged(self.values, lengths)

    def padded(self, fill: int) -> NDArray[np.int64]:
        """Return ``[rows, longest, ...]``, filled with ``fill`` on the right."""
        longest = int(self.lengths.max(initial=0))
        out = np.full((len(self), longest, *self.values.shape[1:]), fill, dtype=np.int64)
        rows = np.repeat(np.arange(len(self)), self.lengths)
        out[rows, spread(np.zeros(len(self), dtype=np.int64), self.lengths)] = self.values
        return out


def join(*parts: Ragged) -> Ragged:
    """Put the rows of all parts (equally many) one behind the other."""
    lengths = np.sum([p.lengths for p in parts], axis=0)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    width = parts[0].values.shape[1:]
    values = np.empty((int(lengths.sum()), *width), dtype=np.int64)
    for part in parts:
        values[spread(starts, part.lengths)] = part.values
        starts = starts + part.lengths
    return Ragged(values, lengths)
