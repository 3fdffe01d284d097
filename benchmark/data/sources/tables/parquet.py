"""Parquet by Arrow, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.sources.diagnose import complain, open_file
from benchmark.data.sources.tables.table import Batches, Table
from benchmark.errors import InputError

__all__ = ["parquet_table"]

_ROWS = 2**16


def parquet_table(path: Path) -> Table:
    """Return the table of a Parquet file.

    Raises:
        InputError: it is none, or is cut short.
    """
    with open_file(path) as file:
        try:
            names = tuple(pq.ParquetFile(file).schema_arrow.names)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damaged(path, error) from None
    return Table(
        path=path,
        kind="Parquet",
        names=names,
        read=lambda columns: _batches(path, columns),
        line=lambda row: row + 1,
    )


def _batches(path: Path, columns: Sequence[str]) -> Batches:
    with open_file(path) as file:
        try:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS, columns=list(columns)):
                yield {name: batch.column(name) for name in columns}
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    said = str(error).partition("\n")[0][:120]
    return complain(path, None, f"is no Parquet file, or is damaged or cut short: {said}")
