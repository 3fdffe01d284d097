"""One table of Qilin's requests, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.kinds import fits, is_list, many_of
from benchmark.data.sources.files.parquet import ParquetTable, real_numbers
from benchmark.errors import did_you_mean

__all__ = ["SERVICES", "Action", "Service", "Shown", "read_table"]

Action = Literal["click", "like", "collect", "comment", "share"]
_RECENT = "recent_clicked_note_idxs"
_LATEST = 2.0**53
"""Whole seconds beyond which floats skip some, and any clock is long broken."""


@dataclass(frozen=True)
class Service:
    """What differs between the tables of the two services.

    Attributes:
        name: as the tables' names begin.
        details: the column of what was shown.
        clocks: names of its field that tells the time; the first is as documented.
        searches: whether requests have words that were typed.
    """

    name: str
    details: str
    clocks: tuple[str, ...]
    searches: bool


SERVICES = (
    Service("search", "search_result_details_with_idx", ("search_timestamp", "timestamp"), True),
    Service(
        "recommendation", "rec_result_details_with_idx", ("request_timestamp", "timestamp"), False
    ),
)


@dataclass(frozen=True)
class Shown:
    """The rows of a table; numbers of requests are those of its rows.

    Attributes:
        user: int64 ``[requests]``, -1 where there is none.
        time: float64 ``[requests]``, whole seconds, infinite where there is none.
        words: text ``[requests]``, null where the request is no search.
        request: int64 ``[shown]``; likewise ``note`` (-1 where there is none), the float32
            ``grade`` and whether it was ``clicked``.
        recent_request: int64 ``[recent]``; likewise ``recent_note``.
        stretched: how many requests have results of more than one moment.
    """

    user: NDArray[np.int64]
    time: NDArray[np.float64]
    words: pa.Array
    request: NDArray[np.int64]
    note: NDArray[np.int64]
    grade: NDArray[np.float32]
    clicked: NDArray[np.bool_]
    recent_request: NDArray[np.int64]
    recent_note: NDArray[np.int64]
    stretched: int


def read_table(
    table: ParquetTable,
    service: Service,
    grades: Mapping[Action, float],
    min_page_time: float | None,
) -> Shown:
    """Read the columns that matter; the words of recommendations are none that a user typed.

    Args:
        table: the files.
        service: whose requests they are.
        grades: by action, as a card's rules have them.
        min_page_time: likewise.

    Raises:
        InputError: a column is missing or of another type, or a time is out of all range.
    """
    clock = _check(table, service)
    columns = ["user_idx", service.details, _RECENT, *(["query"] if service.searches else [])]
    parts: dict[str, list[NDArray]] = {name: [] for name in _ARRAYS}
    words: list[pa.Array] = [pa.array([], pa.large_string())]
    for first, batch in table.batches(columns):
        details = batch.column(service.details)
        shown = pc.list_flatten(details)
        grade, clicked = _grades(shown, grades, min_page_time)
        recent = batch.column(_RECENT)
        arrays = {
            "user": _whole_numbers(batch.column("user_idx")),
            "request": _owners(details) + first,
            "note": _whole_numbers(pc.struct_field(shown, "note_idx")),
            "stamp": np.floor(_real(pc.struct_field(shown, clock))),
            "grade": grade,
            "clicked": clicked,
            "recent_request": _owners(recent) + first,
            "recent_note": _whole_numbers(pc.list_flatten(recent)),
        }
        for name, values in arrays.items():
            parts[name].append(values)
        if service.searches:
            words.append(pc.fill_null(batch.column("query").cast(pa.large_string()), ""))
        else:
            words.append(pa.nulls(len(batch), pa.large_string()))
    whole = {name: np.concatenate([_ARRAYS[name], *parts[name]]) for name in _ARRAYS}
    stamp, request = whole.pop("stamp"), whole["request"]
    _check_clock(table, stamp, request)
    time, latest = (np.full(len(table), end) for end in (np.inf, -np.inf))
    np.fmin.at(time, request, stamp)
    np.fmax.at(latest, request, stamp)
    return Shown(
        **whole,
        time=time,
        words=pa.chunked_array(words).combine_chunks(),
        stretched=int((latest > time).sum()),
    )


_ARRAYS = {
    "user": np.empty(0, np.int64),
    "request": np.empty(0, np.int64),
    "note": np.empty(0, np.int64),
    "stamp": np.empty(0, np.float64),
    "grade": np.empty(0, np.float32),
    "clicked": np.empty(0, np.bool_),
    "recent_request": np.empty(0, np.int64),
    "recent_note": np.empty(0, np.int64),
}


def _check(table: ParquetTable, service: Service) -> str:
    """Check the types of all columns, and return the name of the field that tells the time."""
    words = {"query": pa.string()} if service.searches else {}
    table.need({"user_idx": pa.int64(), _RECENT: pa.list_(pa.int64()), **words})
    details = table.type_of(service.details)
    if not is_list(details) or not pa.types.is_struct(details.value_type):
        raise table.refused(f"column '{service.details}'", details, "lists of structs")
    fields = {field.name: field.type for field in details.value_type}
    clock = next((name for name in service.clocks if name in fields), service.clocks[0])
    for name in ("note_idx", clock, "page_time", *get_args(Action)):
        place = f"{service.details}.{name}"
        if name not in fields:
            raise complain(table.paths[0], None, f"{place} is missing{did_you_mean(name, fields)}")
        wanted = pa.int64() if name == "note_idx" else pa.float64()
        if not fits(fields[name], wanted):
            raise table.refused(place, fields[name], many_of(wanted))
    return clock


def _owners(lists: pa.Array) -> NDArray[np.int64]:
    """Return the row that each element of lists lies in."""
    return pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)


def _real(values: pa.Array) -> NDArray[np.float64]:
    """Return numbers as floats, NaN where there is none; an integer beyond 2**53 is rounded."""
    return real_numbers(values.cast(pa.float64(), safe=False))


def _whole_numbers(values: pa.Array) -> NDArray[np.int64]:
    """Return integers, -1 where there is none or one that is too large for any index."""
    real = _real(values)
    known = (real >= 0) & (real < 2**31)
    return np.where(known, real, -1).astype(np.int64)


def _grades(
    shown: pa.StructArray, grades: Mapping[Action, float], min_page_time: float | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the grade of each note that was shown, and whether it was clicked."""
    grade = np.zeros(len(shown), dtype=np.float32)
    for action, value in grades.items():
        done = _real(pc.struct_field(shown, action)) > 0
        grade = np.maximum(grade, np.where(done, np.float32(value), np.float32(0)))
    if min_page_time is not None:
        page = _real(pc.struct_field(shown, "page_time"))
        grade[(page >= 0) & (page < min_page_time)] = 0
    return grade, _real(pc.struct_field(shown, "click")) > 0


def _check_clock(
    table: ParquetTable, stamp: NDArray[np.float64], request: NDArray[np.int64]
) -> None:
    wild = np.abs(stamp) > _LATEST
    if wild.any():
        first = int(np.argmax(wild))
        path, line = table.where(int(request[first]))
        raise complain(path, line, f"timestamp {stamp[first]:g} is no time in seconds")
