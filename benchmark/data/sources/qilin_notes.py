"""Qilin's notes: of two million rows only the texts that a card names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.parquet import ParquetTable
from benchmark.data.sources.source import Texts
from benchmark.plain_text import plain

__all__ = ["read_notes"]

_TAXONOMIES = ("taxonomy1_id", "taxonomy2_id", "taxonomy3_id")
_TEXTS = ("note_title", "note_content", "note_type", *_TAXONOMIES)
_NUMBER = "note_idx"


def read_notes(paths: Sequence[Path], wanted: Sequence[str]) -> Texts:
    """Read the notes, whose ids are the numbers of their rows.

    A taxonomy that is "nan" is none. Counters of notes are never read: they are totals over all
    requests, those of the tests among them.

    Args:
        paths: the files, in order.
        wanted: columns to read.

    Raises:
        InputError: malformed files, files in a wrong order, a column that is no text of a note.
    """
    table = ParquetTable(paths)
    columns = list(dict.fromkeys(wanted))
    for name in columns:
        _check(table, name)
    numbered = [_NUMBER] if table.has(_NUMBER) else []
    if numbered:
        table.need({_NUMBER: pa.int64()})
    parts: dict[str, list[pa.Array]] = {name: [] for name in columns}
    for first, batch in table.batches([*columns, *numbered]) if columns or numbered else ():
        if numbered:
            _check_numbers(table, first, batch.column(_NUMBER))
        for name in columns:
            parts[name].append(_cell(name, batch.column(name)))
    ids = pc.cast(pa.array(np.arange(len(table))), pa.string())
    return Texts(ids, {name: _whole(parts.pop(name)) for name in columns})


def _check(table: ParquetTable, name: str) -> None:
    """Check that a column may be read and is text; a type or a taxonomy may be a number."""
    if name not in _TEXTS and table.has(name):
        reason = "counters are totals that tell test clicks, and other columns are no texts"
        known = ", ".join(_TEXTS)
        fault = (
            f"column '{plain(name, 40)}' of notes is not read: {reason}; a card may name {known}"
        )
        raise complain(table.paths[0], None, fault)
    kind = table.type_of(name)
    if name in ("note_title", "note_content") or not pa.types.is_integer(kind):
        table.need({name: pa.string()})


def _cell(name: str, values: pa.Array) -> pa.Array:
    values = pc.fill_null(values.cast(pa.large_string()), "")
    return pc.if_else(pc.equal(values, "nan"), "", values) if name in _TAXONOMIES else values


def _check_numbers(table: ParquetTable, first: int, values: pa.Array) -> None:
    rows = pa.array(np.arange(first, first + len(values)))
    wrong = pc.fill_null(pc.not_equal(values.cast(pa.int64(), safe=False), rows), True)
    if pc.any(wrong).as_py():
        place = pc.index(wrong, True).as_py()
        path, line = table.where(first + place)
        fault = f"note_idx is {values[place].as_py()} in row {first + place} of all notes"
        raise complain(path, line, f"{fault}; name all files of the notes, in their order")


def _whole(parts: list[pa.Array]) -> pa.Array:
    whole = pa.chunked_array(parts, type=pa.large_string())
    parts.clear()
    return whole.combine_chunks()
