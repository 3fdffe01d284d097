"""The tables of items and queries: an id and the columns of text that a card names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.source import Texts
from benchmark.data.sources.tables.cells import as_text, neat
from benchmark.data.sources.tables.coded import Coded
from benchmark.data.sources.tables.events import blaming_cells
from benchmark.data.sources.tables.table import Table
from benchmark.plain_text import plain

__all__ = ["only_listed", "read_texts"]


def read_texts(
    table: Table, key: str, columns: Sequence[str], missing: tuple[str, ...], cleaning: Cleaning
) -> Texts:
    """Return the rows that have an id; of those that share one, the first.

    Args:
        table: of items or queries.
        key: the column of ids.
        columns: of text.
        missing: values that stand for none, beside the empty one.
        cleaning: is told what is left out.

    Raises:
        InputError: a column is missing, or holds no text.
    """
    columns = list(dict.fromkeys(columns))
    wanted = list(dict.fromkeys([key, *columns]))
    table.need(wanted)
    coded, rows = Coded(missing), 0
    parts: dict[str, list[pa.Array]] = {name: [] for name in columns}
    for batch in table.read(wanted):
        with blaming_cells(table, key, rows):
            coded.add(batch[key])
        for name in columns:
            with blaming_cells(table, name, rows):
                parts[name].append(neat(as_text(batch[name]), missing).fill_null(""))
        rows += len(batch[key])
    if not rows:
        raise complain(table.path, None, "the table holds no rows")
    codes, ids = coded.finish()
    kept = _kept(table, codes, ids, cleaning)
    whole = {name: pa.chunked_array(texts, pa.large_string()) for name, texts in parts.items()}
    return Texts(
        ids.take(pa.array(codes[kept])),
        {name: column.take(pa.array(kept)).combine_chunks() for name, column in whole.items()},
    )


def _kept(
    table: Table, codes: NDArray[np.int32], ids: pa.Array, cleaning: Cleaning
) -> NDArray[np.int64]:
    """Return the rows that have an id first."""
    empty = codes < 0
    if empty.all():
        raise complain(table.path, None, "no row has an id")
    if empty.any():
        count = f"{empty.sum()} of {len(empty)} rows"
        line = table.line(int(np.argmax(empty)))
        cleaning.report(table.path, line, "there is no id", count, "they are left out")
    rows = np.flatnonzero(~empty)
    kept = rows[np.sort(np.unique(codes[rows], return_index=True)[1])]
    if len(kept) < len(rows):
        again = int(np.setdiff1d(rows, kept)[0])
        fault = f"id '{plain(ids[int(codes[again])].as_py(), 40)}' stands on an earlier line too"
        count = f"{len(rows) - len(kept)} of {len(rows)} rows"
        line, remedy = table.line(again), "the first of each is kept"
        cleaning.report(table.path, line, fault, count, remedy)
    return kept


def only_listed(texts: Texts, ids: pa.Array) -> Texts:
    """Return the rows whose id is one of ``ids``."""
    known = pc.is_in(texts.ids, value_set=ids.cast(texts.ids.type))
    return texts.take(np.flatnonzero(known.to_numpy(zero_copy_only=False)))
