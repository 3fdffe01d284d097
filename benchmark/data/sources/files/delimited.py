"""Tables whose fields a separator parts: columns by Arrow, block by block, in bounded memory.

A block in which anything is odd (a row of another width, a cell that is no number, a blank line,
letters that are not UTF-8) is read once more line by line, with the same outcome for its good rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from benchmark.data.recognise import HEAD, foreign_text, recognise, separator
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import LONGEST_LINE, complain
from benchmark.data.sources.files.lines import Block, Lines, blocks
from benchmark.data.sources.files.table_file import TableFile
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain, plain_list

__all__ = ["CODED", "SEPARATORS", "Layout", "csv_layout", "delimited", "header", "read_table"]

CODED = pa.dictionary(pa.int32(), pa.string())
"""Text of which few are distinct."""
_MISSING = ("", "nan", "NaN", "NA", "null", "NULL", "None")
"""Cells of numbers that hold none, as pandas writes them."""
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "pipes"}
"""What may stand between fields, in words."""
_INTEGER = re.compile(r"[ \t]*[+-]?[0-9]{1,19}[ \t]*")
_NUMBER = re.compile(r"[ \t]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
_STANDS_FOR = b"\x1f"
"""Put in place of a separator of two characters, as Arrow takes one."""


@dataclass(frozen=True)
class Layout:
    """How a table is written.

    Attributes:
        fields: the type of each, in the order of the file: ``pa.string()``, ``CODED``, a type of
            whole numbers or of fractions; ``None`` for what is not read.
        separator: between fields.
        header: whether the first line names the fields; ``None`` where it may.
        quotes: whether a field may stand in quotation marks, doubled inside.
        missing: cells of numbers that hold none; these are null.
        latin_1: whether a cell that is not UTF-8 is latin-1; else its line is at fault.
    """

    fields: Mapping[str, pa.DataType | None]
    separator: str
    header: bool | None = True
    quotes: bool = False
    missing: tuple[str, ...] = ()
    latin_1: bool = True

    @property
    def wanted(self) -> dict[str, pa.DataType]:
        """The fields that are read."""
        return {name: kind for name, kind in self.fields.items() if kind is not None}

    @property
    def between(self) -> str:
        """The separator in words."""
        return SEPARATORS.get(self.separator, f"'{self.separator}'")


def delimited(lines: Lines, layout: Layout) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Yield the numbers of lines, and their fields as columns, some thousand rows at a time.

    A blank line is no row. Rows of another width, or with a cell that is not of its type, are left
    out, or refused where ``lines`` says so.

    Args:
        lines: the file; is told of the lines that are left out.
        layout: how it is written.

    Raises:
        InputError: the file is missing, unreadable or no text; its first line is another header; a
            line is too long or holds a NUL byte.
    """
    lines.wanted = f"the fields {plain_list(layout.fields, 8)}, separated by {layout.between}"
    for each in blocks(lines.source):
        block = _body(lines.path, each, layout) if each.first == 1 else each
        numbers = block.full
        if not len(numbers):
            continue
        table = _at_once(block, layout) if len(numbers) == len(block) else None
        if table is not None:
            lines.total += len(block)
            yield numbers, table
        else:
            yield _line_by_line(lines, block, layout)


def read_table(path: Path, layout: Layout, cleaning: Cleaning) -> pa.Table:
    """Read a whole table.

    Args:
        path: the file.
        layout: how it is written.
        cleaning: is told what is left out.

    Returns:
        The fields that ``layout`` wants, and int64 ``line``, from 1.

    Raises:
        InputError: see :func:`delimited`; or not a single row is one.
    """
    lines = Lines(path)
    read = delimited(lines, layout)
    tables = [table.append_column("line", pa.array(numbers)) for numbers, table in read]
    lines.tell(cleaning)
    return pa.concat_tables(tables)


def header(file: TableFile, between: str, wanted: str) -> tuple[str, ...]:
    """Return the fields that the first line of a table names.

    Args:
        file: the table.
        between: what separates them; they may stand in quotation marks.
        wanted: what the file should be, as in ``"text with fields separated by tabs"``.

    Raises:
        InputError: the file is empty or no text, or the line is too long or no such line.
    """
    path = file.path
    with file.open() as stream:
        raw = stream.readline(LONGEST_LINE + 2)
    if not raw:
        raise complain(path, None, "the file is empty; its first line must name the fields")
    if (what := recognise(raw[:HEAD], wanted)) is not None:
        raise complain(path, None, what)
    if len(raw) > LONGEST_LINE:
        raise complain(path, 1, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")
    if b"\r" in raw.rstrip(b"\r\n"):
        text = "the lines end by CR alone; save the file with line ends of LF or CRLF"
        raise complain(path, None, text)
    try:
        line = raw.decode("utf-8-sig").rstrip("\r\n")
        names = tuple(next(csv.reader([line], delimiter=between, strict=True), ()))
    except UnicodeDecodeError as error:
        raise complain(path, 1, f"byte {error.start + 1} is {foreign_text(raw)}") from None
    except csv.Error as error:
        raise complain(path, 1, f"the first line does not name the fields: {error}") from None
    if not names:
        raise complain(path, 1, "the first line is blank; it must name the columns")
    return names


def _need(path: Path, names: tuple[str, ...], needed: tuple[str, ...], between: str) -> None:
    """Check that a header names some fields, and none twice.

    Raises:
        InputError: one is missing, perhaps as something else separates them, or is named twice.
    """
    for name in needed:
        if name not in names:
            line, words = between.join(names), SEPARATORS[between]
            other = separator(line, words, lambda cells: bool({*cells} & {*needed}))
            text = f"field {name} is missing{did_you_mean(name, names)}"
            raise complain(path, 1, other or text)
    for name in names:
        if names.count(name) > 1:
            text = f"field {plain(name, 40)} is named twice; remove or rename one"
            raise complain(path, 1, text)


def csv_layout(file: TableFile, kinds: Mapping[str, pa.DataType]) -> Layout:
    """Return the layout of a table by commas whose header names at least the columns of ``kinds``.

    Raises:
        InputError: there is no such header.
    """
    names = header(file, ",", "text with fields separated by commas")
    _need(file.path, names, tuple(kinds), ",")
    fields = {name: kinds.get(name) for name in names}
    return Layout(fields, ",", quotes=True, missing=_MISSING, latin_1=False)


def _body(path: Path, block: Block, layout: Layout) -> Block:
    """Return the first block of a file without the header.

    Raises:
        InputError: it is no text, or has the header of another table.
    """
    if (what := recognise(block.data[:HEAD], "text")) is not None:
        raise complain(path, None, what)
    if layout.header is False:
        return block
    line = block.line(1).decode("latin-1")
    names = [cell.strip().strip('"') for cell in line.split(layout.separator)]
    if names == list(layout.fields):
        return block.after(1)
    if layout.header:
        how = plain(layout.separator.join(layout.fields).replace("\t", "<tab>"), 120)
        raise complain(path, 1, f"the first line is no header of this table; it must be {how}")
    return block


def _at_once(block: Block, layout: Layout) -> pa.Table | None:
    """Return the rows of a block by Arrow, ``None`` where not every line is one."""
    data, between = block.data, layout.separator.encode()
    if data.count(b"\r") != data.count(b"\r\n"):
        return None  # Arrow would end a row there
    if layout.quotes and not _in_order(block, between):
        return None
    whole = any(pa.types.is_integer(kind) for kind in layout.wanted.values())
    if whole and (b"0x" in data or b"0X" in data):
        return None  # Arrow would take a hexadecimal number
    if len(between) > 1:
        if _STANDS_FOR in data:
            return None
        data, between = data.replace(between, _STANDS_FOR), _STANDS_FOR
    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            read_options=pacsv.ReadOptions(
                column_names=list(layout.fields), block_size=len(data) + 1, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=between.decode(),
                quote_char='"' if layout.quotes else False,
                double_quote=layout.quotes,
                escape_char=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=layout.wanted,
                include_columns=list(layout.wanted),
                null_values=list(layout.missing),
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(block):
        return None
    fractions = [name for name, kind in layout.wanted.items() if pa.types.is_floating(kind)]
    finite = all(pc.all(pc.is_finite(table.column(n)), min_count=0).as_py() for n in fractions)
    return table if finite else None


def _in_order(block: Block, between: bytes) -> bool:
    """Return whether quotation marks stand around whole fields, doubled inside, line by line.

    Arrow takes line ends between them, and text behind the second one.
    """
    data = np.frombuffer(b"\n" + block.data, dtype=np.uint8)
    marks = np.flatnonzero(data == ord('"'))
    if (np.searchsorted(marks, block.ends + 1) % 2).any():
        return False
    opens, closes = marks[::2], marks[1::2]
    doubled = closes[:-1] + 1 == opens[1:]
    begins = np.isin(data[opens - 1], list(b"\n" + between))
    begins[1:] |= doubled
    ends = np.isin(data[closes + 1], list(b"\r\n" + between))
    ends[:-1] |= doubled
    return bool(begins.all() and ends.all())


def _line_by_line(lines: Lines, block: Block, layout: Layout) -> tuple[NDArray[np.int64], pa.Table]:
    wanted = layout.wanted
    numbers: list[int] = []
    columns: dict[str, list] = {name: [] for name in wanted}
    for number, line in block.lines():
        if not line:
            continue
        lines.total += 1
        row = _row(lines, number, line, layout)
        if row is not None:
            numbers.append(number)
            for name, value in row.items():
                columns[name].append(value)
    arrays = {
        name: pa.array(columns[name], pa.string()).dictionary_encode().cast(kind)
        if kind == CODED
        else pa.array(columns[name], kind)
        for name, kind in wanted.items()
    }
    return np.array(numbers, dtype=np.int64), pa.table(arrays)


def _row(lines: Lines, number: int, line: bytes, layout: Layout) -> dict | None:
    """Return what a line holds; where it is no row it is left out, and ``None``."""
    names = list(layout.fields)
    row: dict[str, str | int | float | None] = {}
    if not layout.latin_1 and lines.decoded(number, line) is None:
        return None
    cells = _cells(line, layout)
    if cells is None:
        lines.leave_out(number, "a quotation mark is not closed, or is one that is not doubled")
        return None
    if len(cells) != len(names):
        lines.leave_out(number, _other_width(line, cells, layout))
        return None
    for name, cell in zip(names, cells, strict=True):
        kind = layout.fields[name]
        if kind is None:
            continue
        text = _text(cell)
        if kind in (pa.string(), CODED):
            row[name] = text
            continue
        missing = text.strip() in layout.missing
        row[name] = None if missing else _number(text, kind)
        if row[name] is None and not missing:
            whole = f"a whole number of {kind.bit_width} bits"
            what = "a number" if pa.types.is_floating(kind) else whole
            lines.leave_out(number, f"{name} '{plain(text, 40)}' is not {what}")
            return None
    return row


def _other_width(line: bytes, cells: list[bytes], layout: Layout) -> str:
    width = len(layout.fields)
    other = separator(_text(line), layout.between, lambda parts: len(parts) == width)
    return other or f"{len(cells)} fields in place of {width}, separated by {layout.between}"


def _cells(line: bytes, layout: Layout) -> list[bytes] | None:
    """Return the fields of a line; ``None`` where it breaks the rules of quotation marks."""
    if not layout.quotes or b'"' not in line:
        return line.split(layout.separator.encode())
    try:
        cells = next(csv.reader([line.decode("latin-1")], delimiter=layout.separator, strict=True))
    except csv.Error:
        return None
    return [cell.encode("latin-1") for cell in cells]


def _text(cell: bytes) -> str:
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        return cell.decode("latin-1")


def _number(text: str, kind: pa.DataType) -> int | float | None:
    """Return the number of a cell, ``None`` where it is none of the kind that it should be."""
    if pa.types.is_floating(kind):
        value = float(text) if _NUMBER.fullmatch(text) else np.inf
        return value if abs(value) <= np.finfo(kind.to_pandas_dtype()).max else None
    if not _INTEGER.fullmatch(text):
        return None
    number, end = int(text), 2 ** (kind.bit_width - 1)
    return number if -end <= number < end else None
