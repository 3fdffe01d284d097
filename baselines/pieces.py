"""Texts as word pieces, and which of them go through a network together.

Every pass has :data:`ROWS` texts, padded to a length that follows from each text alone; so what
comes out for one of them does not hang on the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROWS", "Pieces", "alike", "in_rows"]

ROWS = 32
"""Texts that go through the network at a time."""
STEP = 8
"""Texts are padded to a multiple of so many word pieces."""


@dataclass(frozen=True)
class Pieces:
    """Word pieces of texts: int64 ``[texts, longest]``, padded on the right, and their numbers."""

    rows: NDArray[np.int64]
    length: NDArray[np.int64]

    def __getitem__(self, texts: NDArray[np.integer]) -> Pieces:
        """Return the pieces of some texts."""
        return Pieces(self.rows[texts], self.length[texts])

    def mask(self, texts: NDArray[np.integer], width: int) -> NDArray[np.int64]:
        """Return 1 for each piece of some texts and 0 for padding, ``[texts, width]``."""
        return (np.arange(width) < self.length[texts][:, None]).astype(np.int64)


def in_rows(found: Sequence[Sequence[int]], padding: int) -> Pieces:
    """Return lists of numbers, one for each text, as rows that are filled up with ``padding``."""
    length = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
    width = -(-max(int(length.max(initial=1)), 1) // STEP) * STEP
    rows = np.full((len(found), width), padding, dtype=np.int64)
    rows[np.arange(width) < length[:, None]] = np.concatenate([*found, []]).astype(np.int64)
    return Pieces(rows, length)


def alike(length: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield rows, at most ``ROWS``, that are padded to the same length, and that length."""
    padded = np.maximum(-(-length // STEP) * STEP, STEP)
    for width in np.unique(padded):
        rows = np.flatnonzero(padded == width)
        for some in np.split(rows, range(ROWS, len(rows), ROWS)):
            yield some, int(width)
