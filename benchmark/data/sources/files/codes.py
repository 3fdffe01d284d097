"""Columns of ids, text or numbers, as codes of distinct ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["coded", "first_rows"]


def coded(column: pa.ChunkedArray | Sequence[pa.Array]) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes of a column, ``[rows]``, and the distinct texts that they stand for, in order.

    Args:
        column: text or whole numbers, or such as is dictionary-encoded; or the chunks of it.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else column
    whole = [c if pa.types.is_dictionary(c.type) else c.dictionary_encode() for c in chunks]
    if not whole:
        return np.zeros(0, dtype=np.int32), pa.array([], pa.string())
    parts = pa.chunked_array(whole).unify_dictionaries().chunks
    ids = parts[0].dictionary.cast(pa.string())
    order = pc.sort_indices(ids)
    number = np.empty(len(ids), dtype=np.int32)
    number[order.to_numpy()] = np.arange(len(ids), dtype=np.int32)
    codes = np.concatenate([part.indices.to_numpy(zero_copy_only=False) for part in parts])
    return number[codes], ids.take(order)


def first_rows(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the row that has each code first, ``[codes]``; every code from 0 occurs."""
    first = np.full(int(codes.max(initial=-1)) + 1, len(codes), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return first
