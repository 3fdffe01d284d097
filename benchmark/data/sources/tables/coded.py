"""Ids that come in batches, as codes into one list of distinct ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.sources.tables.cells import as_text, neat

__all__ = ["Coded"]

_AT_LEAST = 2**20


class Coded:
    """Collects a column of ids.

    The ids of the batches are brought together whenever there are as many new ones as known ones,
    so that each is hashed a few times and no more memory is held than distinct ids need.

    Args:
        missing: values that stand for none, beside the empty one.
    """

    def __init__(self, missing: tuple[str, ...] = ()) -> None:
        self._missing = missing
        self._ids = pa.array([], pa.large_string())
        self._codes: list[NDArray[np.int32]] = []
        self._new: list[tuple[NDArray[np.int32], pa.Array]] = []
        self._waiting = 0

    def add(self, column: pa.Array) -> None:
        """Take the next rows.

        Raises:
            CellError: the column is no text.
        """
        coded = as_text(column).dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        self._new.append((codes, neat(coded.dictionary, self._missing)))
        self._waiting += len(coded.dictionary)
        if self._waiting > max(_AT_LEAST, len(self._ids)):
            self._merge()

    def finish(self) -> tuple[NDArray[np.int32], pa.Array]:
        """Return the code of each row, -1 where nothing is, and the ids, distinct."""
        self._merge()
        codes = np.concatenate(self._codes) if self._codes else np.zeros(0, dtype=np.int32)
        self._codes = []
        return codes, self._ids

    def _merge(self) -> None:
        if not self._new:
            return
        # The known ids come first, and keep their numbers.
        every = pa.chunked_array([self._ids, *(ids for _, ids in self._new)], pa.large_string())
        together = every.combine_chunks().dictionary_encode()
        place = together.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        start = len(self._ids)
        for codes, ids in self._new:
            own = np.append(place[start : start + len(ids)], np.int32(-1))
            self._codes.append(own[codes])
            start += len(ids)
        self._ids, self._new, self._waiting = together.dictionary, [], 0
