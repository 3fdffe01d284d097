"""Format ``qilin``: the tables of Qilin (Chen et al., SIGIR 2025, arXiv 2503.00501), both services.

A row of a table is a request of one service, with everything that was shown for it; the log is the
clicks of both services, merged by user and time. ``docs/data/qilin.md`` tells every rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.parquet import ParquetTable
from benchmark.data.sources.logged_requests import LoggedRequests, ids_of, interactions
from benchmark.data.sources.qilin_notes import read_notes
from benchmark.data.sources.qilin_qrels import compare_qrels
from benchmark.data.sources.qilin_tables import SERVICES, Action, Shown, read_table
from benchmark.data.sources.reader import Reader, Rules, Wanted, files_of
from benchmark.data.sources.source import TEST, TRAINING, Origin, Source, Texts
from benchmark.plain_text import plain

__all__ = ["READER", "QilinRules"]

_PAD = 1983938
"""Fills lists of recent clicks; the number of notes as published."""


Grade = Annotated[float, Field(ge=1e-6, le=1e6)]


class QilinRules(Rules):
    """What a card may decide about Qilin.

    Attributes:
        grades: by action, what it makes of a note that was shown; the highest counts, and a note
            without any of these actions is a wrong candidate. Officially a click, and nothing else.
        min_page_time: seconds on a note's page below which nothing counts for it; a page time that
            is missing or -1 is unknown and no reason.
        recent: whether the notes that a request says its user had clicked before it stand in
            histories (``history``) or nowhere (``ignore``).
    """

    grades: dict[Action, Grade] = Field(default={"click": 1.0}, min_length=1)
    min_page_time: Annotated[float, Field(gt=0)] | None = None
    recent: Literal["history", "ignore"] = "history"


@dataclass(frozen=True)
class _Table:
    """A table of requests that is read.

    Attributes:
        name: as a card calls it.
        table: its files.
        first: the number of its first request over all tables.
        rows: what it holds.
    """

    name: str
    table: ParquetTable
    first: int
    rows: Shown


def _read(files: Mapping[str, Path], rules: QilinRules, wanted: Wanted) -> Source:
    """Read all tables; of the notes only the texts that the card names.

    Raises:
        InputError: malformed files, or under ``strict`` anything that would be cleaned.
    """
    cleaning = wanted.cleaning
    items = read_notes(files_of(files, "notes"), wanted.columns)
    tables: list[_Table] = []
    first = 0
    for service in SERVICES:
        for part in ("train", "test"):
            name = f"{service.name}_{part}"
            if name not in files:
                continue
            table = ParquetTable(files_of(files, name))
            rows = read_table(table, service, rules.grades, rules.min_page_time)
            tables.append(_Table(name, table, first, rows))
            first += len(table)
            if part == "test" and (qrels := files.get(f"{service.name}_qrels")) is not None:
                compare_qrels(qrels, table, rows, cleaning)
    log = _merged(tables, len(items), rules, cleaning)
    if not (log.grade > 0).any():
        path = tables[0].table.paths[0]
        raise complain(path, None, "no request of any table has a note that its user took")
    if "user_feat" in files:
        _check_users(files_of(files, "user_feat"), log, _origin(tables), cleaning)
    inter, told = interactions(log, _origin(tables))
    words = inter.queries
    return Source(
        inter,
        items,
        Texts(words, {"query": words.cast(pa.large_string())}),
        (*_moments(tables), *told),
    )


def _merged(
    tables: Sequence[_Table], notes: int, rules: QilinRules, cleaning: Cleaning
) -> LoggedRequests:
    """Return the requests of all tables that have a user and a time, and their known notes."""
    kept = np.concatenate([_whole(each, cleaning) for each in tables])
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    user, users = ids_of(_joined(tables, "user")[kept])
    request, note, grade = _known(tables, "note", notes, cleaning)
    recent, clicked, _ = _known(tables, "recent_note", notes, cleaning)
    if rules.recent == "ignore":
        recent, clicked = recent[:0], clicked[:0]
    mine, own = number[request] >= 0, number[recent] >= 0
    query, words = _coded([each.rows.words for each in tables])
    part = [TEST if each.name.endswith("_test") else TRAINING for each in tables]
    return LoggedRequests(
        user=user,
        time=_joined(tables, "time")[kept].astype(np.int64),
        query=query[kept],
        part=np.repeat(part, [len(each.table) for each in tables]).astype(np.uint8)[kept],
        row=np.flatnonzero(kept),
        request=number[request[mine]],
        item=note[mine].astype(np.int32),
        grade=grade[mine],
        recent_request=number[recent[own]],
        recent_item=clicked[own].astype(np.int32),
        users=users,
        items=pc.cast(pa.array(np.arange(notes)), pa.string()),
        queries=words,
    )


def _joined(tables: Sequence[_Table], column: str) -> NDArray:
    return np.concatenate([getattr(each.rows, column) for each in tables])


def _whole(each: _Table, cleaning: Cleaning) -> NDArray[np.bool_]:
    """Return which requests of a table have a user and a time; tell of the others."""
    rows, kept = each.rows, np.ones(len(each.table), dtype=np.bool_)
    for name, missing in (("user_idx", rows.user < 0), ("timestamp", ~np.isfinite(rows.time))):
        lost = missing & kept
        if lost.any():
            path, line = each.table.where(int(np.argmax(lost)))
            fault, count = f"a request without a {name}", f"{lost.sum()} of {len(lost)} requests"
            cleaning.report(path, line, fault, count, "they are left out")
            kept &= ~lost
    return kept


def _known(
    tables: Sequence[_Table], column: Literal["note", "recent_note"], notes: int, cleaning: Cleaning
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return request, note and grade of what was shown, or had been clicked; tell of no notes."""
    found = []
    for each in tables:
        rows = each.rows
        note = getattr(rows, column)
        request = rows.request if column == "note" else rows.recent_request
        grade = rows.grade if column == "note" else np.ones(len(note), dtype=np.float32)
        known = (note >= 0) & (note < notes)
        lost = ~known if column == "note" else ~known & (note != _PAD) & (note != notes)
        if lost.any():
            first = int(np.argmax(lost))
            path, line = each.table.where(int(request[first]))
            value = "none" if note[first] < 0 else str(note[first])
            what = "shown" if column == "note" else "recently clicked"
            fault = f"note_idx {value} is no row of the notes, which are {notes}"
            count = f"{lost.sum()} of {len(lost)} {what} notes"
            cleaning.report(path, line, fault, count, "they are left out")
        found.append((request[known] + each.first, note[known], grade[known]))
    request, note, grade = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return request, note, grade


def _coded(words: Sequence[pa.Array]) -> tuple[NDArray[np.int32], pa.Array]:
    """Return the query of each request, -1 where it is no search, and the distinct queries."""
    coded = pa.chunked_array([w.cast(pa.string()) for w in words]).combine_chunks()
    coded = coded.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.int32), coded.dictionary


def _origin(tables: Sequence[_Table]) -> Origin:
    begins = [each.first for each in tables]

    def find(row: int) -> tuple[Path, int]:
        each = tables[int(np.searchsorted(begins, row, side="right")) - 1]
        return each.table.where(row - each.first)

    return find


def _moments(tables: Sequence[_Table]) -> list[str]:
    """Return a line for each table whose requests show results of more than one moment."""
    return [
        f"{each.name}: {each.rows.stretched} of {len(each.table)} requests were shown bit by bit;"
        " the earliest moment stands for each"
        for each in tables
        if each.rows.stretched
    ]


def _check_users(
    paths: Sequence[Path], log: LoggedRequests, origin: Origin, cleaning: Cleaning
) -> None:
    """Tell of users without a row; their events stay, as nothing else is taken from that table."""
    listed = len(ParquetTable(paths))
    number = log.users.cast(pa.int64()).to_numpy()
    lost = number >= listed
    if lost.any():
        first = int(np.argmax(lost[log.user]))
        fault = f"user_idx {number[log.user[first]]} is not in {plain(paths[0].name, 40)}"
        count = f"{lost.sum()} of {len(lost)} users"
        cleaning.report(*origin(int(log.row[first])), fault, count, "their events are kept")


_TRAINS, _TESTS = (tuple(f"{each.name}_{part}" for each in SERVICES) for part in ("train", "test"))
READER = Reader(
    needed=("notes", *_TRAINS),
    optional=(*_TESTS, "user_feat", "search_qrels", "recommendation_qrels"),
    rules=QilinRules,
    read=_read,
    several=("notes", *_TRAINS, *_TESTS, "user_feat"),
)
