"""Reviews of the Amazon releases: who bought what when, and how many stars it got."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.files.codes import coded
from benchmark.data.sources.files.json_lines import json_tables
from benchmark.data.sources.files.lines import Lines

__all__ = ["Reviews", "read_reviews"]

_FIELDS = {
    2014: ("reviewerID", "asin", "unixReviewTime", "overall"),
    2018: ("reviewerID", "asin", "unixReviewTime", "overall"),
    2023: ("user_id", "parent_asin", "timestamp", "rating"),
}
"""User, item, time and stars by release; the time of 2023 is in milliseconds, else in seconds."""
_KINDS = (pa.string(), pa.string(), pa.int64(), pa.float64())


@dataclass(frozen=True)
class Reviews:
    """The reviews of a file, in its order.

    Attributes:
        path: the file.
        line: int64 ``[reviews]``, from 1.
        user: int32 ``[reviews]``, index into ``users``.
        item: int32 ``[reviews]``, index into ``items``.
        time: int64 ``[reviews]``, 0 or more.
        rating: float64 ``[reviews]``, 0 where there is none.
        users: ids, distinct; likewise ``items``.
    """

    path: Path
    line: NDArray[np.int64]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    rating: NDArray[np.float64]
    users: pa.Array
    items: pa.Array


def read_reviews(path: Path, release: int, cleaning: Cleaning) -> Reviews:
    """Read the reviews; those without user, item or time are left out.

    Raises:
        InputError: the file cannot be read, or holds no review.
    """
    names, lines = _FIELDS[release], Lines(path)
    schema = pa.schema(list(zip(names, _KINDS, strict=True)))
    numbers: list[NDArray[np.int64]] = []
    tables: list[pa.Table] = []
    for number, table in json_tables(lines, schema):
        whole = pc.greater_equal(pc.fill_null(table.column(names[2]), -1), 0)
        for name in names[:2]:
            whole = pc.and_(whole, pc.not_equal(pc.fill_null(table.column(name), ""), ""))
        good = whole.to_numpy().astype(np.bool_)
        if not good.all():
            fault = f"{names[0]}, {names[1]} or {names[2]} (release {release}) is missing or no "
            fault += "such value"
            lines.leave_out(int(number[np.argmin(good)]), fault, int((~good).sum()))
        numbers.append(number[good])
        tables.append(table.filter(pa.array(good)))
    lines.tell(cleaning)
    table = pa.concat_tables(tables)
    user, users = coded(table.column(names[0]).chunks)
    item, items = coded(table.column(names[1]).chunks)
    return Reviews(
        path=path,
        line=np.concatenate(numbers),
        user=user,
        item=item,
        time=table.column(names[2]).to_numpy(),
        rating=pc.fill_null(table.column(names[3]), 0.0).to_numpy(),
        users=users,
        items=items,
    )
