"""Columns of numbers: which cells are missing, and the complaint about those that are none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.atomic.parse import Rows
from benchmark.data.sources.diagnose import complain
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["numbers"]

_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_MISSING = r"^([+-]?(?i:nan|inf|infinity)|(?i:null|none)|<?NA>?|#?N/A|n/a|#NA|-?1\.#(IND|QNAN))?$"
"""What pandas, and so RecBole, takes for a number that is not there, and numbers without end."""


def numbers(rows: Rows, name: str) -> tuple[NDArray, NDArray[np.bool_]]:
    """Return a column's numbers, int64 or float64 ``[rows]``, and which of them are missing.

    Raises:
        InputError: a cell is no number; the message says how many are none.
    """
    column = rows.table.column(name)
    if not pa.types.is_string(column.type):
        return column.to_numpy(), np.zeros(len(column), dtype=np.bool_)
    text = pc.ascii_trim_whitespace(column)
    missing = _flags(pc.match_substring_regex(text, _MISSING))
    good = _flags(pc.match_substring_regex(text, _NUMBER))
    bad = ~(missing | good)
    if bad.any():
        raise _no_number(rows, name, bad)
    filled = pc.if_else(pa.array(missing), "0", pc.replace_substring_regex(text, r"^\+", ""))
    try:
        return filled.cast(pa.int64()).to_numpy(), missing
    except pa.ArrowInvalid:
        values = filled.to_numpy().astype(np.float64)
        return np.where(np.isfinite(values), values, 0.0), missing | ~np.isfinite(values)


def _flags(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return column.to_numpy().astype(np.bool_)


def _no_number(rows: Rows, name: str, bad: NDArray[np.bool_]) -> InputError:
    row = int(np.argmax(bad))
    if rows.has_other_width(row):
        assert rows.repaired is not None
        text = (
            f"{rows.repaired.fields[row]} fields where the header names {rows.width};"
            " fields are separated by one tab each and hold none"
        )
    else:
        cell = plain(rows.table.column(name)[row].as_py(), 40)
        text = f"{name} '{cell}' is not a number"
    return complain(rows.path, rows.line(row), f"{text} ({bad.sum()} of {len(bad)} rows)")
