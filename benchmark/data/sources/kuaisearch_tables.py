"""The two tables of KuaiSearch's searches, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.json_lines import json_tables
from benchmark.data.sources.files.lines import Lines
from benchmark.data.sources.source import TEST, TRAINING, VALIDATION
from benchmark.plain_text import plain

__all__ = ["Log", "read_rank", "read_recall"]

_INTEGER, _INTEGERS = pa.int64(), pa.list_(pa.int64())
_SEARCH = {
    "user_id": _INTEGER,
    "session_id": _INTEGER,
    "time_index": _INTEGER,
    "query": pa.string(),
    "split": pa.string(),
}
_PARTS = {"train": TRAINING, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}

_LATEST = 2**53
"""Far from any order of searches, and near enough to 0 that differences do not overflow."""


@dataclass(frozen=True)
class Log:
    """Searches; one may stand here several times.

    Attributes:
        user: int64 ``[searches]``, user_id; likewise ``session`` and ``time``.
        part: uint8 ``[searches]``, as the column ``split`` has it.
        line: int64 ``[searches]``, from 1.
        words: text ``[searches]``.
        owner: int64 ``[shown]``, the search of each item; likewise ``item``, and the float32
            ``grade``.
        recent_owner: int64 ``[recent]``; likewise ``recent``, item_id.
    """

    user: NDArray[np.int64]
    session: NDArray[np.int64]
    time: NDArray[np.int64]
    part: NDArray[np.uint8]
    line: NDArray[np.int64]
    words: pa.ChunkedArray
    owner: NDArray[np.int64]
    item: NDArray[np.int64]
    grade: NDArray[np.float32]
    recent_owner: NDArray[np.int64]
    recent: NDArray[np.int64]


def read_recall(path: Path, clicked: float, purchased: float, cleaning: Cleaning) -> Log:
    """Read the table with a line for each search.

    An item that was clicked or purchased was shown, also where it is not among the shown.

    Args:
        path: the file.
        clicked: the grade of a click; likewise ``purchased``.
        cleaning: is told what is left out.

    Raises:
        InputError: a malformed file.
    """
    grades = {"impressed_item_ids": 0.0, "clicked_item_ids": clicked}
    grades["purchased_item_ids"] = purchased
    parts = _Parts(path, cleaning)
    for line, table in parts.searches({**_SEARCH, **dict.fromkeys(grades, _INTEGERS)}):
        searches = parts.add(line, table)
        for name, grade in grades.items():
            owner, item = _lists(table.column(name))
            parts.add_items(owner + searches, item, np.full(len(item), grade, dtype=np.float32))
    return parts.log()


def read_rank(
    path: Path,
    grades: tuple[float, float] | None,
    recent: Literal["clicked", "both", "ignore"],
    cleaning: Cleaning,
) -> Log:
    """Read the table with a line for each search and item; lines of one search follow each other.

    Args:
        path: the file.
        grades: of a click and of a purchase; ``None`` where the items shown are not wanted.
        recent: which recent items are wanted.
        cleaning: is told what is left out.

    Raises:
        InputError: a malformed file.
    """
    lists = {"clicked": ("clicked",), "both": ("clicked", "purchased"), "ignore": ()}[recent]
    names = [f"recently_{each}_item_ids" for each in lists]
    flags = ("target_item_id", "is_clicked", "is_purchased") if grades else ()
    parts = _Parts(path, cleaning)
    fields = {**_SEARCH, **dict.fromkeys(flags, _INTEGER), **dict.fromkeys(names, _INTEGERS)}
    for line, table in parts.searches(fields):
        begins = _begins(table)
        searches = parts.add(line[begins], table.take(pa.array(begins)))
        if grades:
            item, clicked, purchased = (table.column(name) for name in flags)
            there = pc.is_valid(item).to_numpy()
            owner = np.repeat(np.arange(len(begins)), np.diff([*begins, len(table)]))
            grade = np.maximum(_flag(clicked) * grades[0], _flag(purchased) * grades[1])
            number = pc.fill_null(item, 0).to_numpy()[there]
            parts.add_items(owner[there] + searches, number, grade[there].astype(np.float32))
        for name in names:
            owner, item = _lists(table.column(name).take(pa.array(begins)))
            parts.add_recent(owner + searches, item)
    return parts.log()


class _Parts:
    """Collects the columns of a log, block by block."""

    def __init__(self, path: Path, cleaning: Cleaning) -> None:
        self._path, self._cleaning = path, cleaning
        self._columns: dict[str, list[NDArray]] = {
            **{n: [np.empty(0, np.int64)] for n in ("user", "session", "time", "line", "owner")},
            **{n: [np.empty(0, np.int64)] for n in ("item", "recent_owner", "recent")},
            "part": [np.empty(0, np.uint8)],
            "grade": [np.empty(0, np.float32)],
        }
        self._words: list[pa.Array] = []
        self._searches = 0
        self._lost, self._lines, self._first = 0, 0, 0

    def searches(
        self, fields: Mapping[str, pa.DataType]
    ) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
        """Yield the lines of searches that have a user, a session and a time, and their fields."""
        for line, table in json_tables(Lines(self._path, refuse=True), pa.schema(fields), True):
            keys = [table.column(n) for n in ("user_id", "session_id", "time_index")]
            kept = pc.and_(pc.and_(*map(pc.is_valid, keys[:2])), pc.is_valid(keys[2]))
            lost = np.flatnonzero(~kept.to_numpy())
            if len(lost) and not self._lost:
                self._first = int(line[lost[0]])
            self._lost += len(lost)
            self._lines += len(kept)
            yield (line[kept.to_numpy()], table.filter(kept)) if len(lost) else (line, table)
        if self._lost:
            fault = "user_id, session_id or time_index is missing"
            count = f"{self._lost} of {self._lines} lines"
            self._cleaning.report(self._path, self._first, fault, count, "they are left out")

    def add(self, line: NDArray[np.int64], table: pa.Table) -> int:
        """Add searches, and return how many there were before."""
        before = self._searches
        for name, column in (("user", "user_id"), ("session", "session_id")):
            self._columns[name].append(table.column(column).to_numpy())
        self._columns["time"].append(self._time(table.column("time_index").to_numpy(), line))
        self._columns["part"].append(self._part(table.column("split"), line))
        self._columns["line"].append(line)
        self._words += pc.fill_null(table.column("query"), "").chunks
        self._searches += len(table)
        return before

    def add_items(
        self, owner: NDArray[np.int64], item: NDArray[np.int64], grade: NDArray[np.float32]
    ) -> None:
        """Add items that were shown."""
        for name, values in (("owner", owner), ("item", item), ("grade", grade)):
            self._columns[name].append(values)

    def add_recent(self, owner: NDArray[np.int64], item: NDArray[np.int64]) -> None:
        """Add items that were clicked or purchased before."""
        for name, values in (("recent_owner", owner), ("recent", item)):
            self._columns[name].append(values)

    def log(self) -> Log:
        """Return all that was added."""
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        return Log(**columns, words=pa.chunked_array(self._words, pa.string()))

    def _time(self, time: NDArray[np.int64], line: NDArray[np.int64]) -> NDArray[np.int64]:
        wild = np.flatnonzero((time > _LATEST) | (time < -_LATEST))
        if len(wild):
            text = f"time_index {time[wild[0]]} is beyond {_LATEST:,}; times are counted from 0"
            raise complain(self._path, int(line[wild[0]]), text)
        return time

    def _part(self, split: pa.ChunkedArray, line: NDArray[np.int64]) -> NDArray[np.uint8]:
        names, values = pa.array([*_PARTS]), np.array([*_PARTS.values()], dtype=np.uint8)
        place = pc.index_in(pc.utf8_lower(pc.fill_null(split, "")), value_set=names)
        if place.null_count:
            first = pc.index(pc.is_null(place), True).as_py()
            value, known = split[first].as_py(), ", ".join(_PARTS)
            text = f"split '{plain(value or '', 40)}' is none of {known}"
            raise complain(self._path, int(line[first]), text)
        return values[place.to_numpy()]


def _lists(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row and the number of every element of lists; one that is null is left out."""
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
    number = pc.list_flatten(lists)
    there = pc.is_valid(number).to_numpy(zero_copy_only=False)
    owner = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return owner[there].astype(np.int64), pc.fill_null(number, 0).to_numpy()[there]


def _begins(table: pa.Table) -> NDArray[np.int64]:
    """Return the first row of each stretch of rows that are of one search."""
    new = np.zeros(len(table), dtype=np.bool_)
    new[:1] = True
    for name in _SEARCH:
        column = table.column(name).combine_chunks()
        if name in ("query", "split"):
            column = pc.fill_null(column, "").dictionary_encode().indices
        new[1:] |= np.diff(column.to_numpy()) != 0
    return np.flatnonzero(new)


def _flag(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return pc.greater(pc.fill_null(column, 0), 0).to_numpy()
