"""What counting models do with sparse matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["at", "largest_of_rows", "rows_or_none"]


def at(matrix: csr_array, columns: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the entries of each row at its ``columns``, ``[rows, n]``."""
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    entries = matrix[rows, columns.ravel()]
    return np.asarray(entries.toarray() if hasattr(entries, "toarray") else entries).reshape(
        columns.shape
    )


def rows_or_none(matrix: csr_array, rows: NDArray[np.integer]) -> csr_array:
    """Return rows of a matrix; row -1 is empty."""
    whole = csr_array(
        (matrix.data, matrix.indices, np.append(matrix.indptr, matrix.indptr[-1])),
        shape=(matrix.shape[0] + 1, matrix.shape[1]),
    )
    return whole[np.where(rows < 0, matrix.shape[0], rows)]


def largest_of_rows(matrix: csr_array, most: int) -> csr_array:
    """Return a matrix with the ``most`` largest entries of each row, the largest first.

    Of equal entries those of the first columns are kept.
    """
    sizes = np.diff(matrix.indptr)
    row = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((matrix.indices, -matrix.data, row))
    rank = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], sizes)
    kept = order[rank < most]
    indptr = np.concatenate([[0], np.cumsum(np.minimum(sizes, most))])
    return csr_array((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)
