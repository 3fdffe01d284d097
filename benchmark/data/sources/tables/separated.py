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
from benchmark.data.sources.tables.packing import SEPARATORS, opened
from benchmark.data.sources.tables.table import Batches, Table
from benchmark.errors import InputError

__all__ = ["csv_table"]

_BLOCK = LONGEST_LINE
"""Bytes read at once; a row may reach over the end of one such block, and no further."""


class _Watched(io.RawIOBase):
    """Passes bytes on and counts the quotation marks among them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self.quotes += found.count(b'"')
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
    names = _header(path, separator)
    skipped: list[int] = []
    return Table(
        path=path,
        kind=f"text separated by {SEPARATORS.get(separator, repr(separator))}",
        names=names,
        read=lambda columns: _batches(path, separator, names, columns, skipped, cleaning),
        line=lambda row: _line(path, separator, _physical(row, skipped)),
        head=1,
    )


def _header(path: Path, separator: str) -> tuple[str, ...]:
    with opened(path) as file:
        raw = file.readline(LONGEST_LINE + 1)
    if len(raw) > LONGEST_LINE:
        raise complain(path, 1, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")
    if b"\r" in raw.rstrip(b"\r\n"):
        text = "the lines end by CR alone; save the file with line ends of LF or CRLF"
        raise complain(path, None, text)
    try:
        line = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise complain(path, 1, f"the line is {foreign_text(raw)}") from None
    try:
        (names,) = csv.reader([line.rstrip("\r\n")], delimiter=separator, strict=True)
    except (csv.Error, ValueError):
        raise complain(path, 1, "the first line does not name the columns") from None
    if not names:
        raise complain(path, 1, "the first line is blank; it must name the columns")
    return tuple(names)


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
    with opened(path) as file:
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


def _physical(row: int, skipped: Sequence[int]) -> int:
    """Return the place of a row among all of the file's, those left out too."""
    return row + int(np.searchsorted(np.array(skipped) - np.arange(len(skipped)), row, "right"))


def _rows(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows behind the header, each with the line that it begins on."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        with (
            opened(path) as file,
            io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text,
        ):
            reader, begin = csv.reader(text, delimiter=separator, strict=True), 1
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
    with opened(path) as file:
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
