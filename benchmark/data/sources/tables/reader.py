"""Format ``table``: events, items and queries as CSV, TSV, Parquet or JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.reader import Reader, Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.data.sources.tables.cells import CellError, as_text
from benchmark.data.sources.tables.events import read_events
from benchmark.data.sources.tables.json_lines import field_names
from benchmark.data.sources.tables.open_file import open_table
from benchmark.data.sources.tables.rules import Reading, TableRules
from benchmark.data.sources.tables.table import Table
from benchmark.data.sources.tables.texts import only_listed, read_texts
from benchmark.data.sources.unused_queries import hold_words, told, unused_queries
from benchmark.plain_text import plain

__all__ = ["READER", "read_tables"]

_HEAD = 1_000
"""Cells that are looked at to tell whether a column holds words."""


def _read(files: Mapping[str, Path], rules: TableRules, wanted: Wanted) -> Source:
    """Read the files, of which those of items and queries may be missing.

    Raises:
        InputError: malformed files, or under ``strict`` anything that would be cleaned.
    """
    tables = {
        what: open_table(
            path, rules.files.get(what, Reading()), wanted.cleaning, f"rules.files.{what}"
        )
        for what, path in files.items()
    }
    return read_tables(tables, rules, wanted)


def read_tables(tables: Mapping[str, Table], rules: TableRules, wanted: Wanted) -> Source:
    """Return the source of tables.

    Args:
        tables: ``events``, and where there are any ``items`` and ``queries``.
        rules: how they are read.
        wanted: what the card asks for.

    Raises:
        InputError: anything wrong with them.
    """
    cleaning, missing = wanted.cleaning, rules.missing
    items = queries = None
    if "items" in tables:
        items = read_texts(
            tables["items"], rules.item_columns.id, wanted.columns, missing, cleaning
        )
    elif wanted.columns:
        names = ", ".join(wanted.columns)
        raise complain(
            tables["events"].path, None, f"the card names columns of items ({names}), but no items"
        )
    listed = None if items is None else items.ids
    inter = read_events(tables["events"], rules, cleaning, listed)
    if "queries" in tables:
        text = rules.query_columns.text
        read = read_texts(tables["queries"], rules.query_columns.id, (text,), missing, cleaning)
        queries = Texts(read.ids, {"query": read.columns[text]})
        inter = _of_known_queries(inter, queries, tables, cleaning)
    elif len(inter.queries):
        queries = Texts(inter.queries, {"query": inter.queries})
    if rules.columns.query is None:
        cleaning.notes.extend(_unused_queries(tables["events"], rules))
    if items is None:
        items = Texts(inter.items, {})
    elif rules.at_least.item > 1:
        items = only_listed(items, inter.items)
    return Source(inter, items, queries)


def _unused_queries(table: Table, rules: TableRules) -> Iterator[str]:
    """Yield a line for each column that looks like queries; only the first rows are read."""
    names = table.names if table.names is not None else field_names(table.path)[0]
    for name in unused_queries(names, rules.columns.named().values()):
        if list(names).count(name) > 1:
            continue
        head = next(iter(table.read([name])), {name: pa.nulls(0, pa.string())})[name]
        try:
            cells = as_text(head.slice(0, _HEAD)).drop_null().to_pylist()
        except (CellError, pa.ArrowException):
            continue
        if hold_words(cells):
            mend = "name it as query under columns, if it is"
            yield f"{plain(table.path.name, 80)}: {told(name, mend)}"


def _of_known_queries(
    inter: Interactions, queries: Texts, tables: Mapping[str, Table], cleaning: Cleaning
) -> Interactions:
    """Return the events without a query, and those whose query has words."""
    known = pc.is_in(inter.queries, value_set=queries.ids.cast(inter.queries.type))
    lost = ~np.append(known.to_numpy(zero_copy_only=False), True)[inter.query]
    if not lost.any():
        return inter
    event = int(np.argmax(lost))
    (path, line), value = inter.where(event), inter.queries[int(inter.query[event])].as_py()
    fault = f"query '{plain(value, 40)}' is not in {plain(tables['queries'].path.name, 40)}"
    count = f"{lost.sum()} of {len(lost)} events"
    if lost.all():
        raise complain(path, line, f"{fault}, nor is that of any event")
    cleaning.report(path, line, fault, count, "they are left out")
    return inter.only(~lost).compact()


READER = Reader(needed=("events",), optional=("items", "queries"), rules=TableRules, read=_read)
