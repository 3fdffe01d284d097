"""Qilin's tables, against dictionaries and loops."""

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
from benchmark.data.sources.qilin import READER
from benchmark.data.sources.reader import Wanted
from benchmark.errors import InputError
from tests.data.generated.qilin import PAD, files_of, write_folder
from tests.data.held_against import asked_in, check_card
from tests.data.slow_card import settings_of
from tests.data.slow_requests import shown_by

from .broken_files import refused
from .qilin_reference import (
    NOTES,
    REQUESTS,
    RULES,
    TABLES,
    TINY,
    TWELVE,
    Row,
    card_of,
    odd_in,
    one,
    slow_reading,
    write_rows,
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return card_of(write_folder(tmp_path / "qilin", TINY), files_of(TINY))


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
        "search_test": [one(0, 20, [8, 2], [8, 1], [1, 3, 5, 7]), one(0, 0, [8], [1], [6, 7])],
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


def test_numbers_that_are_no_index_are_counted(tiny: Path) -> None:
    file = tiny / files_of(TINY)["search_train"]["name"]
    table = pq.read_table(file)
    place = table.schema.get_field_index("user_idx")
    users = table.column("user_idx").to_pylist()
    users[3], users[4] = 2**62, -(2**62)
    pq.write_table(table.set_column(place, "user_idx", pa.array(users)), file)
    told = r"parquet:4: a request without a user_idx \(2 of \d+ requests\); they are left out"
    assert any(re.search(told, line) for line in notes_of(tiny))


def test_what_seen_takes_from_the_official_relevance_is_told(tmp_path: Path) -> None:
    tables = {
        **dict.fromkeys(TABLES, TWELVE),
        "recommendation_test": [one(0, 30, [1, 8], [5], []), one(0, 40, [7], [8], [])],
    }
    folder = write_rows(tmp_path, tables)
    told: list[str] = []
    load_dataset(folder, notify=told.append)
    wanted = "test rec: 1 of 3 items that are officially relevant stand in their request's history"
    assert [line for line in told if wanted in line and "--seen keep" in line]
    told.clear()
    load_dataset(folder, notify=told.append, seen="keep")
    assert not any("officially" in line for line in told)


def test_pads_of_recent_clicks_are_nothing_to_tell(tmp_path: Path) -> None:
    tables = {**dict.fromkeys(TABLES, TWELVE), "search_test": [one(0, 40, [1], [2], [PAD, NOTES])]}
    folder = write_rows(tmp_path, tables)
    files = yaml.safe_load((folder / "card.yaml").read_text(encoding="utf-8"))["files"]
    card_of(folder, files, strict=True)
    assert not any("recently clicked" in line for line in notes_of(folder))


def test_a_row_is_found_again_behind_those_that_are_left_out(tmp_path: Path) -> None:
    nobody = {**one(0, 1, [1], [2], []), "user_idx": None}
    tables = {**dict.fromkeys(TABLES, TWELVE), "search_train": [nobody, one(2, 99, [3], [4], [])]}
    folder = write_rows(tmp_path, tables, halves=False)
    files = {name: folder / f"{name}.parquet" for name in ("notes", *TABLES)}
    inter = READER.read(files, READER.rules(), Wanted()).inter
    (event,) = np.flatnonzero((inter.time == inter.time.max()) & (inter.grade > 0))
    path, line = inter.where(int(event))
    assert (path.name, line) == ("search_train.parquet", 2)
