"""Document identifiers of DSI (Tay et al. 2022, section 3.2): row numbers, or nested clusters.

Both are one identifier for both kinds that :class:`gensar.engine.identifiers.Identifiers` knows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from gensar.engine.identifiers import Identifiers, extra_codes

__all__ = ["clustered_codes", "digit_codes", "identifiers_of"]


def digit_codes(items: int) -> NDArray[np.int64]:
    """Return each row number's decimal digits, the most significant first, ``[items, digits]``.

    All numbers have as many digits as the largest.
    """
    digits = len(str(max(items - 1, 0)))
    powers = 10 ** np.arange(digits - 1, -1, -1)
    return np.arange(items)[:, None] // powers % 10


def clustered_codes(
    vectors: NDArray[np.float32], branches: int, leaf_items: int, seed: int
) -> NDArray[np.int64]:
    """Number the items by clusters inside clusters, ``[items, levels]``.

    A cluster of more than ``leaf_items`` items is split by k-means into at most ``branches``; the
    code of a level is the part that an item falls into. The last code numbers the items of a
    cluster in the order of their rows. Between the two, clusters that needed fewer splits have
    code 0, so that all identifiers are equally long.

    Args:
        vectors: what is clustered, ``[items, width]``.
        branches: at least 2.
        leaf_items: at least 1.
        seed: of every k-means.
    """
    columns: list[NDArray[np.int64]] = []
    group: NDArray[np.int64] = np.zeros(len(vectors), dtype=np.int64)
    while (large := np.flatnonzero(np.bincount(group) > leaf_items)).size:
        column = np.zeros(len(vectors), dtype=np.int64)
        for number in large.tolist():
            rows = np.flatnonzero(group == number)
            column[rows] = _split(vectors[rows], branches, seed)
        columns.append(column)
        _, inverse = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
        group = inverse.ravel().astype(np.int64)
    return np.column_stack([*columns, extra_codes(group[:, None])])


def _split(vectors: NDArray[np.float32], branches: int, seed: int) -> NDArray[np.int64]:
    """Return the part of each of ``vectors``; there are between 2 and ``branches`` parts."""
    count = min(branches, len(np.unique(vectors, axis=0)))
    if count > 1:
        clusters = KMeans(count, n_init=1, random_state=seed).fit_predict(vectors)
        parts, labels = np.unique(clusters, return_inverse=True)
        if len(parts) > 1:
            return labels.ravel().astype(np.int64)
    # Items that no vector tells apart are dealt out evenly.
    return np.arange(len(vectors)) * min(branches, len(vectors)) // len(vectors)


def identifiers_of(codes: NDArray[np.int64], vectors: NDArray[np.float32] | None) -> Identifiers:
    """Return ``codes`` (``[items, levels]``) as both identifiers of every item.

    The first code stands for the mean of its items' ``vectors`` (``[items, width]``). A later one
    means something else behind each prefix and stands for nothing.
    """
    sizes = tuple((codes.max(axis=0, initial=0) + 1).tolist())
    first: tuple[NDArray[np.float32], ...] = ()
    if vectors is not None:
        member = codes[:, 0] == np.arange(sizes[0])[:, None]
        counts = np.maximum(member.sum(axis=1, keepdims=True), 1)
        first = ((member.astype(np.float32) @ vectors / counts).astype(np.float32),)
    return Identifiers((codes, codes), codes.shape[1], (sizes, sizes), (first, first))
