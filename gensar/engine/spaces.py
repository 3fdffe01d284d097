"""Spaces that items lie in before they are quantised, and how two of them become one.

Penha et al. 2025, section 3: what an identifier says depends on the vectors that it is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.utils.extmath import randomized_svd

from benchmark.data.events import EventLog

__all__ = ["Space", "fused_concat", "fused_svd", "interaction_vectors", "unit"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Space:
    """Where the items lie, and where texts lie in the same space.

    Attributes:
        items: ``[items, width]``.
        texts: maps texts to ``[texts, width]``; ``None`` where they have no place.
    """

    items: Vectors
    texts: Callable[[Sequence[str]], Vectors] | None = None

    def then(self, change: Callable[[Vectors], Vectors]) -> Space:
        """Return the space after a map of vectors, ``[n, width]`` to ``[n, another width]``."""
        place = self.texts
        texts = None if place is None else lambda words: change(place(words))
        return Space(change(self.items), texts)


def unit(vectors: Vectors) -> Vectors:
    """Scale rows to unit length; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def fused_concat(search: Space, rec: Space) -> Space:
    """Put both vectors of each item, of unit length, side by side.

    Texts lie in the half of search.
    """
    width = rec.items.shape[1]
    left = search.then(lambda vectors: np.pad(unit(vectors), ((0, 0), (0, width))))
    half = np.pad(unit(rec.items), ((0, 0), (search.items.shape[1], 0)))
    return Space(left.items + half, left.texts)


def fused_svd(search: Space, rec: Space) -> Space:
    """Add both vectors of each item, brought to unit length and to the narrower width.

    The wider are replaced by their coordinates along their own first right singular vectors.
    """
    width = min(search.items.shape[1], rec.items.shape[1])
    left, right = (_narrowed(one, width) for one in (search, rec))
    return Space(left.items + right.items, left.texts)


def _narrowed(space: Space, width: int) -> Space:
    """Return the space in ``width`` dimensions and at unit length."""
    if space.items.shape[1] == width:
        return space.then(unit)
    squares = space.items.T.astype(np.float64) @ space.items
    axes = np.linalg.eigh(squares)[1][:, ::-1][:, :width].astype(np.float32)
    return space.then(lambda vectors: unit(vectors @ axes))


def interaction_vectors(log: EventLog, items: int, width: int, seed: int) -> Vectors:
    """Return collaborative vectors of all items, ``[items, width]``, of unit length.

    They are the right singular vectors of the matrix of users and items, weighted by the square
    roots of their singular values. It holds 1 where a user met an item, divided by the square root
    of either's number of partners, so that popular items do not fill it. Penha et al. take ENMF,
    which like this fits every cell of the matrix by squared error, unobserved ones included, but
    weighs these less. An item that nobody met is a row of zeros.

    Where there are fewer users or items than ``width``, the columns left over are zero.
    """
    met = csr_array((np.ones(len(log)), (log.user, log.item)), shape=(max(log.users, 1), items))
    met.data[:] = 1.0  # the constructor has summed what a user met again
    users, partners = met.nonzero()
    by_user = np.maximum(np.bincount(users, minlength=max(log.users, 1)), 1) ** -0.5
    by_item = np.maximum(np.bincount(partners, minlength=items), 1) ** -0.5
    scaled = diags_array(by_user) @ met @ diags_array(by_item)
    kept = min(width, *met.shape)
    _, weights, right = randomized_svd(csr_array(scaled), kept, random_state=seed)
    vectors = unit((right.T * np.sqrt(weights)).astype(np.float32))
    return np.pad(vectors, ((0, 0), (0, width - kept)))
