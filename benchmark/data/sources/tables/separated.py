"""CSV and TSV by Arrow, in batches; rows of another width are left out and counted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from benchmark.data.recognise import foreign_text
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import LONGEST_LINE, complain
from benchmark.data.sources.files.delimited import SEPARATORS, header
from benchmark.data.sources.files.table_file import table_file
from benchmark.data.sources.tables.table import Batches, Table
from benchmark.errors import InputError

__all__ = ["csv_table"]

_BLOCK = LONGEST_LINE
"""Bytes read at once; a row may reach over the end of one such block, and no further."""


_SWALLOWED = 3
"""Lines within a field that look like rows, from which on they are told of."""


class _Watched(io.RawIOBase):
    """Passes bytes on and counts the quotation marks and line ends among them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.quotes = self.lines = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self.quotes += found.count(b'"')
        self.lines += found.count(b"\n")
        return found


def csv_table(path: Path, separator: str, cleaning: Cleaning) -> Table:
    """Return the table of a file whose first line names its columns.

    Args:
        path: the file.
        separator: of fields; those in quotation marks may hold it, and line ends.
        cleaning: is told of rows with too many or too few fields.

    Raises:
        InputError: the first line is too long, not UTF-8, or has a quotation mark too many.
    """
    names = header(table_file(path), separator, "text with fields between separators")
    skipped: list[int] = []
    return Table(
        path=path,
        kind=f"text separated by {SEPARATORS.get(separator, repr(separator))}",
        names=names,
        read=lambda columns: _batches(path, separator, names, columns, skipped, cleaning),
        line=lambda row: _line(path, separator, _physical(row, skipped)),
        head=1,
    )


def _batches(
    path: Path,
    separator: str,
    names: tuple[str, ...],
    columns: Sequence[str],
    skipped: list[int],
    cleaning: Cleaning,
) -> Batches:
    odd: list[tuple[int, int]] = []  # number of a row, the header's being 1, and its fields

    def leave_out(row: pacsv.InvalidRow) -> str:
        odd.append((row.number, row.actual_columns))
        return "skip"

    skipped.clear()
    rows = 0
    with table_file(path).open() as file:
        watched = _Watched(file)
        try:
            for batch in _reader(watched, separator, columns, leave_out):
                skipped.extend(number - 2 for number, _ in odd[len(skipped) :])
                rows += batch.num_rows
                yield {name: batch.column(name) for name in columns}
        except pa.ArrowInvalid as error:
            raise _why(path, separator, columns, error) from None
    skipped.extend(number - 2 for number, _ in odd[len(skipped) :])
    if watched.quotes % 2:
        _check_quotes(path, separator)
    if odd:
        _report(path, separator, len(names), odd, rows, cleaning)
    if watched.quotes and watched.lines > rows + len(odd) + 1:
        _report_swallowed(path, separator, len(names), cleaning)


def _reader(
    file: _Watched, separator: str, columns: Sequence[str], leave_out: object
) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        pa.PythonFile(file, mode="r"),
        read_options=pacsv.ReadOptions(block_size=_BLOCK, use_threads=False),
        parse_options=pacsv.ParseOptions(
            delimiter=separator,
            newlines_in_values=True,
            invalid_row_handler=leave_out,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=list(columns),
            strings_can_be_null=False,
        ),
    )


def _report(
    path: Path,
    separator: str,
    width: int,
    odd: list[tuple[int, int]],
    rows: int,
    cleaning: Cleaning,
) -> None:
    number, found = odd[0]
    line = _line(path, separator, number - 2)
    fault, count = (
        f"{found} fields where the header names {width}",
        f"{len(odd)} of {rows + len(odd)} rows",
    )
    if len(odd) > rows:
        raise complain(path, line, f"{fault} ({count}); is another separator meant?")
    cleaning.report(path, line, fault, count, "they are left out")


def _report_swallowed(path: Path, separator: str, width: int, cleaning: Cleaning) -> None:
    """Tell of fields that hold whole rows, as a quotation mark too many makes them.

    Texts of several lines are none: their lines have not all as many separators as a row has.
    """
    found: list[tuple[int, int]] = []  # the line that a row begins on, and rows within a field
    for begin, row in _rows(path, separator, strict=False):
        for field in row:
            inner = field.split("\n")[1:-1]
            alike = sum(line.count(separator) == width - 1 for line in inner)
            if alike >= _SWALLOWED and alike > 0.9 * len(inner):
                found.append((begin, alike))
    if found:
        cleaning.report(
            path,
            found[0][0],
            "a quotation mark makes what looks like rows part of one field",
            f"{sum(count for _, count in found)} such lines",
            "they are no rows; is a quotation mark too many?",
        )


def _physical(row: int, skipped: Sequence[int]) -> int:
    """Return the place of a row among all of the file's, those left out too."""
    return row + int(np.searchsorted(np.array(skipped) - np.arange(len(skipped)), row, "right"))


def _rows(path: Path, separator: str, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows behind the header, each with the line that it begins on.

    Raises:
        csv.Error: if ``strict``, for quotation marks that stand where none may.
    """
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with (
            table_file(path).open() as file,
            io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text,
        ):
            reader, begin = csv.reader(text, delimiter=separator, strict=strict), 1
            for row in reader:
                if row and begin > 1:
                    yield begin, row
                begin = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _line(path: Path, separator: str, row: int) -> int:
    """Return the line on which a row begins; a table is read once more for it."""
    try:
        found = next(islice(_rows(path, separator), row, None), None)
    except csv.Error:
        found = None
    return row + 2 if found is None else found[0]


def _check_quotes(path: Path, separator: str) -> None:
    """Refuse a file in which a quotation mark is opened and never closed."""
    line = 1
    try:
        for begin, _ in _rows(path, separator):
            line = begin
    except csv.Error as error:
        if "unexpected end" in str(error):
            text = "a quotation mark that is opened behind this line is never closed"
            raise complain(path, line, text) from None


def _why(path: Path, separator: str, columns: Sequence[str], error: Exception) -> InputError:
    """Return what is wrong with a file that Arrow cannot read."""
    with table_file(path).open() as file:
        number = 0
        while raw := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                text = f"the line is longer than {LONGEST_LINE:,} bytes; shorten it"
                return complain(path, number, text)
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                return complain(path, number, f"the line is {foreign_text(raw)}")
    try:
        _check_quotes(path, separator)
    except InputError as unclosed:
        return unclosed
    return complain(path, None, f"cannot be parsed: {str(error).partition(chr(10))[0][:120]}")
