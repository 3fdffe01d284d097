"""Reader of RecBole's atomic files: columns in one pass, and a precise complaint if that fails.

The good path never visits rows in Python: pyarrow parses the columns. Whenever anything is wrong
the file is walked once more by :func:`benchmark.data.sources.diagnose.locate`, which knows line
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from benchmark.data.sources.checksum import open_file, scan
from benchmark.data.sources.diagnose import (
    Field,
    complain,
    line_of_row,
    locate,
    parse_header,
    shown,
)
from benchmark.errors import InputError

__all__ = ["Interactions", "Texts", "check_users", "read_inter", "read_texts"]

_BLOCK = 8 * 2**20
_GRADES = (1e-6, 1e6)
"""The grades that sums in single precision tell apart."""


@dataclass(frozen=True)
class Interactions:
    """The columns of an ``.inter`` file.

    Attributes:
        user: int32 ``[events]``, index into ``users``.
        item: int32 ``[events]``, index into ``items``.
        time: int64 ``[events]``.
        query: int32 ``[events]``, index into ``queries``; -1 where the cell is empty.
        session: int32 ``[events]``, index into ``sessions``; -1 where the cell is empty.
        users: ids; likewise ``items``, ``queries`` and ``sessions``.
        row: int64 ``[events]``, the row of the file that each event comes from, from 0.
        grade: float32 ``[events]``, 0 or more; ``None`` where no column is named for it.
        scaled: whether times were fractional and are now thousandths of the source's unit.
    """

    path: Path
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    query: NDArray[np.int32]
    session: NDArray[np.int32]
    users: pa.Array
    items: pa.Array
    queries: pa.Array
    sessions: pa.Array
    row: NDArray[np.int64]
    scaled: bool
    grade: NDArray[np.float32] | None = None

    def line(self, event: int) -> int:
        """Return the line of the file that ``event`` comes from."""
        return line_of_row(self.path, int(self.row[event]))

    def only(self, keep: NDArray[np.bool_]) -> Interactions:
        """Return the events where ``keep`` (``[events]``) holds; ids stay as they are."""
        names = ("user", "item", "time", "query", "session", "row")
        columns = {name: getattr(self, name)[keep] for name in names}
        grade = None if self.grade is None else self.grade[keep]
        return replace(self, **columns, grade=grade)


@dataclass(frozen=True)
class Texts:
    """An ``.item`` or ``.query`` file: distinct ids, and every other column as text."""

    ids: list[str]
    columns: dict[str, list[str]]


def read_inter(path: Path, grade: str | None = None) -> Interactions:
    """Read an ``.inter`` file.

    Args:
        path: the file.
        grade: names the column of grades.

    Raises:
        InputError: anything wrong with the file; the message names file, line and field.
    """
    needed = {"user_id": "token", "item_id": "token", "timestamp": "float"}
    known = needed | {"query_id": "token", "session_id": "token"}
    coded = tuple(known)
    if grade in known:
        raise complain(path, None, f"the card's grade names '{grade}', which has a meaning already")
    if grade is not None:
        needed, known = ({**types, grade: "float"} for types in (needed, known))
    table, fields = _read(path, needed, known, coded)
    if table.num_rows == 0:
        raise complain(path, None, "the file holds no events; there is a header only")
    user, users = _codes(table, "user_id")
    item, items = _codes(table, "item_id")
    for name, ids, codes in (("user_id", users, user), ("item_id", items, item)):
        empty = pc.index(ids, "").as_py()
        if empty >= 0:
            row = int(np.argmax(codes == empty))
            raise complain(path, line_of_row(path, row), f"{name} is empty; every event needs one")
    time, scaled = _times(path, table, fields)
    table = table.drop_columns(["user_id", "item_id", "timestamp"])
    query, queries = _optional_codes(table, "query_id")
    session, sessions = _optional_codes(table, "session_id")
    return Interactions(
        path=path,
        user=user,
        item=item,
        time=time,
        query=query,
        session=session,
        users=users,
        items=items,
        queries=queries,
        sessions=sessions,
        row=np.arange(len(user)),
        scaled=scaled,
        grade=None if grade is None else _grades(path, table, grade),
    )


def read_texts(path: Path, key: str, needed: dict[str, str]) -> Texts:
    """Read an ``.item``, ``.query`` or ``.user`` file whose rows are named by field ``key``.

    Args:
        path: the file.
        key: the field that identifies a row; its values are distinct and not empty.
        needed: required fields and their types, ``key`` among them.

    Raises:
        InputError: anything wrong with the file.
    """
    table, fields = _read(path, needed, needed, coded=())
    ids = table.column(key)
    empty = pc.index(ids, "").as_py()
    if empty >= 0:
        raise complain(path, line_of_row(path, empty), f"{key} is empty; every row needs one")
    values = ids.to_pylist()
    if len(set(values)) != len(values):
        raise _duplicate(path, key, values)
    columns = {
        f.name: ["" if v is None else str(v) for v in table.column(f.name).to_pylist()]
        for f in fields
        if f.name != key
    }
    return Texts(values, columns)


def check_users(path: Path) -> int:
    """Check a ``.user`` file and return the number of its rows; nothing else is taken from it."""
    return len(read_texts(path, "user_id", {"user_id": "token"}).ids)


def _read(
    path: Path, needed: dict[str, str], known: dict[str, str], coded: tuple[str, ...]
) -> tuple[pa.Table, tuple[Field, ...]]:
    """Parse a file into a table; columns in ``coded`` come dictionary-encoded."""
    suspicious = scan(path).suspicious
    fields = parse_header(path, needed, known)
    if suspicious:
        locate(path, fields)
    types: dict[str, pa.DataType] = {}
    for f in fields:
        if f.name == "timestamp":
            types[f.name] = pa.int64()
        elif f.type == "float":
            types[f.name] = pa.float64()
        else:
            types[f.name] = (
                pa.dictionary(pa.int32(), pa.string()) if f.name in coded else pa.string()
            )
    if not _has_rows(path):
        empty = {n: pa.array([], type=t) for n, t in types.items()}
        return pa.table(empty), fields
    try:
        table = _parse(path, fields, types)
    except pa.ArrowInvalid:
        if types.get("timestamp") != pa.int64():
            raise _located(path, fields, None) from None
        types["timestamp"] = pa.float64()
        try:
            table = _parse(path, fields, types)
        except pa.ArrowInvalid as error:
            raise _located(path, fields, error) from None
    for f in fields:
        _check_numbers(path, fields, f, table.column(f.name))
    return table, fields


def _parse(path: Path, fields: tuple[Field, ...], types: dict[str, pa.DataType]) -> pa.Table:
    return pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(
            column_names=[f.name for f in fields], skip_rows=1, block_size=_BLOCK, use_threads=False
        ),
        parse_options=pacsv.ParseOptions(
            delimiter="\t",
            quote_char=False,
            double_quote=False,
            escape_char=False,
            newlines_in_values=False,
            ignore_empty_lines=True,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=False
        ),
    ).read_all()


def _has_rows(path: Path) -> bool:
    with open_file(path) as file:
        file.readline()
        while line := file.readline():
            if line.strip(b"\r\n"):
                return True
    return False


def _located(path: Path, fields: tuple[Field, ...], error: Exception | None) -> InputError:
    """Return the complaint about a file that pyarrow refused."""
    locate(path, fields)
    first = str(error).split("\n", maxsplit=1)[0] if error else "it is not a table"
    return complain(path, None, f"cannot be parsed: {shown(first, 120)}")


def _check_numbers(
    path: Path, fields: tuple[Field, ...], f: Field, column: pa.ChunkedArray
) -> None:
    if f.type == "float":
        missing = f.name == "timestamp" and column.null_count > 0
        finite = pc.all(pc.is_finite(column), min_count=0).as_py()
        if missing or not finite:
            raise _located(path, fields, None)
    elif f.type == "float_seq":
        parts: Any = pc.list_flatten(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(column)))
        parts = pc.filter(parts, pc.not_equal(parts, ""))
        try:
            good = pc.all(pc.is_finite(parts.cast(pa.float64())), min_count=0).as_py()
        except pa.ArrowInvalid:
            good = False
        if not good:
            raise _located(path, fields, None)


def _codes(table: pa.Table, name: str) -> tuple[NDArray[np.int32], pa.Array]:
    column = table.column(name).unify_dictionaries()
    if column.num_chunks == 0:
        return np.zeros(0, dtype=np.int32), pa.array([], type=pa.string())
    codes = np.concatenate([c.indices.to_numpy(zero_copy_only=False) for c in column.chunks])
    return codes.astype(np.int32), column.chunk(0).dictionary


def _optional_codes(table: pa.Table, name: str) -> tuple[NDArray[np.int32], pa.Array]:
    """Return codes and ids of an optional column; an empty cell or a missing column is -1."""
    if name not in table.column_names:
        return np.full(table.num_rows, -1, dtype=np.int32), pa.array([], type=pa.string())
    codes, ids = _codes(table, name)
    empty = pc.index(ids, "").as_py()
    if empty < 0:
        return codes, ids
    keep = np.flatnonzero(np.arange(len(ids)) != empty)
    renumbered = np.full(len(ids), -1, dtype=np.int32)
    renumbered[keep] = np.arange(len(keep))
    return renumbered[codes], ids.take(pa.array(keep))


def _times(
    path: Path, table: pa.Table, fields: tuple[Field, ...]
) -> tuple[NDArray[np.int64], bool]:
    raw = table.column("timestamp").to_numpy()
    if (raw < 0).any():
        line = line_of_row(path, int(np.argmax(raw < 0)))
        raise complain(path, line, "timestamp is negative; count time from 0 or from 1970 up")
    if raw.dtype == np.int64:
        return raw, False
    scaled = bool((raw != np.floor(raw)).any())
    values = np.round(raw * 1000) if scaled else raw
    if (values >= 2.0**63).any():
        line = line_of_row(path, int(np.argmax(values >= 2.0**63)))
        raise complain(path, line, "timestamp is too large; it must stay below 2^63")
    return values.astype(np.int64), scaled


def _grades(path: Path, table: pa.Table, name: str) -> NDArray[np.float32]:
    values = table.column(name).to_numpy()
    bad = ~((values == 0) | ((values >= _GRADES[0]) & (values <= _GRADES[1])))
    if bad.any():
        row = int(np.argmax(bad))
        low, high = _GRADES
        text = f"{name} must be 0 for shown and not taken, else a grade from {low:g} to {high:g}"
        raise complain(path, line_of_row(path, row), text)
    return values.astype(np.float32)


def _duplicate(path: Path, key: str, values: list[str]) -> InputError:
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if value in first:
            line, before = line_of_row(path, row), line_of_row(path, first[value])
            text = f"{key} '{shown(value)}' is already on line {before}; keep one of the two"
            return complain(path, line, text)
        first[value] = row
    raise AssertionError("no duplicate among the values")
