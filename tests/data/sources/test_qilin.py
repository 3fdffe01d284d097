"""Qilin's tables, against dictionaries and loops, and with whatever may be wrong with them."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.errors import InputError
from tests.data import slow_requests
from tests.data.generated.qilin import PAD, Size, files_of, write_folder
from tests.data.held_against import asked_in, check_card
from tests.data.slow_card import settings_of
from tests.data.slow_requests import SlowRequest, shown_by

TABLES = ("search_train", "search_test", "recommendation_train", "recommendation_test")
TINY = Size(40, 900, 120, 30, 200, 40, shown=7, content=8, files=3)
NOTES = 9
ACTIONS = ("click", "like", "collect", "comment", "share")
Row = dict[str, Any]


def card_of(folder: Path, files: dict[str, Any], **changes: Any) -> Path:
    texts = {"title": "{note_title}", "text": ["note_content"]}
    return slow_requests.card_of(folder, "qilin", files, **{**texts, **changes})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return card_of(write_folder(tmp_path / "qilin", TINY), files_of(TINY))


# --- against a slow reference -------------------------------------------------------------------

FLAG = st.sampled_from([0.0, 0.0, 1.0, None])
SHOWN = st.fixed_dictionaries(
    {
        "note_idx": st.sampled_from([*range(NOTES), NOTES + 3, None]),
        "position": st.just(0.0),
        "click": st.sampled_from([0.0, 1.0, 1.0, None]),
        **dict.fromkeys(ACTIONS[1:], FLAG),
        "page_time": st.sampled_from([None, math.nan, -1.0, 2.0, 10.0, 30.0]),
        "late": st.sampled_from([0, 0, 0.75, 2, None]),
    }
)
MIDNIGHT = 1_727_712_000
"""The first of October 2024 begins in Beijing."""
MOMENTS = st.sampled_from([-30, -25, -24, -10, -1, 0, 3]).flatmap(
    lambda hours: st.sampled_from([MIDNIGHT + hours * 3600, MIDNIGHT + hours * 3600 - 1])
)
REQUEST = st.fixed_dictionaries(
    {
        "user_idx": st.sampled_from([0, 1, 2, 2, None]),
        "query": st.sampled_from(["红酒", "红酒 推荐", "wine", "", None]),
        "moment": st.integers(0, 25) | MOMENTS,
        "recent": st.lists(st.sampled_from([*range(NOTES), NOTES, PAD, NOTES + 5]), max_size=4),
        "shown": st.lists(SHOWN, max_size=5),
    }
)
REQUESTS = st.fixed_dictionaries(
    {
        "search_train": st.lists(REQUEST, max_size=14),
        "search_test": st.lists(REQUEST, max_size=5),
        "recommendation_train": st.lists(REQUEST, max_size=14),
        "recommendation_test": st.lists(REQUEST, max_size=5),
    }
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "grades": st.sampled_from(
            [{"click": 1}, {"like": 2}, {"click": 3, "share": 2, "like": 1, "comment": 4}]
        ),
        "min_page_time": st.sampled_from([1, 10]),
        "recent": st.sampled_from(["history", "ignore"]),
    },
)


def write_rows(folder: Path, tables: dict[str, list[Row]], halves: bool = True) -> Path:
    """Write requests as the published tables have them, those of two files each in two halves."""
    files: dict[str, Any] = {}
    ids = np.arange(NOTES)
    notes = pa.table(
        {
            "note_title": [None if i == 3 else f"红酒{i}" for i in ids],
            "note_content": [f"内容 {i}" for i in ids],
            "taxonomy1_id": ["nan" if i % 2 else "酒" for i in ids],
            "click_num": ids * 1.0,
            "note_idx": ids,
        }
    )
    whole = {name: _table(name, rows) for name, rows in tables.items()}
    for name, table in {"notes": notes, **whole}.items():
        cut = len(table) // 2 if halves else len(table)
        for number, part in enumerate((table[:cut], table[cut:]) if halves else (table,)):
            kind = name if number == 0 else f"{name}-{number + 1}"
            files[kind] = {"name": f"{kind}.parquet"}
            pq.write_table(part, folder / f"{kind}.parquet", row_group_size=3)
    return card_of(folder, files)


def _table(name: str, rows: list[Row]) -> pa.Table:
    service = "search" if name.startswith("search") else "rec"
    clock = "search_timestamp" if service == "search" else "request_timestamp"
    shown = [
        [
            {
                **{k: v for k, v in each.items() if k != "late"},
                clock: None if each["late"] is None else float(row["moment"] + each["late"]),
            }
            for each in row["shown"]
        ]
        for row in rows
    ]
    numbers = ("position", *ACTIONS, "page_time", clock)
    struct = pa.struct([("note_idx", pa.int64()), *((n, pa.float64()) for n in numbers)])
    return pa.table(
        {
            "recent_clicked_note_idxs": pa.array([r["recent"] for r in rows], pa.list_(pa.int64())),
            "user_idx": pa.array([r["user_idx"] for r in rows], pa.int64()),
            "query": pa.array([r["query"] for r in rows], pa.string()),
            "query_from_type": pa.array([None for _ in rows], pa.float64()),
            f"{service}_result_details_with_idx": pa.array(shown, pa.list_(struct)),
        }
    )


def slow_reading(tables: dict[str, list[Row]], rules: dict[str, Any]) -> list[SlowRequest]:
    """Return the requests as the rules of the format have them."""
    requests = []
    for name in TABLES:
        for row in tables[name]:
            late = [each["late"] for each in row["shown"] if each["late"] is not None]
            if row["user_idx"] is None or not late:
                continue
            moment = row["moment"] + math.floor(min(late))
            shown = [
                (str(each["note_idx"]), slow_grade(each, rules))
                for each in row["shown"]
                if each["note_idx"] in range(NOTES)
            ]
            recent = [str(note) for note in row["recent"] if note in range(NOTES)]
            if rules.get("recent") == "ignore":
                recent = []
            words = (row["query"] or "") if name.startswith("search") else None
            part = name.rpartition("_")[2]
            request = SlowRequest(str(row["user_idx"]), moment, words, part, shown, recent)
            requests.append(request)
    return requests


def slow_grade(each: Row, rules: dict[str, Any]) -> float:
    page, least = each["page_time"], rules.get("min_page_time")
    if least is not None and page is not None and 0 <= page < least:
        return 0
    grades = rules.get("grades", {"click": 1})
    return max((grade for action, grade in grades.items() if each[action]), default=0)


def one(user: int, moment: int, clicks: list[int], others: list[int], recent: list[int]) -> Row:
    """Return a row by what was clicked and what was not."""
    shown = [
        {"note_idx": note, "position": 0.0, "click": float(note in clicks), "late": 0}
        | dict.fromkeys((*ACTIONS[1:], "page_time"), math.nan)
        for note in [*clicks, *others]
    ]
    return {"user_idx": user, "query": "酒", "moment": moment, "recent": recent, "shown": shown}


TWELVE = [one(0, moment, [moment % 4], [4, 5], [6, 7]) for moment in range(12)]


SPLITS = (
    {"name": "official"},
    {"name": "official"},
    {"name": "official", "leakage": "paper"},
    {"name": "temporal"},
    {"name": "leave-one-out"},
    {"name": "leave-one-out", "both_before": True},
    {"name": "days", "zone": "Asia/Shanghai"},
)
CARD = settings_of(SPLITS)
PUBLISHED = {
    "split": {"name": "official"},
    "copies": {"keep": True},
    "candidates": {"negatives": 2},
    "seen": "keep",
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REQUESTS, RULES, CARD, st.booleans())
@example(
    {
        "search_train": TWELVE,
        "search_test": [one(0, 20, [8, 2], [8, 1], [1, 3, 5, 7])],
        "recommendation_train": [*TWELVE, one(1, 0, [2], [3], [0, 1])],
        "recommendation_test": [one(1, 30, [6], [5], [2, 4]), one(1, 30, [6], [7], [])],
    },
    {},
    PUBLISHED,
    False,
)
def test_whatever_the_card_says_requests_are_those_of_the_definition(
    tables: dict[str, list[Row]], rules: dict[str, Any], card: dict[str, Any], strict: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_rows(Path(name), tables)
        files = yaml.safe_load((folder / "card.yaml").read_text(encoding="utf-8"))["files"]
        own = {what: value for what, value in card.items() if what != "seen"}
        card_of(folder, files, rules=rules, strict=strict, **own)
        requests = slow_reading(tables, rules)
        if not any(each.relevant() for each in requests) or (strict and odd_in(tables)):
            with pytest.raises(InputError, match=r"has a note that its user took|'strict' out"):
                load_dataset(folder, cache=folder / "cache")
            return
        items = [str(note) for note in range(NOTES)]
        dataset = check_card(folder, shown_by(requests), items, {**card, "strict": strict})
        if dataset is not None:
            assert dataset.items.texts[4] == "红酒4 内容 4"
            if card["split"].get("leakage") != "paper":
                report = audit(dataset)
                assert report.ok, report.problems


def odd_in(tables: dict[str, list[Row]]) -> bool:
    """Return whether anything in the tables is left out."""
    rows = [row for each in tables.values() for row in each]
    return any(
        row["user_idx"] is None
        or all(shown["late"] is None for shown in row["shown"])
        or any(shown["note_idx"] not in range(NOTES) for shown in row["shown"])
        or any(note not in (*range(NOTES + 1), PAD) for note in row["recent"])
        for row in rows
    )


# --- relevance as published ---------------------------------------------------------------------


def requests_by_key(folder: Path, service: str) -> Callable[[int], tuple[str, int, str | None]]:
    """Return what tells user, moment and words of a row of a test table."""
    short = "rec" if service == "recommendation" else "search"
    rows = pq.read_table(folder / files_of(TINY)[f"{service}_test"]["name"]).to_pylist()
    clock = "search_timestamp" if short == "search" else "request_timestamp"

    def key(number: int) -> tuple[str, int, str | None]:
        row = rows[number]
        time = min(each[clock] for each in row[f"{short}_result_details_with_idx"])
        return str(row["user_idx"]), int(time), row["query"] if short == "search" else None

    return key


@pytest.mark.parametrize("service", ["search", "recommendation"])
def test_official_relevance_is_reproduced_for_every_request(tiny: Path, service: str) -> None:
    key = requests_by_key(tiny, service)
    official: dict[int, set[str]] = {}
    lines = (tiny / "datasets" / f"{service}.test.qrels.csv").read_text().splitlines()
    for line in lines[1:]:
        row, note = line.split(",")
        official.setdefault(int(row), set()).add(note)
    assert len(official) == getattr(TINY, f"{service}_test")
    asked = asked_in(load_dataset(tiny, seen="keep"))
    found = asked["test", "search" if service == "search" else "rec"]
    wanted = sorted((*key(row), sorted(notes)) for row, notes in official.items())
    assert sorted((*line[:3], sorted(item for item, _ in line[3])) for line in found) == wanted
    assert all(grade == 1 for line in found for _, grade in line[3])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:5] + lines[6:], r"qrels.csv:1: note \d+, a click of row \d+, is"),
        (lambda lines: [*lines, "3,899"], r"qrels.csv:\d+: note 899 is no click of row 3 of train"),
        (lambda lines: [*lines, "99999,5"], r"note 5 is no click of row 99999"),
    ],
)
def test_a_disagreement_with_the_official_relevance_is_told(
    tiny: Path, change: Callable[[list[str]], list[str]], told: str
) -> None:
    file = tiny / "datasets" / "search.test.qrels.csv"
    assert not any("qrels" in line for line in notes_of(tiny))
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    assert sum(bool(re.search(told, line)) for line in notes_of(tiny)) == 1
    fields = yaml.safe_load((tiny / "card.yaml").read_text())
    card_of(tiny, fields["files"], strict=True)
    with pytest.raises(InputError, match=told):
        load_dataset(tiny)


def notes_of(folder: Path) -> list[str]:
    told: list[str] = []
    load_dataset(folder, notify=told.append)
    return told


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


def refused(folder: Path, message: str) -> None:
    """Check that a folder is refused in one line that matches, and nothing is left behind."""
    cache = folder / "cache"
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(folder, cache=cache)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(folder))
    assert not list((cache / "data").rglob("*"))


# --- oddities -----------------------------------------------------------------------------------


def test_generated_files_hold_the_oddities_of_the_published_ones(tiny: Path) -> None:
    search = pq.read_table(tiny / files_of(TINY)["search_train"]["name"])
    assert search.column("query_from_type").null_count
    assert pc.any(pc.equal(pc.list_flatten(search.column("recent_clicked_note_idxs")), PAD)).as_py()
    details = search.column("search_result_details_with_idx").to_pylist()
    pages = [each["page_time"] for row in details for each in row]
    assert any(map(math.isnan, pages))
    assert -1 in pages
    assert any(len({e["note_idx"] for e in row}) < len(row) for row in details)
    assert any(not any(e["click"] for e in row) for row in details)
    notes = pq.read_table(tiny / files_of(TINY)["notes"]["name"])
    assert pc.any(pc.equal(notes.column("taxonomy1_id"), "nan")).as_py()


def test_a_taxonomy_that_is_nan_is_none(tiny: Path) -> None:
    card_of(tiny, files_of(TINY), text=["taxonomy1_id", "note_type"])
    dataset = load_dataset(tiny)
    kinds = set(dataset.items.fields["taxonomy1_id"])
    assert "" in kinds
    assert "nan" not in kinds
    assert set(dataset.items.fields["note_type"]) == {"video", "image"}


@pytest.mark.parametrize("column", ["click_num", "accum_like_num", "view_time", "image_path"])
def test_counters_of_notes_are_never_read(tiny: Path, column: str) -> None:
    card_of(tiny, files_of(TINY), text=["note_content", column])
    refused(tiny, rf"column '{column}' of notes is not read: counters are totals that tell test")


def test_a_column_that_notes_do_not_have_is_told_with_its_neighbour(tiny: Path) -> None:
    card_of(tiny, files_of(TINY), title="{note_titel}")
    refused(tiny, r"column 'note_titel' is missing; did you mean 'note_title'\?")


def test_no_more_of_the_notes_is_read_than_the_card_names(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    whole = pq.ParquetFile.iter_batches

    def noted(file: pq.ParquetFile, size: int, columns: list[str], **more: Any) -> Any:
        asked.append(columns)
        return whole(file, size, columns=columns, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", noted)
    load_dataset(tiny)
    read = {column for columns in asked for column in columns}
    assert read == {
        *("note_title", "note_content", "note_idx", "user_idx", "query"),
        *("recent_clicked_note_idxs", "search_result_details_with_idx"),
        "rec_result_details_with_idx",
    }
    assert not any("query" in columns and "rec_result" in columns[1] for columns in asked)


def test_words_of_recommendations_are_no_queries(tiny: Path) -> None:
    dataset = load_dataset(tiny)
    typed = {
        query
        for name in ("search_train", "search_test")
        for query in pq.read_table(tiny / files_of(TINY)[name]["name"]).column("query").to_pylist()
    }
    assert set(dataset.queries.texts) <= typed
    assert (dataset.evaluation["test", Task.REC].requests.query == -1).all()


def test_users_beyond_their_table_are_told_and_stay(tiny: Path) -> None:
    few = pq.read_table(tiny / files_of(TINY)["user_feat"]["name"])[:7]
    pq.write_table(few, tiny / files_of(TINY)["user_feat"]["name"])
    assert any(re.search(r"user_idx \d+ is not in train-00000", line) for line in notes_of(tiny))
    assert len(load_dataset(tiny).users) > 7


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


# --- whatever may be wrong with Parquet ---------------------------------------------------------

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
        lambda t: replaced(t, "note_content", pa.array(["x" * (2**20 + 1)] * len(t))),
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
