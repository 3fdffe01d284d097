"""Cells of any type as text or as numbers, whatever library or file held them."""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.plain_text import plain

__all__ = ["CellError", "as_numbers", "as_text", "first_failing", "is_text", "neat", "plain_type"]

_ODD = (
    r"\x00\t-\r\x1c-\x1f\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}"
    r"\p{Zl}\p{Zp}\x{202F}\x{205F}\x{3000}"
)
"""Blanks of every script but the plain one, as a class of characters: Chinese text has U+3000."""
_UNTIDY = rf"^ | $|  |[{_ODD}]"
_BLANKS = rf"[ {_ODD}]+"
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9.]*,[0-9]+")


class CellError(ValueError):
    """What is wrong with a column, or with its cell number ``row``."""

    def __init__(self, text: str, row: int | None = None) -> None:
        super().__init__(text)
        self.row = row


def plain_type(column: pa.Array) -> pa.Array:
    """Return a column without codes, views and wrappers around its type."""
    if isinstance(column, pa.ExtensionArray):
        return plain_type(column.storage)
    if pa.types.is_dictionary(column.type):
        return plain_type(column.dictionary).take(column.indices)
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        return column.cast(pa.large_string())
    return column


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is one of text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def as_text(column: pa.Array) -> pa.Array:
    """Return a column as text, null where there is nothing.

    Whole numbers have no decimal point, as a library that knows no missing whole number makes them
    fractional; what a list holds is joined by blanks.

    Raises:
        CellError: the column holds something else than text, numbers, times and lists of those.
    """
    column = plain_type(column)
    kind = column.type
    if is_text(kind):
        return column.cast(pa.large_string())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.large_string())
    if pa.types.is_floating(kind):
        return _text_of_floats(column.cast(pa.float64()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _joined(column)
    if pa.types.is_fixed_size_list(kind):
        return _joined(column.cast(pa.list_(kind.value_type)))
    if pa.types.is_nested(kind):
        raise CellError(f"holds {kind}; text or a number is wanted")
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CellError(f"holds {kind}, which is no text in UTF-8") from error


def neat(values: pa.Array, missing: tuple[str, ...]) -> pa.Array:
    """Return texts without blanks around them and with single ones inside; null where missing."""
    if pc.any(pc.match_substring_regex(values, _UNTIDY)).as_py():
        values = pc.utf8_trim_whitespace(pc.replace_substring_regex(values, _BLANKS, " "))
    none = pc.is_in(values, value_set=pa.array(["", *missing], values.type))
    return pc.if_else(none, pa.scalar(None, values.type), values) if none.true_count else values


def as_numbers(column: pa.Array, missing: tuple[str, ...]) -> tuple[NDArray, NDArray[np.bool_]]:
    """Return int64 or float64 ``[rows]``, and which are missing (0 there).

    Raises:
        CellError: a cell is no number; or the column holds none.
    """
    column = plain_type(column)
    kind = column.type
    if is_text(kind) or pa.types.is_null(kind):
        column = _numbers_of_text(neat(column.cast(pa.large_string()), missing))
    elif pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        column = column.cast(pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise CellError(f"holds {kind}, no numbers")
    none = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type):
        try:
            whole = column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise CellError("holds numbers beyond 2**63") from error
        return whole.fill_null(0).to_numpy(zero_copy_only=False), none
    values = column.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False)
    none |= np.isnan(values)
    if np.isinf(values).any():
        raise CellError("is infinite", int(np.argmax(np.isinf(values))))
    return np.where(none, 0.0, values), none


def _numbers_of_text(text: pa.Array) -> pa.Array:
    with suppress(pa.ArrowInvalid):
        return text.cast(pa.int64())
    with suppress(pa.ArrowInvalid):
        return text.cast(pa.float64())
    row = first_failing(text, pa.float64())
    cell = text[row].as_py()
    mend = "; write a point for the decimal comma" if _DECIMAL_COMMA.fullmatch(cell) else ""
    raise CellError(f"is not a number, but '{plain(cell, 40)}'{mend}", row)


def first_failing(text: pa.Array, kind: pa.DataType) -> int:
    """Return the first cell that cannot be cast to ``kind``; one of them cannot."""
    low, high = 0, len(text)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            text.slice(low, middle - low).cast(kind)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _text_of_floats(column: pa.Array) -> pa.Array:
    values = column.fill_null(np.nan).to_numpy(zero_copy_only=False)
    whole = (np.abs(values) < 2**53) & (values == np.floor(values))
    exact = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.large_string())
    text = pc.if_else(pa.array(whole), exact, column.cast(pa.large_string()))
    return pc.if_else(pa.array(np.isnan(values)), pa.scalar(None, pa.large_string()), text)


def _joined(column: pa.Array) -> pa.Array:
    inner = as_text(column.flatten()).fill_null("")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    blank = pa.scalar(" ", inner.type)
    return pc.binary_join(pa.LargeListArray.from_arrays(offsets, inner), blank)
