"""JSON lines as columns: by Arrow, block by block; where a line is odd, line by line."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson
from numpy.typing import NDArray

from benchmark.data.sources.files.line_blocks import Block, Lines, blocks

__all__ = ["json_tables", "parsed"]


def json_tables(lines: Lines, schema: pa.Schema) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Yield the numbers of lines, and fields of their objects, as columns.

    What is missing or of another type is null. Whatever is no object is left out.

    Args:
        lines: the file; is told of the lines that are left out.
        schema: the fields; ``string``, ``int64`` or ``float64``.

    Raises:
        InputError: the file cannot be read.
    """
    for block in blocks(lines.path):
        lines.total += len(block)
        table = _at_once(block, schema)
        if table is not None:
            yield block.numbers, table
            continue
        numbers: list[int] = []
        rows: list[dict[str, Any]] = []
        for number, line in block.lines():
            record = parsed(lines, number, line)
            if record is not None:
                numbers.append(number)
                rows.append({f.name: _value(record.get(f.name), f.type) for f in schema})
        yield np.array(numbers, dtype=np.int64), pa.Table.from_pylist(rows, schema)


def parsed(lines: Lines, number: int, line: bytes) -> dict[str, Any] | None:
    """Return the object of a line; where there is none it is left out, and ``None``."""
    text = lines.decoded(number, line)
    if text is None:
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested or too large"
        lines.leave_out(number, f"the line is no JSON object ({reason})")
        return None
    if not isinstance(record, dict):
        lines.leave_out(number, "the line is no JSON object")
        return None
    return record


def _at_once(block: Block, schema: pa.Schema) -> pa.Table | None:
    """Return a block's rows by Arrow, ``None`` where not every line is a well-formed one."""
    try:
        table = pajson.read_json(
            io.BytesIO(block.data),
            read_options=pajson.ReadOptions(block_size=len(block.data) + 1, use_threads=False),
            parse_options=pajson.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table.select(schema.names) if table.num_rows == len(block) else None


def _value(value: Any, kind: pa.DataType) -> str | int | float | None:
    if pa.types.is_string(kind):
        if not isinstance(value, str):
            return None
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if pa.types.is_floating(kind):
        number = float(value) if abs(value) < 2**1023 else math.inf
        return number if math.isfinite(number) else None
    whole = isinstance(value, int) or (math.isfinite(value) and value.is_integer())
    return int(value) if whole and -(2**63) <= value < 2**63 else None
