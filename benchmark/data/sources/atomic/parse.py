"""Columns of an atomic file in one pass by pyarrow; a file of another shape is repaired first.

The good path never visits rows in Python.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from benchmark.data.sources.atomic.header import Field
from benchmark.data.sources.atomic.repair import Repaired, repair
from benchmark.data.sources.checksum import Scan
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain, line_of_row, open_file, reading

__all__ = ["Rows", "parse"]

_BLOCK = 8 * 2**20
_TEXT = pa.string()
_CODED = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Rows:
    """The columns that were asked for, in file order.

    Attributes:
        path: the file.
        table: columns of text, of codes, and of numbers; a column of numbers is text where a cell
            of it is missing, not finite or no number.
        repaired: how the file was brought into shape, ``None`` where it had it.
        width: fields that the header names.
    """

    path: Path
    table: pa.Table
    repaired: Repaired | None
    width: int

    def line(self, row: int) -> int:
        """Return the line (from 1) that ``row`` comes from."""
        if self.repaired is None:
            return line_of_row(self.path, row)
        return int(self.repaired.line[row])

    def has_other_width(self, row: int) -> bool:
        """Return whether ``row`` had more or fewer fields than the header names."""
        return self.repaired is not None and self.repaired.fields[row] != self.width


def parse(
    path: Path,
    fields: tuple[Field, ...],
    wanted: Mapping[str, pa.DataType | None],
    cleaning: Cleaning,
    look: Callable[[Path], Scan],
) -> Rows:
    """Read columns of a file.

    Args:
        path: the file.
        fields: all that its header names.
        wanted: the columns to read: ``pa.int64()`` or ``pa.float64()`` for one of numbers, else
            text; coded text where it is ``None``.
        cleaning: is told what is mended.
        look: looks at the bytes of the file, or knows already what they are.

    Raises:
        InputError: anything wrong with the lines of the file.
    """
    looked = look(path)
    kinds = {name: _CODED if kind is None else kind for name, kind in wanted.items()}
    if not _has_rows(path):
        empty = {name: pa.array([], type=kind) for name, kind in kinds.items()}
        return Rows(path, pa.table(empty), None, len(fields))
    readings = _readings(kinds, looked.hexadecimal)
    repaired = None
    with reading(path):
        table = None if looked.suspicious else _table(path, fields, readings)
    if table is None:
        repaired = repair(path, len(fields), cleaning)
        table = _table(io.BytesIO(repaired.data), fields, readings)
    if table is None:
        raise complain(path, None, "cannot be parsed; its lines are no table")
    if looked.quotes and not (repaired is not None and repaired.unquoted):
        table = _without_quotes(table)
    return Rows(path, table, repaired, len(fields))


def _readings(
    kinds: Mapping[str, pa.DataType], hexadecimal: bool
) -> Sequence[Mapping[str, pa.DataType]]:
    """Return what columns can be read as, numbers as narrow as they were asked for first."""
    numbers = [name for name, kind in kinds.items() if pa.types.is_primitive(kind)]
    if not numbers:
        return [kinds]
    wider = [{**kinds, **dict.fromkeys(numbers, each)} for each in (pa.float64(), _TEXT)]
    # For a whole number pyarrow takes 0x10 too, which pandas, and so RecBole, takes for none.
    return wider[1:] if hexadecimal else [kinds, *wider]


def _table(
    source: Path | io.BytesIO,
    fields: tuple[Field, ...],
    readings: Sequence[Mapping[str, pa.DataType]],
) -> pa.Table | None:
    """Return the columns by the first reading that holds them, ``None`` where rows are ragged."""
    for types in readings:
        if isinstance(source, io.BytesIO):
            source.seek(0)
        try:
            table = _parse(source, fields, types)
        except pa.ArrowInvalid:
            continue
        numbers = [name for name, kind in types.items() if pa.types.is_primitive(kind)]
        if all(_is_whole(table.column(name)) for name in numbers):
            return table.unify_dictionaries()
    return None


def _is_whole(column: pa.ChunkedArray) -> bool:
    """Return whether every cell of a column of numbers is a finite one."""
    return column.null_count == 0 and pc.all(pc.is_finite(column), min_count=0).as_py()


def _parse(
    source: Path | io.BytesIO, fields: tuple[Field, ...], types: Mapping[str, pa.DataType]
) -> pa.Table:
    return pacsv.open_csv(
        source,
        read_options=pacsv.ReadOptions(
            column_names=[f.name for f in fields], skip_rows=1, block_size=_BLOCK, use_threads=False
        ),
        parse_options=pacsv.ParseOptions(
            delimiter="\t",
            quote_char=False,
            double_quote=False,
            escape_char=False,
            newlines_in_values=False,
            ignore_empty_lines=not isinstance(source, io.BytesIO),  # there each is a row
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            null_values=[""],
            strings_can_be_null=False,
        ),
    ).read_all()


def _has_rows(path: Path) -> bool:
    with open_file(path) as file:
        head = file.readline().rstrip(b"\r\n")
        if b"\r" in head:
            return True
        while line := file.readline():
            if line.strip(b"\r\n"):
                return True
    return False


def _without_quotes(table: pa.Table) -> pa.Table:
    """Take off the quotation marks of cells that stand in them from end to end."""
    for place, name in enumerate(table.column_names):
        column = table.column(name)
        coded = pa.types.is_dictionary(column.type)
        if not coded and not pa.types.is_string(column.type):
            continue
        text = column.cast(_TEXT) if coded else column
        marked = pc.and_(pc.starts_with(text, '"'), pc.ends_with(text, '"'))
        inner = pc.replace_substring(pc.utf8_slice_codeunits(text, 1, -1), '""', "\0")
        proper = pc.and_(
            pc.and_(marked, pc.greater(pc.utf8_length(text), 1)),
            pc.invert(pc.match_substring(inner, '"')),
        )
        text = pc.if_else(proper, pc.replace_substring(inner, "\0", '"'), text)
        table = table.set_column(place, name, text.dictionary_encode() if coded else text)
    return table
