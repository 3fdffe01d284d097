"""JSON lines as columns: by Arrow, block by block; where a line is odd, line by line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson
from numpy.typing import NDArray

from benchmark.data.recognise import HEAD, recognise
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.kinds import one_of
from benchmark.data.sources.files.lines import Block, Lines, blocks
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = ["at_once", "json_tables", "parsed"]


def json_tables(
    lines: Lines, schema: pa.Schema, exact: bool = False
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Yield the numbers of lines, and fields of their objects, as columns.

    A field that an object has not is null; blank lines are none. Whatever is no object is left
    out, or refused where ``lines`` says so.

    Args:
        lines: the file; is told of the lines that are left out.
        schema: the fields; ``string``, ``int64``, ``float64`` or lists of ``int64``.
        exact: whether the first object must have every field, and a value of another type is a
            fault of its line; else that value is null.

    Raises:
        InputError: the file cannot be read or is something else.
    """
    lines.wanted = "a JSON object"
    for block in blocks(lines.source):
        if block.first == 1:
            _check_head(lines, block, schema if exact else None)
        if not len(numbers := block.full):
            continue
        table = at_once(block, schema)
        if table is not None:
            lines.total += len(numbers)
            yield numbers, table
        else:
            yield _line_by_line(lines, block, schema, exact)
    if not lines.total:
        raise lines.without_rows()


def at_once(block: Block, schema: pa.Schema) -> pa.Table | None:
    """Return a block's objects by Arrow, ``None`` where a line is none or of other types."""
    if not _in_braces(block):
        return None
    try:
        table = pajson.read_json(
            pa.BufferReader(block.data),
            read_options=pajson.ReadOptions(block_size=len(block.data) + 1, use_threads=False),
            parse_options=pajson.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        ).select(schema.names)
        table.validate(full=True)  # Arrow takes bytes for UTF-8 that are none
    except (pa.ArrowException, ValueError):
        return None
    return table if table.num_rows == len(block.full) else None


def _in_braces(block: Block) -> bool:
    """Return whether each line that holds anything begins and ends as an object does.

    Arrow sees no lines: two objects on one and an object over two would make up for each other.
    Where all lines are so, each holds one at least, so that as many objects as lines are one each.
    """
    data = np.frombuffer(block.data, dtype=np.uint8)
    places = block.full - block.first
    begins, ends = block.ends[places - 1] + 1, block.ends[places] - 1
    begins[places == 0] = 0
    ends -= data[ends] == ord("\r")
    return bool((data[begins] == ord("{")).all() and (data[ends] == ord("}")).all())


def parsed(lines: Lines, number: int, line: bytes) -> dict[str, Any] | None:
    """Return the object of a line; where there is none it is left out, and ``None``."""
    text = lines.decoded(number, line)
    if text is None:
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply, or a number is too large"
        if isinstance(error, json.JSONDecodeError):
            reason = f"{error.msg} at letter {error.colno}"
        lines.leave_out(number, f"the line is no JSON object ({reason})")
        return None
    if not isinstance(record, dict):
        lines.leave_out(number, "the line is no JSON object, but another value")
        return None
    return record


def _check_head(lines: Lines, block: Block, schema: pa.Schema | None) -> None:
    """Check that a file begins like JSON lines, and with an object that has the fields."""
    what = recognise(block.data[:HEAD], "JSON lines")
    if what is not None and not block.data.lstrip().startswith(b"{"):
        raise complain(lines.path, None, what)
    number = next((n for n in block.full.tolist() if block.line(n).strip()), None)
    if schema is None or number is None:
        return
    record = parsed(Lines(lines.source, refuse=True), number, block.line(number))
    assert record is not None
    for name in schema.names:
        if name not in record:
            text = f"field '{name}' is missing{did_you_mean(name, record)}"
            raise complain(lines.path, number, text)


def _line_by_line(
    lines: Lines, block: Block, schema: pa.Schema, exact: bool
) -> tuple[NDArray[np.int64], pa.Table]:
    numbers: list[int] = []
    rows: list[dict[str, Any]] = []
    for number, line in block.lines():
        if not line.strip():
            continue
        lines.total += 1
        record = parsed(lines, number, line)
        if record is None:
            continue
        row = {f.name: _value(record.get(f.name), f.type) for f in schema}
        odd = [name for name in row if row[name] is None and record.get(name) is not None]
        if exact and odd:
            value = plain(json.dumps(record[odd[0]], ensure_ascii=False), 40)
            wanted = one_of(schema.field(odd[0]).type)
            lines.leave_out(number, f"{odd[0]} must be {wanted}, not {value}")
            continue
        numbers.append(number)
        rows.append(row)
    return np.array(numbers, dtype=np.int64), pa.Table.from_pylist(rows, schema)


def _value(value: Any, kind: pa.DataType) -> Any:
    """Return a value, ``None`` where it is not of the kind that it should be."""
    if pa.types.is_string(kind):
        if not isinstance(value, str):
            return None
        return value.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no UTF-8
    if pa.types.is_list(kind):
        if not isinstance(value, list):
            return None
        found = [_value(each, kind.value_type) for each in value]
        odd = any(a is None and b is not None for a, b in zip(found, value, strict=True))
        return None if odd else found
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if pa.types.is_floating(kind):
        number = float(value) if abs(value) < 2**1023 else math.inf
        return number if math.isfinite(number) else None
    whole = isinstance(value, int) or (math.isfinite(value) and value.is_integer())
    return int(value) if whole and -(2**63) <= value < 2**63 else None
