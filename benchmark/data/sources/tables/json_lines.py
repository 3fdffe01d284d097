"""JSON lines in batches: by Arrow where the values of a field are of one type, else one by one.

Python's own reader, which manages about a third of Arrow's rows a second (80,000 of 230,000, all
that is done with them included), takes over for a block of lines in which a field is now a number
and now a text, or a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.json_lines import at_once, parsed
from benchmark.data.sources.files.lines import Block, Lines, blocks
from benchmark.data.sources.tables.table import Batches, Table

__all__ = ["field_names", "json_table"]

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
    for block in blocks(path):
        if len(block.full):
            rows = _by_arrow(path, block, columns) or _one_by_one(path, block, columns)
            seen.update(name for name, column in rows.items() if column.null_count < len(column))
            yield rows
    for name in columns:
        if name not in seen:
            raise complain(path, None, f"no line has a field '{name}' with a value")


def _by_arrow(path: Path, block: Block, columns: Sequence[str]) -> dict[str, pa.Array] | None:
    """Return the columns, ``None`` where a field's type is not that of the first line."""
    number = int(block.full[0])
    first = parsed(Lines(path, refuse=True), number, block.line(number)) or {}
    kinds = {name: _TYPES.get(type(first.get(name)), pa.string()) for name in columns}
    table = at_once(block, pa.schema(kinds))
    if table is None:
        return None
    return {name: table.column(name).combine_chunks() for name in columns}


def _objects(path: Path, block: Block) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield numbers of lines, and their objects.

    Raises:
        InputError: a line that is not blank is none.
    """
    lines = Lines(path, refuse=True)
    for number, line in block.lines():
        if line.strip() and (values := parsed(lines, number, line)) is not None:
            yield number, values


def _one_by_one(path: Path, block: Block, columns: Sequence[str]) -> dict[str, pa.Array]:
    found: dict[str, list[str | None]] = {name: [] for name in columns}
    for number, values in _objects(path, block):
        for name in columns:
            value = values.get(name)
            if _has_object(value):
                text = f"field '{name}' holds an object; text or a number is wanted"
                raise complain(path, number, text)
            found[name].append(_text(value))
    return {name: pa.array(values, pa.large_string()) for name, values in found.items()}


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
    """Return the line of a row; a file is read once more for it."""
    for block in blocks(path):
        if row < len(block.full):
            return int(block.full[row])
        row -= len(block.full)
    return row + 1


def field_names(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields of the first few thousand lines: those with values, those with objects.

    Raises:
        InputError: a line is no object.
    """
    nested: dict[str, bool] = {}
    for block in islice(blocks(path), 1):
        for _, fields in islice(_objects(path, block), 5_000):
            for name, value in fields.items():
                nested[name] = nested.get(name, False) or _has_object(value)
    values, objects = (tuple(n for n, each in nested.items() if each is of) for of in (False, True))
    return values, objects
