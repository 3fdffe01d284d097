"""Frames of pandas, Polars and Arrow as tables: whatever gives an Arrow stream, or columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.tables.table import Batches, Table

__all__ = ["frame_table"]


def frame_table(frame: Any, what: str) -> Table:
    """Return the table of a frame.

    Args:
        frame: has the method ``__arrow_c_stream__`` (Arrow's PyCapsule interface), as frames of
            pandas, Polars and Arrow do; or maps names to columns.
        what: is called so in errors.

    Raises:
        InputError: it is neither, or a column of it mixes types.
    """
    path = Path(what)
    try:
        if isinstance(frame, Mapping):
            table = pa.table(dict(frame))
        elif hasattr(frame, "__arrow_c_stream__"):
            table = pa.table(frame)
        else:
            text = "is no frame of pandas, Polars or Arrow, and maps no names to columns"
            raise complain(path, None, text)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        said = str(error).partition("\n")[0][:160]
        raise complain(path, None, f"cannot be read as a table: {said}") from None

    def read(columns: Sequence[str]) -> Batches:
        for batch in table.select(list(columns)).to_batches():
            yield {name: batch.column(name) for name in columns}

    return Table(path, "a frame", tuple(table.column_names), read, lambda row: row + 1)
