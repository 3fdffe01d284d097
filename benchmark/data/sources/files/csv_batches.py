"""Tables separated by commas, read in batches of columns: the good path visits no row in Python."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from benchmark.data.recognise import HEAD, foreign_text, recognise, separator
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import LONGEST_LINE, complain
from benchmark.data.sources.files.table_file import TableFile
from benchmark.errors import InputError, did_you_mean
from benchmark.plain_text import plain

__all__ = ["CODED", "Faults", "batches", "header", "line_of"]

CODED = pa.dictionary(pa.int32(), pa.string())
"""Text of which few are distinct."""
_BLOCK = 8 * 2**20
_MISSING = ("", "nan", "NaN", "NA", "null", "NULL", "None")
"""Cells of numbers that hold none."""
_WANTED = "text with fields separated by commas"
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def header(file: TableFile, needed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a table's fields.

    Raises:
        InputError: the file is no such table, or a needed field is missing or named twice.
    """
    path = file.path
    with file.open() as stream:
        raw = stream.readline(LONGEST_LINE + 2)
    if not raw:
        raise complain(path, None, "the file is empty; its first line must name the fields")
    if (what := recognise(raw[:HEAD], _WANTED)) is not None:
        raise complain(path, None, what)
    if len(raw) > LONGEST_LINE:
        raise complain(path, 1, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")
    try:
        line = raw.decode("utf-8-sig").rstrip("\r\n")
        fields = tuple(next(csv.reader([line], strict=True), ()))
    except UnicodeDecodeError as error:
        raise complain(path, 1, f"byte {error.start + 1} is {foreign_text(raw)}") from None
    except csv.Error as error:
        raise complain(path, 1, f"the header cannot be read: {error}") from None
    for name in needed:
        if name not in fields:
            other = separator(line, "commas", lambda cells: bool({*cells} & {*needed}))
            text = f"field {name} is missing{did_you_mean(name, fields)}"
            raise complain(path, 1, other or text)
        if fields.count(name) > 1:
            raise complain(path, 1, f"field {name} is named twice; remove or rename one")
    return fields


def batches(
    file: TableFile, fields: tuple[str, ...], kinds: Mapping[str, pa.DataType]
) -> Iterator[pa.RecordBatch]:
    """Yield columns of a table, some thousand rows at a time.

    Args:
        file: the table.
        fields: all that its header names.
        kinds: the columns to read: whole numbers as ``int64``, numbers as ``float64``, text, or
            ``CODED`` text. Numbers that are not there are null.

    Raises:
        InputError: a row is malformed; the message names its line.
    """
    with file.open() as stream:
        try:
            yield from pacsv.open_csv(
                pa.PythonFile(stream, "r"),
                read_options=pacsv.ReadOptions(
                    column_names=list(fields), skip_rows=1, block_size=_BLOCK
                ),
                parse_options=pacsv.ParseOptions(newlines_in_values=False),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict(kinds),
                    include_columns=list(kinds),
                    null_values=list(_MISSING),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise _fault(file, fields, kinds) from None


def line_of(file: TableFile, row: int) -> tuple[Path, int]:
    """Return the file and the line (from 1) of a row (from 0); empty lines are no rows."""
    rows = (number for number, line in _lines(file) if number > 1 and line)
    return file.path, next(number for i, number in enumerate(rows) if i == row)


class Faults:
    """Counts what is wrong with rows, and tells it with the line of the first of each kind."""

    def __init__(self, file: TableFile, cleaning: Cleaning) -> None:
        self._file, self._cleaning = file, cleaning
        self._found: dict[str, tuple[int, int]] = {}

    def add(self, fault: str, rows: NDArray[np.integer]) -> None:
        """Take note of rows (from 0, ascending) that have a fault."""
        if len(rows):
            first, count = self._found.get(fault, (int(rows[0]), 0))
            self._found[fault] = first, count + len(rows)

    def refused(self, total: int) -> InputError:
        """Return the error of a table of ``total`` rows that has none without a fault."""
        if not self._found:
            return complain(self._file.path, None, "the file holds no rows; there is a header only")
        fault, (first, _) = min(self._found.items(), key=lambda each: each[1][0])
        text = f"{fault}, and none of {total} rows is whole"
        return complain(*line_of(self._file, first), text)

    def tell(self, total: int, remedy: str = "they are left out") -> None:
        """Report the faults of a table of ``total`` rows, or refuse them where the card does."""
        for fault, (first, count) in self._found.items():
            place = line_of(self._file, first)
            self._cleaning.report(*place, fault, f"{count} of {total} rows", remedy)


def _lines(file: TableFile) -> Iterator[tuple[int, bytes]]:
    with file.open() as stream:
        number = 0
        while line := stream.readline(_BLOCK + 2):
            number += 1
            yield number, line.rstrip(b"\r\n")


def _fault(
    file: TableFile, fields: tuple[str, ...], kinds: Mapping[str, pa.DataType]
) -> InputError:
    """Return what is wrong with the first row that cannot be read."""
    for number, line in _lines(file):
        if number > 1 and line and (text := _fault_of(line, fields, kinds)) is not None:
            return complain(file.path, number, text)
    return complain(file.path, None, "cannot be read as a table; its lines are no rows")


def _fault_of(line: bytes, fields: tuple[str, ...], kinds: Mapping[str, pa.DataType]) -> str | None:
    if len(line) > LONGEST_LINE:
        return f"the line is longer than {LONGEST_LINE:,} bytes; shorten it"
    try:
        cells = next(csv.reader([line.decode("utf-8")], strict=True))
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is {foreign_text(line)}"
    except csv.Error as error:
        return f"the row cannot be read: {error}; a quotation mark inside of a cell is doubled"
    if len(cells) != len(fields):
        return f"{len(cells)} fields where the header names {len(fields)}"
    for name, cell in zip(fields, cells, strict=True):
        kind, text = kinds.get(name), cell.strip(" \t")
        if kind is None or not pa.types.is_primitive(kind) or text in _MISSING:
            continue
        whole = pa.types.is_integer(kind)
        if (_WHOLE if whole else _NUMBER).fullmatch(text) is None:
            what = "a whole number of at most 18 digits" if whole else "a number"
            return f"{name} '{plain(text, 40)}' is not {what}"
    return None
