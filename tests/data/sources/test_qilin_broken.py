"""Qilin's tables with whatever may be wrong with them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.load import load_dataset
from benchmark.errors import InputError
from tests.data.generated.qilin import files_of, write_folder

from .broken_files import refused
from .qilin_reference import (
    TABLES,
    TINY,
    TWELVE,
    card_of,
    write_rows,
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return card_of(write_folder(tmp_path / "qilin", TINY), files_of(TINY))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"search.test.qrels.csv: .*empty|must be the header"),
        ("pid,qid\n1,2\n", r"qrels.csv:1: the first line must be the header qid,pid"),
        ("qid,pid\n1,2\n1;2\n", r"qrels.csv:3: '1;2' must be a row of the test table and"),
        ("qid,pid\n1,2.5\n", r"qrels.csv:2: '1,2.5' must be"),
        ("qid,pid\n-1,2\n", r"qrels.csv:2: '-1,2' must be"),
        ("qid,pid\n" + "9" * 2_000_000, r"qrels.csv:2: the line is longer"),
        ("qid,pid\n1,\0", r"qrels.csv:2: .*NUL"),
    ],
)
def test_a_malformed_file_of_relevance_is_one_line(tiny: Path, text: str, message: str) -> None:
    (tiny / "datasets" / "search.test.qrels.csv").write_text(text, encoding="utf-8")
    refused(tiny, message)


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (0, 0, 1)])
def test_files_of_notes_in_a_wrong_order_are_refused(tiny: Path, order: tuple[int, ...]) -> None:
    files = files_of(TINY)
    names_of = ("notes", "notes-2", "notes-3")
    names = [files[kind]["name"] for kind in names_of]
    given = {k: {"name": names[n]} for k, n in zip(names_of, order, strict=True)}
    card_of(tiny, {**files, **given})
    refused(tiny, r"note_idx is \d+ in row \d+ of all notes; name all files of the notes")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("notes-5", r"files: unknown 'notes-5'"),
        ("notes-1", r"files: unknown 'notes-1'"),
        ("notes-02", r"files: unknown 'notes-02'"),
        ("search_qrels-2", r"files: unknown 'search_qrels-2'"),
        ("search_tests", r"files: unknown 'search_tests'.* did you mean 'search_test'"),
    ],
)
def test_a_card_names_further_files_in_order(tiny: Path, kind: str, message: str) -> None:
    files = files_of(TINY)
    card_of(tiny, {**files, kind: files["notes"]})
    refused(tiny, message)


DETAILS = "search_result_details_with_idx"
FAULTS: dict[str, tuple[str, Callable[[pa.Table], pa.Table], str]] = {
    "no user": ("search_train", lambda t: t.drop_columns("user_idx"), "column 'user_idx' is miss"),
    "user as text": (
        "search_train",
        lambda t: recast(t, "user_idx", pa.string()),
        "column 'user_idx' must hold integers, not string",
    ),
    "query as number": (
        "search_test",
        lambda t: replaced(t, "query", pa.array(range(len(t)))),
        "column 'query' must hold text, not int64",
    ),
    "details flat": (
        "search_train",
        lambda t: replaced(t, DETAILS, pa.array(range(len(t)))),
        f"column '{DETAILS}' must hold lists of structs, not int64",
    ),
    "details of numbers": (
        "search_train",
        lambda t: replaced(t, DETAILS, pa.array([[1]] * len(t))),
        f"column '{DETAILS}' must hold lists of structs, not list",
    ),
    "details as text": (
        "recommendation_train",
        lambda t: replaced(t, "rec_result_details_with_idx", pa.array(["[{}]"] * len(t))),
        "must hold lists of structs, not string",
    ),
    "no clicks": (
        "search_test",
        lambda t: replaced(t, DETAILS, pa.array([[{"note_idx": 1, "search_timestamp": 1.0}]])),
        f"{DETAILS}.page_time is missing|{DETAILS}.click is missing",
    ),
    "click as text": (
        "search_train",
        lambda t: field_as(t, "click", pa.string()),
        f"{DETAILS}.click must hold numbers, not string",
    ),
    "note as float": (
        "search_train",
        lambda t: field_as(t, "note_idx", pa.float64()),
        f"{DETAILS}.note_idx must hold integers, not double",
    ),
    "recent of lists": (
        "search_train",
        lambda t: replaced(t, "recent_clicked_note_idxs", pa.array([[[1]]] * len(t))),
        "column 'recent_clicked_note_idxs' must hold lists of integers, not list",
    ),
    "title as number": (
        "notes",
        lambda t: replaced(t, "note_title", pa.array(range(len(t)))),
        "column 'note_title' is of type string, in .* of type int64|must hold text, not int64",
    ),
    "a file of another type": (
        "notes-2",
        lambda t: replaced(t, "note_content", pa.array(range(len(t)))),
        "column 'note_content' is of type int64, in .* of type string",
    ),
    "huge text": (
        "notes-2",
        lambda t: replaced(t, "note_content", pa.array(["x" * (2**20 + 1)] * 2)),
        r"train-00001-of-00003.parquet:1: note_content is longer than 1,048,576 bytes",
    ),
    "a time that is none": (
        "search_train",
        lambda t: field_as(t, "search_timestamp", pa.float64(), 1e300),
        r"train-00000-of-00001.parquet:1: timestamp 1e\+300 is no time in seconds",
    ),
}


def replaced(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table[: len(values)].set_column(place, column, values)


def recast(table: pa.Table, column: str, kind: pa.DataType) -> pa.Table:
    return replaced(table, column, table.column(column).cast(kind))


def field_as(table: pa.Table, name: str, kind: pa.DataType, value: Any = None) -> pa.Table:
    """Return a table with a field of what was shown as another type, or with another value."""
    lists = table.column(DETAILS).combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    structs = lists.flatten()
    fields = {field.name: structs.field(field.name) for field in structs.type}
    fields[name] = fields[name].cast(kind)
    if value is not None:
        fields[name] = pa.array([value] * len(structs), kind)
    inner = pa.StructArray.from_arrays([*fields.values()], [*fields])
    return replaced(table, DETAILS, pa.ListArray.from_arrays(lists.offsets, inner))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_column_that_is_not_as_published_is_one_line(tiny: Path, fault: str) -> None:
    kind, change, message = FAULTS[fault]
    file = tiny / files_of(TINY)[kind]["name"]
    pq.write_table(change(pq.read_table(file)), file)
    refused(tiny, message)


KINDS = ("notes", "notes-3", "search_train", "recommendation_test", "user_feat")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0, 0.001, 0.4, 0.999])
def test_a_file_that_was_cut_off_is_one_line(tiny: Path, kind: str, share: float) -> None:
    file = tiny / files_of(TINY)[kind]["name"]
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    refused(tiny, rf"{file.name}: (the file is empty|is no Parquet file, or is damaged)")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_is_one_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_rows(Path(name), dict.fromkeys(TABLES, TWELVE), halves=False)
        file = folder / data.draw(st.sampled_from(["notes.parquet", "search_train.parquet"]))
        whole = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(bytes(whole))
        try:
            load_dataset(folder, cache=folder / "cache")
        except InputError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 500


@pytest.mark.parametrize(
    "content", [b"PAR1", b"qid,pid\n1,2\n", b"PK\3\4" + b"0" * 99, b"PAR1" * 9]
)
def test_another_kind_of_file_is_one_line(tiny: Path, content: bytes) -> None:
    (tiny / files_of(TINY)["search_test"]["name"]).write_bytes(content)
    refused(tiny, r"train-00000-of-00001.parquet: is no Parquet file, or is damaged")


def test_a_missing_file_and_a_folder_in_its_place_are_one_line(tiny: Path) -> None:
    file = tiny / files_of(TINY)["search_test"]["name"]
    file.unlink()
    refused(tiny, "train-00000-of-00001.parquet: no such file in")
    file.mkdir()
    refused(tiny, "train-00000-of-00001.parquet")
