"""Times as whole numbers: steps of the source's unit, or ranks where no steps hold them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmark.data.days import UNITS, unit_of
from benchmark.data.sources.atomic.parse import Rows
from benchmark.data.sources.cleaning import Cleaning
from benchmark.plain_text import plain

__all__ = ["times"]

_YEAR = 365 * 86_400
_STEPS = (1000, 10**6, 10**9)
"""Of fractional times in a unit: the first that keeps different times apart is taken."""


@np.errstate(over="ignore")  # what overflows fits no step, and is ranked
def times(
    rows: Rows, raw: NDArray | None, row: NDArray[np.int64], cleaning: Cleaning
) -> tuple[NDArray[np.int64], int]:
    """Return the times of the events at ``row`` from 0, and how many steps of them are a unit.

    What differs in ``raw`` stays different and in its order. The steps are 0 where times are ranks:
    the order says something, the distance nothing.

    Args:
        rows: the file.
        raw: its column of times, int64 or float64 ``[rows of the file]``; without one the order of
            the lines stands for it.
        row: int64 ``[events]``.
        cleaning: is told of times that are missing, negative, or only ranks.

    Raises:
        InputError: the card is strict, and something would be told.
    """
    if raw is None:
        fault, remedy = "field timestamp:float is missing", "the order of the lines stands for it"
        cleaning.report(rows.path, 1, fault, f"{len(row)} events", remedy)
        return row, 0
    values = raw[row]
    if (below := values < 0).any():
        line, count = rows.line(int(row[np.argmax(below)])), f"{below.sum()} of {len(row)} events"
        remedy = "time is counted from the earliest"
        cleaning.report(rows.path, line, "timestamp is negative", count, remedy)
        values = values - values.min()
    else:
        cleaning.notes.extend(_of_1970(rows, values, row))
    if values.dtype == np.int64 and (values >= 0).all():  # not so where the difference overflowed
        return values, 1
    ranked, rank = np.unique(raw[row], return_inverse=True)
    whole = bool((values == np.floor(values)).all())
    for steps in (1,) if whole else _STEPS:
        scaled = np.round(values * steps)
        fits = (scaled >= 0).all() and (scaled < 2.0**63).all()
        if fits and len(np.unique(scaled)) == len(ranked):
            return scaled.astype(np.int64), steps
    line = rows.line(int(row[np.argmax(np.abs(values))]))
    fault = "timestamps are too large or too fine to be counted"
    cleaning.report(rows.path, line, fault, f"{len(row)} events", "only their order is kept")
    return rank.astype(np.int64), 0


def _of_1970(rows: Rows, values: NDArray, row: NDArray[np.int64]) -> Iterator[str]:
    """Yield a line where a clock would show 1970, but for positions, which no clock shows.

    Positions begin at 0 or 1 and are no more than the events; a few that are skipped matter not.
    """
    place = plain(rows.path.name, 80)
    usual, last = float(np.median(values)), float(values.max())
    unit = unit_of(int(usual), int(last)) if np.isfinite(last) and last < 2.0**62 else None
    if unit is not None:
        early = (values >= 0) & (values < _YEAR * UNITS[unit])
        if early.any():
            yield (
                f"{place}:{rows.line(int(row[np.argmax(early)]))}: {early.sum()} of {len(values)}"
                " times lie in 1970: a time that is missing, or in another unit? Empty cells are"
                " left out; mend the others"
            )
    elif 2 * len(values) < last < _YEAR:
        first = f"times run from {float(values.min()):.10g} to {last:.10g}"
        yield (
            f"{place}: {first}, which in seconds is all in 1970: their order counts and nothing"
            " else; if they are dates in another unit, write them as seconds"
        )
