"""Whether what runs say they were asked can be true, whatever its checksum says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.evaluation_set import PROTOCOLS
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.plain_text import plain
from benchmark.results.table import Blocks

__all__ = ["behind", "catalogue", "check_shared", "refuse"]

_OF_REQUESTS = ("user", "query", "candidates", "query_kind", "history", "hard")
"""Columns that all rows of a request have alike."""
_LEAST = {
    **dict.fromkeys(("request", "user", "item", "history", "item_events"), 0),
    "query": -1,
    "candidates": 1,
}


def check_shared(table: pa.Table, blocks: Blocks) -> None:
    """Check what was asked, columns ``SHARED``.

    Raises:
        BenchmarkError: an unknown task or protocol, a number out of its range, requests or the
            items of one out of order, or a request that contradicts itself.
    """
    for task, protocol in blocks:
        if task not in list(Task) or protocol not in PROTOCOLS:
            asked = plain(f"{task} {protocol}", 40)
            raise BenchmarkError(f"asks for {asked}, which this version has not")
    for name, least in _LEAST.items():
        refuse(table, table[name].to_numpy() < least, f"{name} is below {least}")
    gain = table["gain"].to_numpy()
    refuse(table, ~(np.isfinite(gain) & (gain > 0)), "gain is no finite number above 0")
    request, item = (table[name].to_numpy() for name in ("request", "item"))
    later, same = behind(request, blocks)
    refuse(table, later & (np.diff(request, prepend=0) < 0), "requests are not in order")
    refuse(table, same & (np.diff(item, prepend=-1) <= 0), "items of a request are not in order")
    if same.any():
        for name in (each for each in _OF_REQUESTS if each in table.schema.names):
            moves = np.diff(_numbers(table[name].combine_chunks()), prepend=0) != 0
            refuse(table, same & moves, f"{name} differs in a request")
    refuse(table, item >= catalogue(table, blocks), "item is not in the catalogue")


def catalogue(table: pa.Table, blocks: Blocks) -> int:
    """Return the most items that there can be, as far as the requests tell it.

    Under the full protocol all items are candidates but those of the history.
    """
    sizes = _numbers(table["candidates"]) + _numbers(table["history"])
    full = [sizes[rows].min() for (_, protocol), rows in blocks.items() if protocol == "full"]
    return int(min(full, default=2**31))


def _numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """Return a column of numbers, or numbers that stand for the texts of one."""
    if pa.types.is_string(column.type):
        column = column.dictionary_encode().indices
    return column.to_numpy(zero_copy_only=False).astype(np.int64)


def behind(request: NDArray[Any], blocks: Blocks) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows stand behind another of their block, and behind one of their request."""
    later = np.ones(len(request), dtype=np.bool_)
    later[[rows.start for rows in blocks.values() if rows.stop > rows.start]] = False
    return later, later & (np.diff(request, prepend=-1) == 0)


def refuse(table: pa.Table, bad: NDArray[np.bool_], fault: str) -> None:
    """Name the first of the rows where ``bad``, ``[rows]``, holds, if there is any.

    Raises:
        BenchmarkError: there is.
    """
    if bad.any():
        row = table.slice(int(bad.argmax()), 1).to_pylist()[0]
        raise BenchmarkError(f"{row['task']} {row['protocol']}, request {row['request']}: {fault}")
