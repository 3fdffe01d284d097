"""Reader of RecBole's atomic files, as forgiving as RecBole; what is cleaned is told."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.atomic.header import parse_header
from benchmark.data.sources.atomic.numbers import numbers
from benchmark.data.sources.atomic.parse import Rows, parse
from benchmark.data.sources.atomic.repair import Repaired
from benchmark.data.sources.atomic.times import times
from benchmark.data.sources.checksum import Scan, scan
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain, line_of_row
from benchmark.data.sources.source import Interactions, Origin, Texts
from benchmark.plain_text import plain

__all__ = ["read_ids", "read_inter", "read_texts"]

Look = Callable[[Path], Scan]

_IDS = {"user_id": "token", "item_id": "token"}
_GRADES = (1e-6, 1e6)
"""The grades that sums in single precision tell apart."""


def read_inter(
    path: Path,
    grade: str | None = None,
    cleaning: Cleaning | None = None,
    look: Look = scan,
) -> Interactions:
    """Read an ``.inter`` file.

    Events without user, item, time or grade are left out. Where there is no column ``timestamp``,
    the order of the lines stands for the time.

    Args:
        path: the file.
        grade: names the column of grades.
        cleaning: is told what is cleaned.
        look: looks at the bytes of a file, or knows already what they are.

    Raises:
        InputError: anything wrong with the file; the message names file, line and field.
    """
    cleaning = cleaning or Cleaning()
    coded = (*_IDS, "query_id", "session_id")
    if grade in (*coded, "timestamp"):
        raise complain(path, None, f"the card's grade names '{grade}', which has a meaning already")
    fields = parse_header(path, _IDS | ({} if grade is None else {grade: "float"}))
    wanted = {f.name: None for f in fields if f.name in coded}
    wanted |= {f.name: pa.int64() for f in fields if f.name == "timestamp"}
    wanted |= {} if grade is None else {grade: pa.float64()}
    rows = parse(path, fields, wanted, cleaning, look)
    if rows.table.num_rows == 0:
        raise complain(path, None, "the file holds no events; there is a header only")
    keep = np.ones(rows.table.num_rows, dtype=np.bool_)
    for name in _IDS:
        keep &= ~_left_out(rows, name, _is_empty(rows.table.column(name)), keep, cleaning)
    given: dict[str, NDArray] = {}
    for name in sorted(wanted.keys() - coded):
        given[name], missing = numbers(rows, name)
        keep &= ~_left_out(rows, name, missing, keep, cleaning)
    if not keep.any():
        needed = ", ".join((*_IDS, *given))
        raise complain(path, None, f"no event is left; each lacks one of {needed}")
    table = rows.table.filter(pa.array(keep)) if not keep.all() else rows.table
    row = np.flatnonzero(keep)
    time, steps = times(rows, given.get("timestamp"), row, cleaning)
    columns = {name: _codes(table, name) for name in coded}
    found = Interactions(
        user=columns["user_id"][0],
        item=columns["item_id"][0],
        time=time,
        query=columns["query_id"][0],
        session=columns["session_id"][0],
        users=columns["user_id"][1],
        items=columns["item_id"][1],
        queries=columns["query_id"][1],
        sessions=columns["session_id"][1],
        row=row,
        origin=_origin(path, rows.repaired),
        steps=steps,
        grade=None if grade is None else _grades(rows, given[grade][row], row, grade),
    )
    return found if keep.all() else found.compact()


def read_texts(
    path: Path,
    key: str,
    needed: dict[str, str],
    cleaning: Cleaning | None = None,
    columns: Collection[str] | None = None,
    look: Look = scan,
) -> Texts:
    """Read an ``.item`` or ``.query`` file whose rows are named by field ``key``.

    Rows without a key are left out; of those that share one, the fullest is kept, chosen by what
    they hold and not by where they stand.

    Args:
        path: the file.
        key: the field that identifies a row.
        needed: required fields and their types, ``key`` among them.
        cleaning: is told what is cleaned.
        columns: the fields that are wanted beside; all that the file has if not given, or if it
            lacks one of them, as whoever wants it then says which there are.
        look: looks at the bytes of a file, or knows already what they are.

    Raises:
        InputError: anything wrong with the file.
    """
    cleaning = cleaning or Cleaning()
    fields = parse_header(path, needed)
    names = [field.name for field in fields]
    if columns is not None and set(columns) <= set(names):
        names = [name for name in names if name in columns or name in needed]
    rows = parse(path, fields, dict.fromkeys(names, pa.string()), cleaning, look)
    if len(names) < len(fields) and len(rows.table.column(key).unique()) < rows.table.num_rows:
        # Rows of one key are compared as a whole; what is mended was told already.
        rows = parse(path, fields, {f.name: pa.string() for f in fields}, Cleaning(), look)
    empty = _is_empty(rows.table.column(key))
    if empty.any():
        first, count = rows.line(int(np.argmax(empty))), f"{empty.sum()} of {len(empty)} rows"
        cleaning.report(path, first, f"{key} is empty", count, "they are left out")
    row = np.flatnonzero(~empty)
    table = rows.table.take(pa.array(row))
    kept = _one_of_each(rows, table, key, row, cleaning)
    table = table if kept is None else table.take(pa.array(kept))
    columns = {name: _whole(table.column(name)) for name in table.column_names}
    return Texts(columns.pop(key), columns)


def read_ids(path: Path, key: str, cleaning: Cleaning, look: Look = scan) -> pa.Array:
    """Return the distinct values of a column of ids; nothing else of the file is looked at.

    Raises:
        InputError: anything wrong with the file.
    """
    fields = parse_header(path, {key: "token"})
    return parse(path, fields, {key: pa.string()}, cleaning, look).table.column(key).unique()


def _origin(path: Path, repaired: Repaired | None) -> Origin:
    if repaired is None:
        return lambda row: (path, line_of_row(path, row))
    return lambda row: (path, int(repaired.line[row]))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column of text as one array; of 64-bit offsets, as texts of 2 GB and more occur."""
    return column.cast(pa.large_string()).combine_chunks()


def _is_empty(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    if pa.types.is_dictionary(column.type):
        codes, ids = _coded(column)
        return codes == pc.index(ids, "").as_py()
    return pc.equal(column, "").to_numpy().astype(np.bool_)


def _left_out(
    rows: Rows,
    name: str,
    missing: NDArray[np.bool_],
    keep: NDArray[np.bool_],
    cleaning: Cleaning,
) -> NDArray[np.bool_]:
    """Report events that lack something, and return them."""
    lost = missing & keep
    if lost.any():
        first = int(np.argmax(lost))
        cell = plain(rows.table.column(name)[first].as_py(), 40)
        fault = f"{name} '{cell}' is no finite number" if cell else f"{name} is empty"
        count = f"{lost.sum()} of {len(lost)} events"
        cleaning.report(rows.path, rows.line(first), fault, count, "they are left out")
    return lost


def _one_of_each(
    rows: Rows, table: pa.Table, key: str, row: NDArray[np.int64], cleaning: Cleaning
) -> NDArray[np.int64] | None:
    """Return the row of ``table`` that counts for each key, ``None`` where all keys differ.

    It is the one with the fewest empty cells; of several, the first by its cells as UTF-8 bytes,
    column by column in the order of their names. So the order of lines does not matter.
    """
    codes, ids = _coded(table.column(key).dictionary_encode())
    if len(ids) == len(codes):
        return None
    several = np.flatnonzero(np.bincount(codes)[codes] > 1)
    kept = several[_by_content(table.take(pa.array(several)), codes[several])]
    kept = kept[np.unique(codes[kept], return_index=True)[1]]
    of_code = np.zeros(len(ids), dtype=np.int64)
    of_code[codes[kept]] = kept
    again = np.setdiff1d(several, kept)
    one, two = (table.take(pa.array(each)) for each in (of_code[codes[again]], again))
    other = np.zeros(len(again), dtype=np.bool_)
    for name in table.column_names:
        other |= pc.not_equal(one.column(name), two.column(name)).to_numpy().astype(np.bool_)
    first = np.unique(codes, return_index=True)[1]
    second = int(np.setdiff1d(several, first)[0])
    value = plain(ids[int(codes[second])].as_py(), 40)
    before = rows.line(int(row[first[codes[second]]]))
    fault = f"{key} '{value}' is already on line {before}"
    count = f"{len(again)} of {len(codes)} rows repeat one, {other.sum()} with other values"
    remedy = "of each the row with the fewest empty cells is kept, then the first by its bytes"
    cleaning.report(rows.path, rows.line(int(row[second])), fault, count, remedy)
    return np.setdiff1d(np.arange(len(codes)), again)


def _by_content(table: pa.Table, codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the order of rows by code, then by the number of empty cells, then by the cells."""
    columns = [table.column(name) for name in sorted(table.column_names)]
    empty = np.sum([_is_empty(column) for column in columns], axis=0)
    keys = [pa.array(codes), pa.array(empty), *columns]
    names = [str(number) for number in range(len(keys))]
    order = pc.sort_indices(pa.table(keys, names), [(name, "ascending") for name in names])
    return order.to_numpy().astype(np.int64)


def _codes(table: pa.Table, name: str) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes and ids of a column; an empty cell or a missing column is -1."""
    if name not in table.column_names:
        return np.full(table.num_rows, -1, dtype=np.int32), pa.array([], type=pa.string())
    codes, ids = _coded(table.column(name))
    empty = pc.index(ids, "").as_py()
    if empty < 0:
        return codes, ids
    keep = np.flatnonzero(np.arange(len(ids)) != empty)
    renumbered = np.full(len(ids), -1, dtype=np.int32)
    renumbered[keep] = np.arange(len(keep))
    return renumbered[codes], ids.take(pa.array(keep))


def _coded(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes and ids of a column whose chunks share one dictionary."""
    if column.num_chunks == 0:
        return np.zeros(0, dtype=np.int32), pa.array([], type=pa.string())
    codes = np.concatenate([c.indices.to_numpy(zero_copy_only=False) for c in column.chunks])
    return codes.astype(np.int32, copy=False), column.chunk(0).dictionary


def _grades(rows: Rows, values: NDArray, row: NDArray[np.int64], name: str) -> NDArray[np.float32]:
    bad = ~((values == 0) | ((values >= _GRADES[0]) & (values <= _GRADES[1])))
    if bad.any():
        low, high = _GRADES
        text = f"{name} must be 0 for shown and not taken, else a grade from {low:g} to {high:g}"
        text += f" ({bad.sum()} of {len(bad)} events)"
        raise complain(rows.path, rows.line(int(row[np.argmax(bad)])), text)
    return values.astype(np.float32)
