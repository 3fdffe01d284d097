"""Times as whole numbers: steps of the source's unit, or ranks where no steps hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.sources.atomic.parse import Rows
from benchmark.data.sources.cleaning import Cleaning

__all__ = ["times"]

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
