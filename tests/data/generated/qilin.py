"""Qilin's tables in their published layout, of any size, written in parts.

Names, order and types of the columns are those of the published tables, and so are their oddities:
page times that are NaN or -1, sources of queries that are null, recent clicks filled up with
1983938, taxonomies that are "nan", a note that is shown twice for one request, requests of training
without a click, recommendations shown bit by bit. What stands in them is drawn; a user looks at few
topics, and a query has words of the notes that are clicked for it. ``FULL`` has the published
counts of rows. Memory does not grow with the number of notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.data.generated.han import Words

__all__ = ["FULL", "PAD", "Size", "files_of", "write_folder"]

PAD = 1983938
_PART = 50_000
_TOPICS = 400
_BEGIN, _DAYS = 1_725_000_000, 20
_COUNTERS = (
    *("imp_num", "imp_rec_num", "imp_search_num", "click_num", "click_rec_num"),
    *("click_search_num", "like_num", "collect_num", "comment_num", "share_num"),
    *("screenshot_num", "hide_num", "rec_like_num", "rec_collect_num", "rec_comment_num"),
    *("rec_share_num", "rec_follow_num", "search_like_num", "search_collect_num"),
    *("search_comment_num", "search_share_num", "search_follow_num", "accum_like_num"),
    *("accum_collect_num", "accum_comment_num", "view_time", "rec_view_time"),
    *("search_view_time", "valid_view_times", "full_view_times"),
)


@dataclass(frozen=True)
class Size:
    """Counts of rows, and lengths.

    Attributes:
        shown: notes shown for a request, on average; a ninth of them and one more are clicked.
        content: words of a note's content, on average.
        files: of the notes.
    """

    users: int
    notes: int
    search_train: int
    search_test: int
    recommendation_train: int
    recommendation_test: int
    shown: int = 24
    content: int = 100
    files: int = 5


FULL = Size(15_482, 1_983_938, 44_024, 6_192, 83_437, 11_115)
"""Rows as published; the lengths are guesses."""


def files_of(size: Size) -> dict[str, dict[str, str]]:
    """Return the ``files`` of a card for a folder written by :func:`write_folder`."""
    names = [_file("notes", part, size.files) for part in range(size.files)]
    files = {"notes" if i == 0 else f"notes-{i + 1}": name for i, name in enumerate(names)}
    for table in ("search_train", "search_test", "recommendation_train", "recommendation_test"):
        files[table] = _file(table, 0, 1)
    files["user_feat"] = _file("user_feat", 0, 1)
    for service in ("search", "recommendation"):
        files[f"{service}_qrels"] = f"datasets/{service}.test.qrels.csv"
    return {what: {"name": name} for what, name in files.items()}


def write_folder(folder: Path, size: Size, seed: int = 0) -> Path:
    """Write all tables and the two files of relevance."""
    words, rng = Words(_TOPICS, 60, seed), np.random.default_rng(seed)
    for name in {Path(each["name"]).parent for each in files_of(size).values()}:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for part in range(size.files):
        begin, end = (size.notes * k // size.files for k in (part, part + 1))
        _write(folder / _file("notes", part, size.files), _notes(begin, end, size, words, rng))
    _write(folder / _file("user_feat", 0, 1), iter([_users(size, rng)]))
    for service in ("search", "recommendation"):
        for part in ("train", "test"):
            name = f"{service}_{part}"
            rows = getattr(size, name)
            table = _requests(service, part == "test", rows, size, words, rng)
            _write(folder / _file(name, 0, 1), iter([table]))
            if part == "test":
                _write_qrels(folder / f"datasets/{service}.test.qrels.csv", service, table)
    return folder


def _file(table: str, part: int, parts: int) -> str:
    return f"{table}/train-{part:05d}-of-{parts:05d}.parquet"


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    first = next(tables)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _notes(
    begin: int, end: int, size: Size, words: Words, rng: np.random.Generator
) -> Iterator[pa.Table]:
    for start in range(begin, max(end, begin + 1), _PART):
        number = np.arange(start, min(start + _PART, end))
        topic, n = number % words.topics, len(number)
        length = rng.geometric(1 / size.content, n)
        counter = rng.integers(0, 5000, n).astype(np.float64)
        columns: dict[str, Any] = {
            "note_title": _missing(words.texts(topic, rng.integers(2, 12, n), rng), 0.02, rng),
            "note_content": _missing(words.texts(topic, length, rng), 0.02, rng),
            "note_type": pa.array(np.where(rng.random(n) < 0.3, "video", "image")),
            "video_duration": rng.integers(0, 600, n).astype(np.float64),
            "video_height": counter,
            "video_width": counter,
            "image_num": rng.integers(0, 18, n),
            "content_length": length * 2,
            "commercial_flag": rng.integers(0, 2, n),
        }
        for level in (1, 2, 3):
            names = np.char.add(f"类别{level}-", (topic % (8**level)).astype(str))
            columns[f"taxonomy{level}_id"] = np.where(rng.random(n) < 0.1, "nan", names)
        columns |= {name: np.roll(counter, i) for i, name in enumerate(_COUNTERS)}
        columns["note_idx"] = number
        paths = pa.array(np.char.add("image/", number.astype(str)), pa.string())
        columns["image_path"] = pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32), paths)
        yield pa.table(columns)


def _missing(values: pa.Array, share: float, rng: np.random.Generator) -> pa.Array:
    lost = rng.random(len(values)) < share
    return pa.compute.if_else(pa.array(lost), pa.scalar(None, values.type), values)


def _users(size: Size, rng: np.random.Generator) -> pa.Table:
    columns: dict[str, Any] = {
        name: rng.choice(choices, size.users)
        for name, choices in (
            ("gender", ["male", "female", "unknown"]),
            ("platform", ["iOS", "Android"]),
            ("age", ["18-22", "23-25", "26-30", "31+"]),
        )
    }
    columns["fans_num"] = rng.integers(0, 1000, size.users)
    columns["follows_num"] = rng.integers(0, 1000, size.users)
    for number in range(1, 41):
        columns[f"dense_feat{number}"] = rng.random(size.users)
    columns["location"] = rng.choice(["北京", "上海", "广东"], size.users)
    columns["user_idx"] = np.arange(size.users)
    return pa.table(columns)


def _requests(
    service: str, test: bool, rows: int, size: Size, words: Words, rng: np.random.Generator
) -> pa.Table:
    user = rng.integers(0, size.users, rows)
    topic = (user * 7 + rng.integers(0, 3, rows)) % words.topics
    lengths = np.minimum(1 + rng.geometric(1 / max(size.shown - 1, 1), rows), 300)
    begin = _BEGIN + rng.integers(0, _DAYS * 86_400, rows)
    details = _details(service, test, lengths, topic, begin, size, words, rng)
    recent = _recent(topic, size, words, rng)
    query = words.texts(topic, rng.integers(1, 4, rows), rng)
    number, session = np.arange(rows), np.sort(rng.integers(0, rows, rows))
    if service == "recommendation":
        columns: dict[str, Any] = {"recent_clicked_note_idxs": recent, "request_idx": number}
        columns |= {"session_idx": session, "user_idx": user}
        if test:
            columns["rec_results"] = _impressed(details)
        return pa.table({**columns, "query": query, "rec_result_details_with_idx": details})
    source = _missing(pa.array(rng.integers(0, 9, rows).astype(np.float64)), 0.2, rng)
    columns = {"query": query, "query_from_type": source, "recent_clicked_note_idxs": recent}
    columns |= {"search_idx": number, "session_idx": session, "user_idx": user}
    if test:
        columns["search_results"] = _impressed(details)
        columns["bm25_results"] = _scored(rows, size, rng)
    columns["dpr_results"] = _scored(rows, size, rng)
    return pa.table({**columns, "search_result_details_with_idx": details})


def _drawn(
    topic: NDArray[np.int64], size: Size, words: Words, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return a note for each topic, a popular one more often."""
    most = max(1, size.notes // words.topics)
    place = np.minimum(rng.zipf(1.2, len(topic)) - 1, 10**9) % most
    return (topic + place * words.topics) % size.notes


def _details(
    service: str,
    test: bool,
    lengths: NDArray[np.int64],
    topic: NDArray[np.int64],
    begin: NDArray[np.int64],
    size: Size,
    words: Words,
    rng: np.random.Generator,
) -> pa.ListArray:
    owner = np.repeat(np.arange(len(lengths)), lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    n = len(owner)
    place = np.arange(n) - offsets[owner]
    near = rng.random(n) < 0.7
    note = _drawn(np.where(near, topic[owner], rng.integers(0, words.topics, n)), size, words, rng)
    click = (rng.random(n) < 1 / 9) & (near | (rng.random(n) < 0.3))
    click[rng.integers(offsets[:-1], offsets[1:])] = True
    if not test:
        click &= (rng.random(len(lengths)) < 0.95)[owner]
    page = np.where(rng.random(n) < 0.3, np.nan, rng.exponential(20, n))
    page[rng.random(n) < 0.1] = -1
    late = rng.random(len(lengths)) < (0.3 if service == "recommendation" else 0.02)
    fields: dict[str, Any] = {"note_idx": note, "position": place.astype(np.float64)}
    fields["click"] = click.astype(np.float64)
    for name in ("like", "collect", "comment", "share"):
        fields[name] = (click & (rng.random(n) < 0.1)).astype(np.float64)
    fields["page_time"] = np.where(click, page, np.nan)
    stamp = begin[owner] + np.where(late[owner], place // 6 * 30, 0)
    clock = "search_timestamp" if service == "search" else "request_timestamp"
    fields[clock] = stamp.astype(np.float64)
    structs = pa.StructArray.from_arrays([pa.array(each) for each in fields.values()], [*fields])
    return pa.ListArray.from_arrays(offsets.astype(np.int32), structs)


def _recent(
    topic: NDArray[np.int64], size: Size, words: Words, rng: np.random.Generator
) -> pa.ListArray:
    lengths = rng.integers(0, 21, len(topic))
    owner = np.repeat(np.arange(len(topic)), lengths)
    note = _drawn(topic[owner], size, words, rng)
    note[(rng.random(len(topic)) < 0.05)[owner] & (rng.random(len(owner)) < 0.5)] = PAD
    return pa.ListArray.from_arrays(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), pa.array(note)
    )


def _impressed(details: pa.ListArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(details.offsets, details.flatten().field("note_idx"))


def _scored(rows: int, size: Size, rng: np.random.Generator) -> pa.ListArray:
    pairs = np.stack([rng.integers(0, size.notes, rows * 10), rng.random(rows * 10) * 9], axis=1)
    inner = pa.ListArray.from_arrays(
        np.arange(0, rows * 20 + 1, 2, dtype=np.int32), pa.array(pairs.ravel())
    )
    return pa.ListArray.from_arrays(np.arange(0, rows * 10 + 1, 10, dtype=np.int32), inner)


def _write_qrels(path: Path, service: str, table: pa.Table) -> None:
    short = "rec" if service == "recommendation" else "search"
    pairs = {
        (row, shown["note_idx"])
        for row, details in enumerate(table.column(f"{short}_result_details_with_idx").to_pylist())
        for shown in details
        if shown["click"]
    }
    lines = ["qid,pid", *(f"{row},{note}" for row, note in sorted(pairs))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
