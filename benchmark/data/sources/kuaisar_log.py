"""KuaiSAR's ``rec_inter.csv`` and ``src_inter.csv`` as columns: one row for each item shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.files.delimited import CODED, csv_layout, delimited
from benchmark.data.sources.files.lines import Faults, Lines
from benchmark.data.sources.files.table_file import TableFile
from benchmark.data.sources.files.token_lists import words_of_tokens
from benchmark.data.sources.kuaisar_rules import KuaisarRules
from benchmark.plain_text import plain

__all__ = ["Exposures", "read_recommended", "read_searched"]

_LATEST = 2.0**53
"""Milliseconds that a float tells apart."""
_IDS = {"user_id": pa.int64(), "item_id": pa.int64()}


@dataclass(frozen=True)
class Exposures:
    """Items shown by one service, ``[rows]`` each.

    Attributes:
        user: int64 id.
        item: int64 id.
        time: int64, milliseconds since 1970.
        grade: float32, 0 where the item was not taken.
        line: int64, of the file, from 1.
        session: int64 id; 0 where items were recommended.
        query: int32, index into ``words``; -1 where items were recommended.
        words: the distinct queries, tokens separated by blanks.
        notes: what the rules left out.
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.int64]
    grade: NDArray[np.float32]
    line: NDArray[np.int64]
    session: NDArray[np.int64]
    query: NDArray[np.int32]
    words: pa.Array
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.user)

    def followed_by(self, other: Exposures) -> Exposures:
        """Return the rows of both services; ``words`` are those of ``other``."""
        mine, theirs = self._columns(), other._columns()
        changed: dict[str, Any] = {n: np.concatenate([mine[n], theirs[n]]) for n in mine}
        return replace(other, **changed)

    def only(self, keep: NDArray[np.bool_]) -> Exposures:
        """Return the rows where ``keep`` holds."""
        if keep.all():
            return self
        changed: dict[str, Any] = {n: column[keep] for n, column in self._columns().items()}
        return replace(self, **changed)

    def _columns(self) -> dict[str, NDArray[Any]]:
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: each for name, each in values.items() if isinstance(each, np.ndarray)}


def read_recommended(file: TableFile, rules: KuaisarRules, cleaning: Cleaning) -> Exposures:
    """Read ``rec_inter.csv``; a row without user, item, time or label is left out and told.

    Raises:
        InputError: the file is malformed, or no row is whole.
    """
    labels = [label for label in rules.positive if label != "long-view"]
    watched = ["playing_time", "duration_ms"] if "long-view" in rules.positive else []
    kinds = {**_IDS, **{name: pa.float64() for name in ("timestamp", *labels, *watched)}}
    table, whole = _Table(file, kinds, "timestamp", cleaning), 0
    parts: list[list[NDArray[Any]]] = []
    for line, batch in table.whole_rows():
        whole += len(line)
        grade = np.zeros(len(line), dtype=np.float32)
        for label, worth in rules.positive.items():
            holds = _is_long(batch, rules) if label == "long-view" else _numbers(batch, label) > 0
            grade = np.where(holds & (worth > grade), np.float32(worth), grade)
        keep = grade > 0 if rules.exposures == "drop" else np.ones(len(line), dtype=np.bool_)
        columns: list[NDArray[Any]] = [*_common(batch, "timestamp"), grade, line]
        parts.append([column[keep] for column in columns])
    table.finish(whole)
    user, item, time, grade, line = _joined(parts)
    session = np.zeros(len(user), dtype=np.int64)
    query = np.full(len(user), -1, dtype=np.int32)
    empty = pa.array([], pa.string())
    return Exposures(user, item, time, grade, line, session, query, empty)


def read_searched(file: TableFile, rules: KuaisarRules, cleaning: Cleaning) -> Exposures:
    """Read ``src_inter.csv``; a row without query or a needed number is left out and told.

    Raises:
        InputError: the file is malformed, or no row is whole.
    """
    clock = "search_session_timestamp"
    kinds = {**_IDS, "search_session_id": pa.int64(), clock: pa.float64()}
    kinds |= {"click_cnt": pa.float64(), "keyword": CODED}
    kinds |= {} if rules.item_types is None else {"item_type": CODED}
    table, whole = _Table(file, kinds, clock, cleaning), 0
    parts: list[list[NDArray[Any]]] = []
    texts: list[pa.DictionaryArray] = []
    worth = np.float32(rules.positive.get("click", 1.0))
    for line, batch in table.whole_rows():
        query, proper = _query_words(batch.column("keyword"))
        table.faults.add("keyword is no list of integer tokens, or empty", line[~proper])
        keep = proper & _of_types(batch, rules)
        whole += int(proper.sum())
        grade = np.where(_numbers(batch, "click_cnt") > 0, worth, np.float32(0))
        session = batch.column("search_session_id").to_numpy()
        columns: list[NDArray[Any]] = [*_common(batch, clock), grade, line, session]
        parts.append([column[keep] for column in columns])
        texts.append(query.filter(pa.array(keep)))
    table.finish(whole)
    user, item, time, grade, line, session = _joined(parts)
    notes = []
    if len(user) < whole:
        types = ", ".join(rules.item_types or ())
        name = plain(file.path.name, 40)
        notes.append(
            f"{name}: {whole - len(user)} of {whole} rows are of other item types"
            f" than {types} and are left out"
        )
    query, words = _numbered(pa.chunked_array(texts, CODED))
    return Exposures(user, item, time, grade, line, session, query, words, tuple(notes))


class _Table:
    """The rows of a file that have every number that is asked for; the others are counted."""

    def __init__(
        self, file: TableFile, kinds: dict[str, pa.DataType], time: str, cleaning: Cleaning
    ) -> None:
        self._file, self._kinds, self._time = file, kinds, time
        self.faults, self._rows = Faults(file.path, cleaning), 0

    def whole_rows(self) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
        """Yield the numbers of lines, and their rows, some thousand at a time."""
        layout = csv_layout(self._file, self._kinds)
        for line, table in delimited(Lines(self._file, refuse=True), layout):
            batch = table.to_batches()[0]
            self._rows += len(batch)
            keep = np.ones(len(batch), dtype=np.bool_)
            for name in self._kinds:
                if batch.column(name).null_count:
                    there = batch.column(name).is_valid().to_numpy(zero_copy_only=False)
                    self.faults.add(f"{name} is empty", line[keep & ~there])
                    keep &= there
            moment = pc.fill_null(batch.column(self._time), 0.0).to_numpy(zero_copy_only=False)
            sound = (moment >= 0) & (moment <= _LATEST)
            if not sound.all():
                self.faults.add(f"{self._time} is no moment since 1970", line[keep & ~sound])
                keep &= sound
            yield (line, batch) if keep.all() else (line[keep], batch.filter(pa.array(keep)))

    def finish(self, whole: int) -> None:
        """Tell what was left out, or refuse a file of which nothing is left."""
        if not whole:
            raise self.faults.refused(self._rows)
        self.faults.tell(self._rows)


def _query_words(column: pa.DictionaryArray) -> tuple[pa.DictionaryArray, NDArray[np.bool_]]:
    """Return the words of each query, and which of them has any."""
    words, _ = words_of_tokens(column.dictionary)
    some = pc.not_equal(words, "").to_numpy(zero_copy_only=False)
    return pa.DictionaryArray.from_arrays(column.indices, words), some[column.indices.to_numpy()]


def _numbered(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes of the queries that occur, and these."""
    column = column.unify_dictionaries()
    code = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
    # "[1,2]" and "[1, 2]" are one query, and a column of one chunk keeps them apart.
    distinct = column.chunk(0).dictionary.dictionary_encode()
    code, words = distinct.indices.to_numpy()[code], distinct.dictionary
    used = np.flatnonzero(np.bincount(code, minlength=len(words)))
    place = np.full(len(words), -1, dtype=np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    return place[code], words.take(pa.array(used))


def _common(batch: pa.RecordBatch, time: str) -> tuple[NDArray[np.int64], ...]:
    user, item = (batch.column(name).to_numpy() for name in _IDS)
    return user, item, _numbers(batch, time).astype(np.int64)


def _numbers(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    return batch.column(name).to_numpy()


def _is_long(batch: pa.RecordBatch, rules: KuaisarRules) -> NDArray[np.bool_]:
    played, whole = _numbers(batch, "playing_time"), _numbers(batch, "duration_ms")
    return (whole > 0) & (played >= np.minimum(whole, rules.long_view * 1000))


def _of_types(batch: pa.RecordBatch, rules: KuaisarRules) -> NDArray[np.bool_]:
    if rules.item_types is None:
        return np.ones(len(batch), dtype=np.bool_)
    types = batch.column("item_type")
    wanted = pc.is_in(types.dictionary, value_set=pa.array(rules.item_types, pa.string()))
    return wanted.to_numpy(zero_copy_only=False)[types.indices.to_numpy()]


def _joined(parts: list[list[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Join the columns of batches, letting go of each as soon as it is joined."""
    joined = []
    for place in range(len(parts[0])):
        joined.append(np.concatenate([part[place] for part in parts]))
        for part in parts:
            part[place] = part[place][:0]
    return joined
