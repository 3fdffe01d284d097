"""Tables whose fields a separator parts: columns by Arrow, block by block, in bounded memory.

A block in which anything is odd (a row of another width, a cell that is no number, a blank line,
letters that are not UTF-8) is read once more line by line, with the same outcome for its good rows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from benchmark.data.recognise import HEAD, recognise
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import LONGEST_LINE, complain, open_file
from benchmark.plain_text import plain

__all__ = ["Layout", "coded", "read_table"]

_BLOCK = 8 * 2**20
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_STANDS_FOR = b"\x1f"
"""Put in place of a separator of two characters, as Arrow takes one."""


@dataclass(frozen=True)
class Layout:
    """How a table is written.

    Attributes:
        fields: the type of each, in the order of the file: ``pa.string()``, a type of whole
            numbers or of fractions; ``None`` for what is not read.
        separator: between fields.
        header: whether the first line names the fields.
        quotes: whether a field may stand in quotation marks, doubled inside.
    """

    fields: Mapping[str, pa.DataType | None]
    separator: str
    header: bool = True
    quotes: bool = False

    @property
    def wanted(self) -> dict[str, pa.DataType]:
        """The fields that are read."""
        return {name: kind for name, kind in self.fields.items() if kind is not None}


@dataclass
class _Faults:
    """Rows that are no rows: how many, and the first."""

    count: int = 0
    line: int = 0
    text: str = ""

    def note(self, line: int, text: str) -> None:
        if not self.count:
            self.line, self.text = line, text
        self.count += 1


@dataclass
class _Reading:
    path: Path
    layout: Layout
    faults: _Faults = field(default_factory=_Faults)
    rows: int = 0


def read_table(path: Path, layout: Layout, cleaning: Cleaning) -> pa.Table:
    """Read a table; rows of another width or with a cell that is no number are left out.

    Text is UTF-8, and a cell that is not is latin-1. A blank line is no row.

    Args:
        path: the file.
        layout: how it is written.
        cleaning: is told what is left out.

    Returns:
        The fields that ``layout`` wants, and int64 ``line``, from 1.

    Raises:
        InputError: the file is missing, empty, unreadable or packed; its first line is another
            header; a line is too long or holds a NUL byte; not a single row is one.
    """
    state = _Reading(path, layout)
    with open_file(path) as file:
        _look(path, file.read(HEAD), layout)
    tables = [_block(state, first, data) for first, data in _blocks(path)]
    faults = state.faults
    if faults.count == state.rows:
        names = ", ".join(layout.fields)
        text = (
            f"{faults.text}; no line holds" if faults.count else "the file holds no rows; one has"
        )
        how = {"\t": "tabs", ",": "commas"}.get(layout.separator, f"'{layout.separator}'")
        raise complain(path, faults.line or None, f"{text} the fields {names}, separated by {how}")
    if faults.count:
        count = f"{faults.count} of {state.rows} rows"
        cleaning.report(path, faults.line, faults.text, count, "they are left out")
    return pa.concat_tables(tables)


def coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Return the codes of a column, ``[rows]``, and what they stand for as distinct texts."""
    encoded = pa.chunked_array(column.chunks, column.type).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, encoded.dictionary.cast(pa.string())


def _look(path: Path, head: bytes, layout: Layout) -> None:
    """Refuse what is no text, and a header of another table."""
    if not head:
        return
    if (what := recognise(head, "text")) is not None:
        raise complain(path, None, what)
    if not layout.header:
        return
    line = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].rstrip(b"\r").decode("latin-1")
    names = [cell.strip().strip('"') for cell in line.split(layout.separator)]
    if names != list(layout.fields):
        how = plain(layout.separator.join(layout.fields).replace("\t", "<tab>"), 120)
        raise complain(path, 1, f"the first line is no header of this table; it must be {how}")


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, about 8 MB at once, each time with the number of the first."""
    number, rest = 1, b""
    with open_file(path) as file:
        while chunk := file.read(_BLOCK):
            data = rest + (chunk if number > 1 or rest else chunk.removeprefix(b"\xef\xbb\xbf"))
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if end:
                yield number, _bounded(path, number, data[:end])
                number += data.count(b"\n")
            if len(rest) > LONGEST_LINE:
                _bounded(path, number, rest)
        if rest:
            yield number, _bounded(path, number, rest + b"\n")


def _bounded(path: Path, number: int, data: bytes) -> bytes:
    """Return ``data``, whose first line has ``number``, if no line is too long or holds a NUL."""
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
    lengths = np.diff(ends, prepend=-1) if len(ends) else np.array([len(data)])
    if lengths.max() > LONGEST_LINE:
        line = number + int(np.argmax(lengths > LONGEST_LINE))
        raise complain(path, line, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")
    if (place := data.find(b"\0")) >= 0:
        line = number + int(np.searchsorted(ends, place))
        raise complain(path, line, "the line holds a NUL byte; remove it")
    return data


def _block(state: _Reading, first: int, data: bytes) -> pa.Table:
    """Return the rows of a block; ``first`` is the number of its first line."""
    if first == 1 and state.layout.header:
        first, data = 2, data[data.index(b"\n") + 1 :]
    lines = data.count(b"\n")
    table = _at_once(data, state.layout, lines) if lines else None
    if table is None:
        return _line_by_line(state, first, data)
    state.rows += lines
    return table.append_column("line", pa.array(np.arange(first, first + lines)))


def _at_once(data: bytes, layout: Layout, lines: int) -> pa.Table | None:
    """Return the rows of ``data`` by Arrow, ``None`` where not every one of ``lines`` is a row."""
    separator = layout.separator.encode()
    if len(separator) > 1:
        if _STANDS_FOR in data:
            return None
        data, separator = data.replace(separator, _STANDS_FOR), _STANDS_FOR
    try:
        table = pacsv.read_csv(
            io.BytesIO(data),
            read_options=pacsv.ReadOptions(
                column_names=list(layout.fields), block_size=len(data) + 1, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=separator.decode(),
                quote_char='"' if layout.quotes else False,
                double_quote=layout.quotes,
                escape_char=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=layout.wanted,
                include_columns=list(layout.wanted),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != lines:
        return None
    fractions = [name for name, kind in layout.wanted.items() if pa.types.is_floating(kind)]
    finite = all(pc.all(pc.is_finite(table.column(name))).as_py() for name in fractions)
    return table if finite else None


def _line_by_line(state: _Reading, first: int, data: bytes) -> pa.Table:
    wanted, names = state.layout.wanted, list(state.layout.fields)
    columns: dict[str, list] = {name: [] for name in (*wanted, "line")}
    for line, text in enumerate(data.split(b"\n")[:-1], first):
        if not (text := text.removesuffix(b"\r")).strip():
            continue
        state.rows += 1
        cells = _cells(text, state.layout)
        if len(cells) != len(names):
            fault = f"{len(cells)} fields in place of {len(names)}"
            state.faults.note(line, fault if cells else "a quotation mark is not closed")
            continue
        row = {n: _value(c, wanted[n]) for n, c in zip(names, cells, strict=True) if n in wanted}
        bad = next((name for name, value in row.items() if value is None), None)
        if bad is not None:
            cell = plain(cells[names.index(bad)].decode("utf-8", "replace"), 40)
            state.faults.note(line, f"{bad} '{cell}' is not a number")
            continue
        for name, value in (row | {"line": line}).items():
            columns[name].append(value)
    kinds = [*wanted.items(), ("line", pa.int64())]
    return pa.table({name: pa.array(columns[name], type=kind) for name, kind in kinds})


def _cells(text: bytes, layout: Layout) -> list[bytes]:
    """Return the fields of a line; none where it ends inside quotation marks."""
    if not layout.quotes or b'"' not in text:
        return text.split(layout.separator.encode())
    try:
        line = [text.decode("latin-1")]
        cells = next(csv.reader(line, delimiter=layout.separator, strict=True))
    except csv.Error:
        return []
    return [cell.encode("latin-1") for cell in cells]


def _value(cell: bytes, kind: pa.DataType) -> str | int | float | None:
    """Return what a cell holds, ``None`` where it is no number of the kind that it should be."""
    try:
        text = cell.decode("utf-8")
    except UnicodeDecodeError:
        text = cell.decode("latin-1")
    if pa.types.is_string(kind):
        return text
    if pa.types.is_floating(kind):
        value = float(text) if _NUMBER.fullmatch(text) else np.inf
        return value if np.isfinite(value) else None
    if not _INTEGER.fullmatch(text):
        return None
    number, end = int(text), 2 ** (kind.bit_width - 1)
    return number if -end <= number < end else None
