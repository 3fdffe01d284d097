"""Times in any usual writing: recognised, brought to one clock, refused where they are absurd."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.tables.cells import (
    CellError,
    as_numbers,
    first_failing,
    is_text,
    plain_type,
)
from benchmark.data.sources.tables.rules import TimeFormat
from benchmark.plain_text import plain

__all__ = ["Clock", "Times"]

_ZONE = r"[0-9]:?[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_NUMBER = r"^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$"
_TIDY = (
    (r"^([0-9]{4})(/?)([0-9]{2})(/?)([0-9]{2})", r"\1-\3-\5"),
    (r"^(.{10}[T ][0-9]{2})([0-9]{2})([0-9]{2})", r"\1:\2:\3"),
    (r"^([0-9]{2})[.]([0-9]{2})[.]([0-9]{4})", r"\3-\2-\1"),
    (r",([0-9]+)", r".\1"),
)
"""Other spellings: slashes, nothing between parts, the day first before dots, decimal commas."""
_ENDS = ((r"\s*(UTC|GMT|z)$", "Z"), (r"\s+([+-][0-9:]+)$", r"\1"))
_SECOND = 10**6
_PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_LATEST = 4_102_444_800 * _SECOND
"""2100-01-01 in microseconds; nothing that was logged lies behind it."""
_YEAR = 365 * 86_400 * _SECOND


@dataclass(frozen=True)
class Times:
    """The times of all rows.

    Attributes:
        time: int64 ``[rows]``, 0 or more; 0 where it is missing.
        missing: bool ``[rows]``.
        second: how many of the unit make a second; ``None`` where the times are positions.
        notes: what was recognised, and what looks wrong.
    """

    time: NDArray[np.int64]
    missing: NDArray[np.bool_]
    second: int | None
    notes: tuple[str, ...]


class Clock:
    """Collects a column of times.

    Args:
        format: how they are written, ``auto`` to recognise it.
        missing: values that stand for none, beside the empty one.
    """

    def __init__(self, format: TimeFormat = "auto", missing: tuple[str, ...] = ()) -> None:
        self._format, self._none = format, missing
        self._values: list[NDArray] = []
        self._missing: list[NDArray[np.bool_]] = []
        self._written: str | None = None
        self._zones: set[bool] = set()
        self._example = ""

    def add(self, column: pa.Array) -> None:
        """Take the next rows.

        Raises:
            CellError: a cell is no time, or not written as the others are.
        """
        column = plain_type(column)
        if is_text(column.type):
            values, missing, written = self._of_text(column)
        elif pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            self._zones.add(getattr(column.type, "tz", None) is not None)
            values, missing = _moments(column)
            written = "iso"
        else:
            values, missing = as_numbers(column, self._none)
            written = "number"
        if not missing.all():
            self._agree(written, int(np.argmin(missing)))
            if not self._example:
                self._example = str(column[int(np.argmin(missing))].as_py())
        self._values.append(values)
        self._missing.append(missing)

    def _of_text(self, column: pa.Array) -> tuple[NDArray, NDArray[np.bool_], str]:
        text = pc.ascii_trim_whitespace(column.cast(pa.large_string()))
        none = pc.is_in(text, value_set=pa.array(["", *self._none], text.type))
        text = pc.if_else(none, pa.scalar(None, text.type), text) if none.true_count else text
        given = text.drop_null()
        if not len(given) or pc.match_substring_regex(given[:1], _NUMBER)[0].as_py():
            try:
                return *as_numbers(text, ()), "number"
            except CellError as error:
                what = f"is no time, or not written as those before it{_shown(text, error.row)}"
                raise CellError(what, error.row) from None
        for zone in ("UTC", None):  # what most files hold, without a look at each letter
            with suppress(pa.ArrowInvalid):
                found = _moments(text.cast(pa.timestamp("us", zone)))
                self._zones.add(zone is not None)
                return *found, "iso"
        return *_moments(self._tidied(text)), "iso"

    def _tidied(self, text: pa.Array) -> pa.Array:
        """Return times of any spelling of ISO 8601, each with a zone."""
        written = text
        for pattern, better in _TIDY:
            text = pc.replace_substring_regex(text, pattern, better)
        for pattern, better in _ENDS:
            text = pc.replace_substring_regex(text, pattern, better)
        text = pc.if_else(pc.match_substring_regex(text, _DAY), _joined(text, "T00:00"), text)
        zone = pc.match_substring_regex(text, _ZONE)
        self._zones.update(zone.drop_null().unique().to_pylist())
        text = pc.if_else(zone, text, _joined(text, "Z"))
        try:
            return text.cast(pa.timestamp("ns", "UTC"))
        except pa.ArrowInvalid:
            row = first_failing(text, pa.timestamp("ns", "UTC"))
            what = f"is no time{_shown(written, row)}; write it as in 2024-05-31T09:30:00+02:00"
            raise CellError(what, row) from None

    def _agree(self, written: str, row: int) -> None:
        if self._format != "auto" and (self._format == "iso") != (written == "iso"):
            other = "a number" if written == "number" else "a date"
            raise CellError(f"is {other}, and the card says '{self._format}'", row)
        if self._written not in (None, written):
            raise CellError("is not written as the times before it", row)
        self._written = written

    def finish(self, line: Callable[[int], int]) -> Times:
        """Return the times of all rows.

        Args:
            line: tells where a row stands, for the notes.

        Raises:
            CellError: a time lies before 1970 or behind 2099.
        """
        missing = np.concatenate(self._missing) if self._missing else np.zeros(0, np.bool_)
        kinds = self._values or [np.zeros(0, dtype=np.int64)]
        values = np.concatenate(kinds)
        self._values, self._missing = [], []
        if not len(values) or missing.all():
            return Times(np.zeros(len(values), dtype=np.int64), missing, None, ())
        if self._written == "iso":
            return self._on_clock(values, missing, self._words(), line)
        if self._format == "auto" and (micro := _calendar(values, missing)) is not None:
            return self._on_clock(micro, missing, "dates (numbers of year, month and day)", line)
        unit = _unit(values[~missing]) if self._format == "auto" else self._format
        if unit == "order":
            return _positions(values, missing, asked=self._format == "order")
        scale = _PER_SECOND[unit]
        too_large = np.abs(values.astype(np.float64)) * (_SECOND / scale) > 4 * _LATEST
        values = np.where(too_large, 0, values)
        micro = values // (scale // _SECOND) if scale > _SECOND else values * (_SECOND // scale)
        micro = np.where(too_large, np.int64(4 * _LATEST), np.round(micro)).astype(np.int64)
        return self._on_clock(micro, missing, f"{unit} since 1970", line)

    def _words(self) -> str:
        zones = {
            frozenset({True}): "with a zone",
            frozenset({False}): "without a zone, taken for UTC",
        }
        mixed = "partly without a zone, which is taken for UTC"
        return f"dates (ISO 8601) {zones.get(frozenset(self._zones), mixed)}"

    def _on_clock(
        self,
        micro: NDArray[np.int64],
        missing: NDArray[np.bool_],
        written: str,
        line: Callable[[int], int],
    ) -> Times:
        absurd = ((micro < 0) | (micro >= _LATEST)) & ~missing
        if absurd.any():
            row = int(np.argmax(absurd))
            count = f"{absurd.sum()} of {len(micro)} rows"
            raise CellError(
                f"would lie {'before 1970' if micro[row] < 0 else 'behind 2099'}, read as {written}"
                f" ({count}); mend the column, or let the card's rules name another time",
                row,
            )
        given = micro[~missing]
        second = next(s for s in (1, 10**3, 10**6) if not (given % (_SECOND // s)).any())
        unit = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds"}[second]
        notes = [
            f"times are {written}, as in '{self._example[:40]}', and kept in {unit}; they lie"
            f" between {_day(given.min())} and {_day(given.max())}"
        ]
        early = (micro < _YEAR) & ~missing
        if early.any():
            notes.append(
                f"{early.sum()} of {len(micro)} times lie in 1970, first on line"
                f" {line(int(np.argmax(early)))}: a time that is missing, or in another unit? Let"
                " the card's rules name what stands for none (missing) or the unit (time)"
            )
        return Times(micro // (_SECOND // second), missing, second, tuple(notes))


def _shown(text: pa.Array, row: int | None) -> str:
    """Return a cell in brackets."""
    return "" if row is None else f" ('{plain(text[row].as_py(), 40)}')"


def _calendar(values: NDArray, missing: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Return times such as 20240531 or 20240531093000 in microseconds since 1970, in UTC.

    ``None`` where a number is no such date; positions that all are would be a strange accident.
    """
    given = values[~missing]
    if given.dtype != np.int64:
        return None
    day, clock = given, np.zeros_like(given)
    if given.min() > 10**13:
        day, clock = given // 10**6, given % 10**6
    if day.min() < 1970_01_01 or day.max() > 2099_12_31:
        return None
    hour, minute, second = clock // 10**4, clock // 100 % 100, clock % 100
    month, date = day // 100 % 100, day % 100
    if (month < 1).any() or (month > 12).any() or (date < 1).any():
        return None
    months = ((day // 10**4 - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (date - 1)
    if (days.astype("datetime64[M]") != months).any() or (hour > 23).any():
        return None
    if (minute > 59).any() or (second > 59).any():
        return None
    found = np.zeros(len(values), dtype=np.int64)
    seconds = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second
    found[~missing] = seconds * _SECOND
    return found


def _unit(values: NDArray) -> TimeFormat:
    """Return the unit in which most of ``values`` lie between 1973 and 5138."""
    usual = float(np.median(np.abs(values)))
    bounds: tuple[tuple[float, TimeFormat], ...] = (
        (1e8, "order"),
        (1e11, "seconds"),
        (1e14, "milliseconds"),
        (1e17, "microseconds"),
    )
    return next((unit for bound, unit in bounds if usual < bound), "nanoseconds")


def _positions(values: NDArray, missing: NDArray[np.bool_], asked: bool) -> Times:
    given = values[~missing]
    whole = values.dtype == np.int64 or not (given % 1).any()
    low = given.min()
    if whole and abs(float(low)) < 2**62 and float(given.max()) < 2**62:
        shifted = values.astype(np.int64) - min(int(low), 0)
    else:
        shifted = np.unique(values, return_inverse=True)[1].astype(np.int64)
    shifted = np.where(missing, 0, shifted)
    note = (
        f"times run from {low:g} to {given.max():g}, which would lie in the first years from 1970:"
        " they are taken for positions and no clock (time: order); if they are a clock, let the"
        " card's rules name its unit"
    )
    return Times(shifted, missing, None, () if asked else (note,))


def _moments(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    zone = getattr(column.type, "tz", None)
    micro = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    missing = micro.is_null().to_numpy(zero_copy_only=False)
    return micro.fill_null(0).to_numpy(zero_copy_only=False), missing


def _joined(text: pa.Array, end: str) -> pa.Array:
    return pc.binary_join_element_wise(text, pa.scalar(end, text.type), pa.scalar("", text.type))


def _day(micro: np.int64) -> str:
    return datetime.fromtimestamp(int(micro) / _SECOND, timezone.utc).strftime("%Y-%m-%d %H:%M")
