"""Parquet by Arrow, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.data.sources.files.parquet import ParquetTable
from benchmark.data.sources.tables.table import Batches, Table

__all__ = ["parquet_table"]

_ROWS = 2**16


def parquet_table(path: Path) -> Table:
    """Return the table of a Parquet file.

    Raises:
        InputError: it is none, or is cut short.
    """
    file = ParquetTable([path])
    return Table(
        path=path,
        kind="Parquet",
        names=file.names,
        read=lambda columns: _batches(file, columns),
        line=lambda row: row + 1,
    )


def _batches(file: ParquetTable, columns: Sequence[str]) -> Batches:
    for _, batch in file.batches(columns, _ROWS):
        yield {name: batch.column(name) for name in columns}
