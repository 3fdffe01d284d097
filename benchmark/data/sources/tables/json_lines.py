"""JSON lines in batches: by Arrow where the values of a field are of one type, else one by one.

Python's own reader, which manages about a third of Arrow's rows a second (80,000 of 230,000, all
that is done with them included), takes over for a block of lines in which a field is now a number
and now a text, or a list.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as paj

from benchmark.data.recognise import foreign_text
from benchmark.data.sources.diagnose import LONGEST_LINE, complain
from benchmark.data.sources.tables.packing import opened
from benchmark.data.sources.tables.table import Batches, Table

__all__ = ["field_names", "json_table"]

_BLOCK = 4 * 2**20
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def json_table(path: Path) -> Table:
    """Return the table of a file of JSON objects, one on each line."""
    return Table(
        path=path,
        kind="JSON lines",
        names=None,
        read=lambda columns: _batches(path, columns),
        line=lambda row: _line(path, row),
    )


def _batches(path: Path, columns: Sequence[str]) -> Batches:
    seen: set[str] = set()
    for number, block in _blocks(path):
        rows = _by_arrow(block, columns) or _one_by_one(path, number, block, columns)
        seen.update(name for name, column in rows.items() if column.null_count < len(column))
        yield rows
    for name in columns:
        if name not in seen:
            raise complain(path, None, f"no line has a field '{name}' with a value")


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, with the number of the first of them."""
    number, rest = 1, b""
    with opened(path) as file:
        while chunk := file.read(_BLOCK):
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            if len(rest) > LONGEST_LINE:
                line = number + whole.count(b"\n") + bool(end)
                text = f"the line is longer than {LONGEST_LINE:,} bytes; shorten it"
                raise complain(path, line, text)
            if whole.strip():
                yield number, whole
            number += whole.count(b"\n") + bool(end)
        if rest.strip():
            yield number, rest


def _by_arrow(block: bytes, columns: Sequence[str]) -> dict[str, pa.Array] | None:
    """Return the columns, ``None`` where a field's type is not that of the first line."""
    first = block.lstrip(b"\xef\xbb\xbf \r\n\t").partition(b"\n")[0]
    try:
        values = json.loads(first)
        kinds = {name: _TYPES.get(type(values.get(name)), pa.string()) for name in columns}
        table = paj.read_json(
            io.BytesIO(block.removeprefix(b"\xef\xbb\xbf")),
            read_options=paj.ReadOptions(use_threads=False, block_size=2 * _BLOCK),
            parse_options=paj.ParseOptions(
                explicit_schema=pa.schema(kinds), unexpected_field_behavior="ignore"
            ),
        )
    except (ValueError, AttributeError, RecursionError, pa.ArrowException):
        return None
    return {name: table.column(name).combine_chunks() for name in columns}


def _one_by_one(
    path: Path, number: int, block: bytes, columns: Sequence[str]
) -> dict[str, pa.Array]:
    found: dict[str, list[str | None]] = {name: [] for name in columns}
    for place, line in enumerate(block.split(b"\n"), number):
        if not line.strip():
            continue
        values = _object(path, place, line)
        for name in columns:
            value = values.get(name)
            if _has_object(value):
                text = f"field '{name}' holds an object; text or a number is wanted"
                raise complain(path, place, text)
            found[name].append(_text(value))
    return {name: pa.array(values, pa.large_string()) for name, values in found.items()}


def _object(path: Path, place: int, line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        text = f"the line is longer than {LONGEST_LINE:,} bytes; shorten it"
        raise complain(path, place, text)
    try:
        values = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise complain(path, place, f"the line is {foreign_text(line)}") from None
    except (ValueError, RecursionError):
        raise complain(path, place, "the line is no JSON, or is cut short") from None
    if not isinstance(values, dict):
        raise complain(path, place, "the line is no JSON object")
    return values


def _text(value: Any) -> str | None:
    """Return a value as :func:`benchmark.data.sources.tables.cells.as_text` would write it."""
    if value is None or value != value:  # noqa: PLR0124
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return str(int(value) if whole else value)
    if isinstance(value, list):
        return " ".join(_text(each) or "" for each in value)
    return str(value)


def _has_object(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_has_object, value)))


def _line(path: Path, row: int) -> int:
    seen = 0
    for number, block in _blocks(path):
        for place, line in enumerate(block.split(b"\n"), number):
            if line.strip():
                if seen == row:
                    return place
                seen += 1
    return row + 1


def field_names(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields of the first few thousand lines: those with values, those with objects.

    Raises:
        InputError: a line is no object.
    """
    nested: dict[str, bool] = {}
    for number, block in _blocks(path):
        for place, line in enumerate(block.split(b"\n")[:5_000], number):
            if line.strip():
                for name, value in _object(path, place, line).items():
                    nested[name] = nested.get(name, False) or _has_object(value)
        break
    values, objects = (tuple(n for n, each in nested.items() if each is of) for of in (False, True))
    return values, objects
