"""Files of JSON lines, a record each, parsed by pyarrow in blocks of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson
from numpy.typing import NDArray

from benchmark.data.recognise import HEAD, foreign_text, recognise
from benchmark.data.sources.diagnose import LONGEST_LINE, complain, reading
from benchmark.errors import InputError, did_you_mean
from benchmark.files import open_regular
from benchmark.plain_text import plain

__all__ = ["Kind", "Records", "json_records"]

Kind = Literal["integer", "text", "integers"]
_ARROW = {"integer": pa.int64(), "text": pa.string(), "integers": pa.list_(pa.int64())}
_BLOCK = 16 * 2**20
_BRACKETS = 10_000
"""Opening brackets in a line; records have dozens, and pyarrow's parser descends into each."""


@dataclass(frozen=True)
class Records:
    """Some records of a file.

    Attributes:
        table: the fields that were asked for, null where a record has none.
        line: int64 ``[records]``, from 1.
    """

    table: pa.Table
    line: NDArray[np.int64]


def json_records(path: Path, fields: Mapping[str, Kind]) -> Iterator[Records]:
    """Yield the records of a file, block by block; blank lines are none.

    Args:
        path: the file.
        fields: those to read, which the first record must have.

    Raises:
        InputError: the file cannot be read or is empty, a line is too long or no JSON, or a field
            is of another type.
    """
    line, left = 1, b""
    with reading(path), open_regular(path) as file:
        _check_head(path, file.read(HEAD), fields)
        file.seek(0)
        while chunk := file.read(_BLOCK):
            whole, newline, rest = chunk.rpartition(b"\n")
            if not newline:
                left += chunk
                if len(left) > LONGEST_LINE:
                    raise _too_long(path, line)
                continue
            block = (left + whole).removeprefix(b"\xef\xbb\xbf" if line == 1 else b"")
            left = rest
            yield from _records(path, block, line, fields)
            line += block.count(b"\n") + 1
        if left:
            yield from _records(
                path, left.removeprefix(b"\xef\xbb\xbf" if line == 1 else b""), line, fields
            )


def _check_head(path: Path, head: bytes, fields: Mapping[str, Kind]) -> None:
    """Check that a file begins like JSON lines, and that its first record has the fields."""
    if not head.strip():
        raise complain(path, None, "the file is empty; it must hold a JSON record on each line")
    what = recognise(head, "JSON lines")
    if what is not None and not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        raise complain(path, None, what)
    first, newline, _ = head.lstrip(b"\xef\xbb\xbf\r\n").partition(b"\n")
    if newline:
        record = _record(path, 1, first)
        for name in fields:
            if name not in record:
                raise complain(path, 1, f"field '{name}' is missing{did_you_mean(name, record)}")


def _records(path: Path, block: bytes, line: int, fields: Mapping[str, Kind]) -> Iterator[Records]:
    """Yield the records of whole lines, the first of which has the number ``line``."""
    data = np.frombuffer(block, dtype=np.uint8)
    ends = np.append(np.flatnonzero(data == 10), len(data))
    begins = np.append(0, ends[:-1] + 1)
    if len(long := np.flatnonzero(ends - begins > LONGEST_LINE)):
        raise _too_long(path, line + int(long[0]))
    opening = np.concatenate([[0], np.cumsum((data == 91) | (data == 123))])
    if len(deep := np.flatnonzero(opening[ends] - opening[begins] > _BRACKETS)):
        text = f"more than {_BRACKETS:,} brackets; no record of this table has so many"
        raise complain(path, line + int(deep[0]), text)
    blank = np.array([not block[b:e].strip() for b, e in _short(begins, ends)], dtype=np.bool_)
    full = np.ones(len(begins), dtype=np.bool_)
    full[ends - begins <= 1] = ~blank
    if not full.any():
        return
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in fields.items()])
    try:
        table = pajson.read_json(
            pa.BufferReader(block),
            read_options=pajson.ReadOptions(block_size=2 * LONGEST_LINE),
            parse_options=pajson.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="ignore"
            ),
        )
        table.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        raise _fault(path, block, line, fields, str(error)) from None
    if len(table) != int(full.sum()):
        raise _fault(path, block, line, fields, "a line must hold one record")
    yield Records(table.select(list(fields)), line + np.flatnonzero(full))


def _short(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    rows = np.flatnonzero(ends - begins <= 1)
    return zip(begins[rows].tolist(), ends[rows].tolist(), strict=True)


def _too_long(path: Path, line: int) -> InputError:
    return complain(path, line, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")


def _fault(
    path: Path, block: bytes, line: int, fields: Mapping[str, Kind], reason: str
) -> InputError:
    """Return what is wrong with the first line of a block that is wrong."""
    for number, raw in enumerate(block.split(b"\n"), line):
        if not raw.strip():
            continue
        try:
            record = _record(path, number, raw)
        except InputError as error:
            return error
        for name, kind in fields.items():
            if not _is(record.get(name), kind):
                wanted = {"integer": "an integer", "text": "text", "integers": "a list of integers"}
                value = plain(json.dumps(record[name], ensure_ascii=False), 40)
                return complain(path, number, f"{name} must be {wanted[kind]}, not {value}")
    return complain(path, line, f"cannot be parsed from here on: {plain(reason, 120)}")


def _record(path: Path, line: int, raw: bytes) -> dict[str, object]:
    """Return the record of a line.

    Raises:
        InputError: it is none.
    """
    try:
        record = json.loads(raw)
    except UnicodeDecodeError as error:
        raise complain(path, line, f"byte {error.start + 1} is {foreign_text(raw)}") from None
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deeply")
        column = getattr(error, "colno", 1)
        raise complain(path, line, f"is no JSON ({reason} at letter {column})") from None
    if not isinstance(record, dict):
        raise complain(path, line, "is JSON, but no record in braces")
    return record


def _is(value: object, kind: Kind) -> bool:
    if value is None:
        return True
    if kind == "text":
        return isinstance(value, str)
    if kind == "integers":
        return isinstance(value, list) and all(map(_is_integer, value))
    return _is_integer(value)


def _is_integer(value: object) -> bool:
    return value is None or (
        isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    )
