"""KuaiSAR's tables of items, users and followed users."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.delimited import csv_layout, delimited
from benchmark.data.sources.files.lines import Faults, Lines
from benchmark.data.sources.files.table_file import TableFile
from benchmark.data.sources.files.token_lists import words_of_tokens
from benchmark.data.sources.source import Texts
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = ["check_social", "check_users", "ids_as_text", "read_items"]

_PADS = {
    "upload_time": ("1970-01-01", "1970-01-01 00:00:00"),
    "author_id": ("0",),
    "music_id": ("0",),
    **{f"{level}_level_category_id": ("0",) for level in ("first", "second", "third", "fourth")},
    **{
        f"{level}_level_category_name{tongue}": ("空", "empty")
        for level in ("first", "second", "third", "fourth")
        for tongue in ("", "_en")
    },
}
"""What stands where there is nothing."""


def ids_as_text(ids: NDArray[np.int64]) -> pa.Array:
    """Return ids as the text that names them."""
    return pa.array(ids).cast(pa.string())


def read_items(
    file: TableFile,
    columns: tuple[str, ...],
    known: NDArray[np.int64],
    listed: bool,
    cleaning: Cleaning,
) -> Texts:
    """Read ``item_features.csv``: of pads nothing is left, of a list of tokens its words.

    Args:
        file: the table.
        columns: those to read.
        known: distinct ids, ascending, ``[items]``; without a row their columns are "".
        listed: return the items of the table that are not ``known`` too.
        cleaning: is told what is cleaned.

    Raises:
        InputError: the file is malformed, has no such column, or has none of the items.
    """
    names = tuple(csv_layout(file, {"item_id": pa.int64()}).fields)
    for name in columns:
        if name not in names or name == "item_id":
            text = f"items have no field '{plain(name, 40)}'{did_you_mean(name, names)}"
            raise complain(file.path, 1, text)
    kinds = {"item_id": pa.int64(), **dict.fromkeys(columns, pa.string())}
    faults, parts, total = Faults(file.path, cleaning), [], 0
    for line, table in delimited(Lines(file, refuse=True), csv_layout(file, kinds)):
        batch = table.to_batches()[0]
        total += len(batch)
        ids, empty = _ids(batch.column("item_id"))
        faults.add("item_id is empty", line[empty])
        keep = ~empty if listed else ~empty & _among(ids, known)
        kept = batch if keep.all() else batch.filter(pa.array(keep))
        number = line[keep]
        texts = [_cleaned(name, kept.column(name), number, faults) for name in columns]
        parts.append([ids[keep], number, *texts])
    faults.tell(total)
    if not parts or not any(len(part[0]) for part in parts):
        raise complain(file.path, None, "holds none of the items that the log names")
    return _table(file, columns, parts, known, cleaning)


def _table(
    file: TableFile,
    columns: tuple[str, ...],
    parts: list[list],
    known: NDArray[np.int64],
    cleaning: Cleaning,
) -> Texts:
    """Return the first row of each item, and blank ones of the items that have none."""
    ids, line = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    distinct, first = np.unique(ids, return_index=True)
    if len(first) < len(ids):
        again = np.setdiff1d(np.arange(len(ids)), first)
        fault = f"item_id {ids[again[0]]} has a row already"
        count = f"{len(again)} of {len(ids)} rows"
        cleaning.report(file.path, int(line[again[0]]), fault, count, "the first is kept")
    bare = known[~_among(known, distinct)]
    if len(bare):
        name = plain(file.path.name, 40)
        cleaning.notes.append(
            f"{name}: {len(bare)} of {len(known)} items of the log have no row;"
            " they are kept without text"
        )
    blank = pa.array(np.full(len(bare), ""), pa.string())
    texts = {}
    for place, name in enumerate(columns, 2):
        column = pa.chunked_array([part[place] for part in parts], pa.string())
        for part in parts:
            part[place] = None
        whole = column.cast(pa.large_string()).combine_chunks()
        del column
        whole = whole if len(first) == len(ids) else whole.take(pa.array(np.sort(first)))
        texts[name] = pa.concat_arrays([whole, blank.cast(pa.large_string())])
    kept = ids if len(first) == len(ids) else ids[np.sort(first)]
    return Texts(ids_as_text(np.concatenate([kept, bare])), texts)


def check_users(file: TableFile, users: NDArray[np.int64], cleaning: Cleaning) -> None:
    """Check ``user_features.csv``, of which nothing is used, and tell of users without a row.

    Raises:
        InputError: the file is malformed.
    """
    found = _column(file, "user_id", cleaning)
    lost = int((~_among(users, np.unique(found))).sum())
    if lost:
        name = plain(file.path.name, 40)
        cleaning.notes.append(f"{name}: {lost} of {len(users)} users of the log have no row")


def check_social(file: TableFile, cleaning: Cleaning) -> None:
    """Check ``social_network.csv``, of which nothing is used.

    Raises:
        InputError: the file is malformed.
    """
    csv_layout(file, {"user_follow_id": pa.int64()})
    _column(file, "user_id", cleaning)


def _column(file: TableFile, name: str, cleaning: Cleaning) -> NDArray[np.int64]:
    faults, parts, total = Faults(file.path, cleaning), [np.zeros(0, dtype=np.int64)], 0
    for line, table in delimited(Lines(file, refuse=True), csv_layout(file, {name: pa.int64()})):
        ids, empty = _ids(table.to_batches()[0].column(name))
        faults.add(f"{name} is empty", line[empty])
        total += len(line)
        parts.append(ids[~empty])
    faults.tell(total)
    return np.concatenate(parts)


def _ids(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return ids, and which of them are missing."""
    return (
        pc.fill_null(column, 0).to_numpy(zero_copy_only=False),
        column.is_null().to_numpy(zero_copy_only=False),
    )


def _among(ids: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which ids stand in ``known``, which is ascending."""
    found = np.zeros(len(ids), dtype=np.bool_)
    if len(known):
        order = np.argsort(ids)  # neighbours look into the same corner of a long list
        near = np.minimum(np.searchsorted(known, ids[order]), len(known) - 1)
        found[order] = known[near] == ids[order]
    return found


def _cleaned(name: str, column: pa.Array, line: NDArray[np.int64], faults: Faults) -> pa.Array:
    if name == "caption":
        words, proper = words_of_tokens(column)
        odd = pc.invert(pc.or_(proper, pc.equal(column, ""))).to_numpy(zero_copy_only=False)
        faults.add("caption is no list of integer tokens, so the item has none", line[odd])
        return words
    if name in _PADS:
        pad = pc.is_in(column, value_set=pa.array(_PADS[name], pa.string()))
        return pc.if_else(pad, "", column)
    return column
