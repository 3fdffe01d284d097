"""Tables as Parquet files: small, the same bytes for equal tables, and read with suspicion."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.errors import BenchmarkError

__all__ = ["from_bytes", "to_bytes"]

_MOST_ROWS = 2**25
_MOST_BYTES = 2**30
"""Of all columns unpacked: a small file can hold any amount of the same."""


def to_bytes(table: pa.Table) -> bytes:
    """Return the Parquet file of a table, the same for equal tables.

    Numbers are split into streams of their bytes, most of which then hold zeros: of the encodings
    that Parquet has, the smallest on real counts.
    """
    split = [f.name for f in table.schema if f.type in (pa.int32(), pa.float32())]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in table.schema.names if name not in split],
        column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        store_schema=False,
        write_statistics=False,
    )
    return sink.getvalue().to_pybytes()


def from_bytes(
    content: bytes, wanted: pa.Schema, name: str, optional: pa.Schema | None = None
) -> pa.Table:
    """Read what :func:`to_bytes` made; columns that are not named are not read.

    Args:
        content: of the file.
        wanted: the columns that it must have.
        name: of the file, for errors.
        optional: columns that it may have.

    Raises:
        BenchmarkError: it is no Parquet file, lacks a column, has one of another type or with
            nulls, or is too large.
    """
    try:
        return _table(content, wanted, optional or pa.schema([]))
    except (pa.ArrowException, OSError, ValueError) as error:
        fault = f"is no Parquet file that can be read: {str(error).splitlines()[0][:100]}"
    except BenchmarkError as error:
        fault = str(error)
    raise BenchmarkError(f"{name}: {fault}")


def _table(content: bytes, wanted: pa.Schema, optional: pa.Schema) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(content))
    fields = _fields(file, wanted, optional)
    table = file.read(columns=[field.name for field in fields])
    table.validate(full=True)
    columns = [table[field.name] for field in fields]
    for field, column in zip(fields, columns, strict=True):
        if column.null_count:
            raise BenchmarkError(f"column {field.name} has nulls")
    return pa.Table.from_arrays(columns, schema=pa.schema(fields)).combine_chunks()


def _fields(file: pq.ParquetFile, wanted: pa.Schema, optional: pa.Schema) -> list[pa.Field]:
    """Return the columns to read, of which the file's description is what it should be."""
    about, found = file.metadata, file.schema_arrow
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    if about.num_rows > _MOST_ROWS or sum(g.total_byte_size for g in groups) > _MOST_BYTES:
        raise BenchmarkError("is larger than any run's")
    if not set(wanted.names) <= set(found.names):
        raise BenchmarkError("has other columns than this version reads; run it again")
    fields = [*wanted, *(field for field in optional if field.name in found.names)]
    for field in fields:
        if found.names.count(field.name) > 1 or found.field(field.name).type != field.type:
            raise BenchmarkError(f"column {field.name} is no {field.type}")
    return fields
