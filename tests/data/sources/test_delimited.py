"""Tables whose fields a separator parts: read at once or line by line, the rows are the same."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.files import lines as blocks
from benchmark.data.sources.files.delimited import CODED, Layout, read_table
from benchmark.errors import InputError

FIELDS = {"id": pa.int32(), "text": pa.string(), "skipped": None, "share": pa.float32()}
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=6)
ROWS = st.lists(
    st.tuples(st.integers(-(2**31), 2**31 - 1), TEXT, TEXT, st.floats(-1e6, 1e6, width=32)),
    min_size=1,
    max_size=12,
)


def _read(data: bytes, layout: Layout) -> tuple[list[dict], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path, cleaning = Path(folder) / "table", Cleaning()
        path.write_bytes(data)
        return read_table(path, layout, cleaning).to_pylist(), cleaning.notes


def _written(rows: list[tuple], by: str, quotes: bool, ending: str) -> bytes:
    if not quotes:
        lines = [by.join(map(str, row)) + ending for row in rows]
        return "".join([by.join(FIELDS) + ending, *lines]).encode()
    out = io.StringIO()
    csv.writer(out, lineterminator=ending).writerows([FIELDS, *rows])
    return out.getvalue().encode()


@pytest.mark.parametrize("by", ["\t", "::", ","])
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_rows_are_read_as_written_in_blocks_of_any_size(
    by: str, rows: list[tuple], ending: str, block: int
) -> None:
    quotes = by == ","
    if not quotes:
        rows = [tuple(c.replace(":", "") if isinstance(c, str) else c for c in r) for r in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK", block)
        found, notes = _read(_written(rows, by, quotes, ending), Layout(FIELDS, by, True, quotes))
    assert not notes
    wanted = [(i, text, pytest.approx(share)) for i, text, _, share in rows]
    assert [(row["id"], row["text"], row["share"]) for row in found] == wanted
    assert [row["line"] for row in found] == list(range(2, len(rows) + 2))


@pytest.mark.parametrize("by", ["\t", "::", ","])
@given(ROWS, st.data())
@settings(max_examples=30, deadline=None)
def test_one_odd_line_costs_that_line_only(by: str, rows: list[tuple], data: st.DataObject) -> None:
    quotes = by == ","
    if not quotes:
        rows = [tuple(c.replace(":", "") if isinstance(c, str) else c for c in r) for r in rows]
    lines = _written(rows, by, quotes, "\n").split(b"\n")
    place = data.draw(st.integers(1, len(rows)))
    odd = data.draw(
        st.sampled_from(
            [
                (b"", 0),
                (by.join(["1", "2", "3"]).encode(), 1),
                (by.join(["x", "", "", "1"]).encode(), 1),
                (by.join(["1", "", "", "nan"]).encode(), 1),
                (by.join(["1\x1f", "", "", "1"]).encode(), 1),
                (by.join([str(2**31), "", "", "1"]).encode(), 1),
            ]
        )
    )
    lines.insert(place, odd[0])
    found, notes = _read(b"\n".join(lines), Layout(FIELDS, by, True, quotes))
    assert [row["text"] for row in found] == [row[1] for row in rows]
    assert [row["line"] for row in found] == [n for n in range(2, len(rows) + 3) if n != place + 1]
    assert len(notes) == odd[1]
    assert all(f"table:{place + 1}: " in note and "(1 of" in note for note in notes)


PIECES = [b"1", b"a", b'"', b'""', b" ", b"\r", b"\xe9", "\xe9".encode(), b"\x1f", b":", b"."]
NUMBERS = [b"0x1", b"1_0", b"nan", b"+1", b"1.0", b"9" * 19]
CELLS = st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join) | st.sampled_from(NUMBERS)


@pytest.mark.parametrize("by", ["\t", "::", ","])
@given(st.lists(CELLS, min_size=1, max_size=9), st.booleans(), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_what_a_line_gives_hangs_on_no_other(
    by: str, cells: list[bytes], quotes: bool, width: int
) -> None:
    fields = {"text": CODED, "id": pa.int32(), "share": pa.float32()}
    wanted = dict(list(fields.items())[:width])
    layout = Layout(wanted, by, header=False, quotes=quotes and len(by) == 1)
    lines = [by.encode().join(cells[i : i + width]) for i in range(0, len(cells), width)]
    alone = []
    for number, line in enumerate(lines, 1):
        with contextlib.suppress(InputError):
            alone += [{**row, "line": number} for row in _read(line + b"\n", layout)[0]]
    try:
        together = _read(b"\n".join(lines) + b"\n", layout)[0]
    except InputError:
        together = []
    assert together == alone


def test_a_table_packed_by_gzip_is_read_as_it_is_unpacked() -> None:
    data, layout = b"id\ttext\tskipped\tshare\n1\ta\tb\t1\n", Layout(FIELDS, "\t")
    assert _read(gzip.compress(data), layout) == _read(data, layout)
    with pytest.raises(InputError, match="table:1: the gzip file is damaged or cut off"):
        _read(gzip.compress(data)[:-9], layout)


def test_a_cell_in_latin_1_is_read_beside_cells_in_utf_8() -> None:
    layout = Layout({"one": pa.string(), "two": pa.string()}, "\t")
    found, _ = _read(b"one\ttwo\n" + b"fa\xe7ade\t" + "façade\n".encode(), layout)
    assert found[0]["one"] == found[0]["two"] == "fa\xe7ade"


@pytest.mark.parametrize("block", [64, 8 * 2**20])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_BLOCK", max(block, 2**16))
    data = b"id\ttext\tskipped\tshare\n1\ta\tb\t1\n" + b"9" * (3 * 2**20)
    with pytest.raises(InputError, match=r"table:3: the line is longer than"):
        _read(data, Layout(FIELDS, "\t"))
