"""The types that columns of tables are declared by, whatever file they lie in, and their names.

A reader declares its columns as Arrow types by name: ``pa.int64()``, ``pa.float64()``,
``pa.string()`` and lists of these. The parsers of delimited text, JSON lines and Parquet hold the
files against them.
"""

from __future__ import annotations

import pyarrow as pa

__all__ = ["fits", "is_list", "is_text", "many_of", "one_of"]


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is one of text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is that of lists, of any kind."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(each(kind) for each in lists)


def fits(kind: pa.DataType, declared: pa.DataType) -> bool:
    """Return whether a column of a type holds what is declared, of whatever width; or nothing."""
    if is_list(declared):
        return is_list(kind) and fits(kind.value_type, declared.value_type)
    if pa.types.is_null(kind):
        return not pa.types.is_integer(declared)
    if is_text(declared):
        return is_text(kind)
    if pa.types.is_floating(declared):
        return any(
            t(kind) for t in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
        )
    return pa.types.is_integer(kind)


def one_of(kind: pa.DataType) -> str:
    """Return what a single value of a type is called."""
    if is_list(kind):
        return f"a list of {many_of(kind.value_type)}"
    if is_text(kind):
        return "text"
    return "a number" if pa.types.is_floating(kind) else "an integer"


def many_of(kind: pa.DataType) -> str:
    """Return what values of a type are called."""
    if is_list(kind):
        return f"lists of {many_of(kind.value_type)}"
    if is_text(kind):
        return "text"
    return "numbers" if pa.types.is_floating(kind) else "integers"
