"""``requests.parquet``: one row for each task, protocol, request and relevant item.

Beside the counts of which metrics are made, three columns tell what slices of the leaderboard a
request belongs to: the kind of its query, the events in its history, and the training events of
its relevant item.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import TaskOutcome

__all__ = ["ASKED", "read_table", "same_requests", "to_table", "write_table"]

ASKED = ["request", "user", "query", "item"]
"""The columns that tell a request and its relevant item."""

_SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("protocol", pa.string()),
        ("request", pa.int32()),
        ("user", pa.int32()),
        ("query", pa.int32()),
        ("item", pa.int32()),
        ("greater", pa.int32()),
        ("tied", pa.int32()),
        ("candidates", pa.int32()),
        ("query_kind", pa.string()),
        ("history", pa.int32()),
        ("item_events", pa.int32()),
    ]
)


def to_table(outcomes: list[TaskOutcome], item_events: NDArray[np.integer]) -> pa.Table:
    """Put the outcomes below each other; a request's number is its place in its task.

    Args:
        outcomes: one for each task and protocol.
        item_events: number of training events of each item, ``[items]``.
    """
    parts = []
    for outcome in outcomes:
        requests, ranks = outcome.evaluation.requests, outcome.ranks
        size = len(requests)
        columns = [
            pa.array([str(outcome.task)] * size),
            pa.array([outcome.protocol] * size),
            np.arange(size, dtype=np.int32),
            requests.user,
            requests.query,
            outcome.evaluation.targets.astype(np.int32),
            ranks.greater,
            ranks.tied,
            ranks.candidates,
            pa.array(requests.query_kinds()),
            np.diff(requests.seen()[0]).astype(np.int32),
            item_events[outcome.evaluation.targets].astype(np.int32),
        ]
        parts.append(pa.table(columns, schema=_SCHEMA))
    return pa.concat_tables(parts).combine_chunks() if parts else _SCHEMA.empty_table()


def write_table(table: pa.Table, file: Path) -> None:
    """Write so that equal tables give equal bytes."""
    pq.write_table(table, file, compression="zstd", store_schema=False, write_statistics=False)


def read_table(file: Path) -> pd.DataFrame:
    """Read what :func:`write_table` wrote.

    Raises:
        BenchmarkError: it has other columns, as those of earlier versions have.
    """
    table = pq.read_table(file)
    if table.schema.names != _SCHEMA.names:
        raise BenchmarkError(f"{file}: has other columns than this version writes; run it again")
    return table.to_pandas()


def same_requests(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Return whether two tables of counts stand, row for row, for the same requests."""
    return first[ASKED].equals(second[ASKED])
