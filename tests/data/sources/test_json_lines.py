"""JSON lines: whatever stands in the lines, rows are those of a reader that knows no Arrow."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.files import lines as blocks
from benchmark.data.sources.files.json_lines import json_tables
from benchmark.data.sources.files.lines import Lines
from benchmark.errors import InputError

SCHEMA = pa.schema({"id": pa.int64(), "text": pa.string(), "all": pa.list_(pa.int64())})
KINDS = {"id": int, "text": str, "all": list}
VALUES = st.one_of(
    st.none(),
    st.integers(-9, 9),
    st.text("aä漢", max_size=3),
    st.lists(st.integers(0, 9)),
)
RECORDS = st.fixed_dictionaries({}, optional=dict.fromkeys((*KINDS, "another"), VALUES)).map(
    lambda record: json.dumps(record, ensure_ascii=False).encode()
)
ODD = (b"", b"  ", b"[1]", b"{", b'{"text": "\xff"}', b'{"all": [1,', b"2]}")
BREAKS = st.sampled_from([b"\n"] * 6 + [b"\r\n", b" \n", b"\r", b" ", b""])
PIECES = st.lists(st.tuples(BREAKS, RECORDS | st.sampled_from(ODD)), min_size=1, max_size=9)


def _is(value: Any, name: str) -> bool:
    return value is None or type(value) is KINDS[name]


def _expected(written: list[bytes], exact: bool) -> list[dict[str, Any]]:
    """Return the rows that are left, each with its line."""
    rows = []
    for number, line in enumerate(written, 1):
        try:
            record = json.loads(line.decode())
        except ValueError:
            continue
        if isinstance(record, dict):
            values = {name: record.get(name) for name in KINDS}
            if not exact or all(_is(values[name], name) for name in KINDS):
                row = {name: v if _is(v, name) else None for name, v in values.items()}
                rows.append({"line": number, **row})
    return rows


@given(PIECES, st.booleans(), st.booleans(), st.integers(1, 200))
@example([(b"\n", b'{"id": 1}'), (b"", b'{"id": 2}'), (b"\n", b"  ")], False, False, 200)
@example([(b"\n", b'{"id": 1}'), (b"", b'{"all": [1,'), (b"\n", b"2]}")], False, False, 200)
@settings(max_examples=150, deadline=None)
def test_rows_are_those_that_a_slow_reader_finds(
    pieces: list[tuple[bytes, bytes]], exact: bool, packed: bool, block: int
) -> None:
    whole = {"id": 1, "text": "", "all": []}
    data = json.dumps(whole).encode() + b"\n" + b"".join(map(b"".join, pieces))
    written = data.split(b"\n")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK", block)
        path = Path(folder) / "table"
        path.write_bytes(gzip.compress(data, 1) if packed else data)
        lines, cleaning = Lines(path), Cleaning()
        found = [
            {"line": number, **row}
            for numbers, table in json_tables(lines, SCHEMA, exact)
            for number, row in zip(numbers.tolist(), table.to_pylist(), strict=True)
        ]
        lines.tell(cleaning)
    assert found == _expected(written, exact)
    assert lines.total == sum(bool(line.strip()) for line in written)
    assert lines.left_out == lines.total - len(found)
    assert bool(cleaning.notes) == bool(lines.left_out)


def test_the_first_bad_line_is_refused_where_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(b'{"id": 1}\n\n{"id": "\xff"}\n')
    with pytest.raises(InputError, match=r"^table:3: byte 9 is not UTF-8"):
        list(json_tables(Lines(path, refuse=True), pa.schema({"id": pa.string()})))
