"""Columns of text as codes of distinct ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["coded", "first_rows"]


def coded(chunks: list[pa.Array]) -> tuple[NDArray[np.int32], pa.Array]:
    """Return the codes of a column of text, ``[rows]``, and the distinct texts, in order.

    Args:
        chunks: of the column, as text or as text that is dictionary-encoded.
    """
    kind = pa.dictionary(pa.int32(), pa.string())
    whole = [c if pa.types.is_dictionary(c.type) else c.dictionary_encode() for c in chunks]
    parts = pa.chunked_array(whole, kind).unify_dictionaries().chunks
    if not parts:
        return np.zeros(0, dtype=np.int32), pa.array([], pa.string())
    ids = parts[0].dictionary
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
