"""A file becomes a table: what kind it is, told by its bytes, and its reader."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from benchmark.data.recognise import HEAD, foreign_text, recognise
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.delimited import SEPARATORS
from benchmark.data.sources.files.table_file import table_file
from benchmark.data.sources.tables.json_lines import json_table
from benchmark.data.sources.tables.parquet import parquet_table
from benchmark.data.sources.tables.rules import FileKind, Reading
from benchmark.data.sources.tables.separated import csv_table
from benchmark.data.sources.tables.table import Table

__all__ = ["open_table"]

_LINES = 64 * 2**10
"""Bytes of a file's beginning by which its separator is told."""
_FOR_EXCEL = re.compile(rb'(?:\xef\xbb\xbf)?"?(sep=[ -~\t]?)"?\r?\n', re.IGNORECASE)


def open_table(path: Path, how: Reading, cleaning: Cleaning, rule: str) -> Table:
    """Return the table that a file holds; only its beginning is read.

    Args:
        path: a CSV, TSV, Parquet or JSON lines file; all but Parquet may be packed by gzip.
        how: what is said about it.
        cleaning: is told of rows that are left out.
        rule: the rule of a card that says how it is read, for errors.

    Raises:
        InputError: it is something else, cannot be read, or does not tell its separator.
    """
    with table_file(path).open() as file:
        head = file.read(_LINES)
    if not head.strip():
        raise complain(path, None, "the file is empty; its first line must name the columns")
    if (line := _FOR_EXCEL.match(head)) is not None:
        shown = line.group(1).decode("ascii")
        raise complain(path, 1, f"the line '{shown}' speaks to Excel alone; remove it")
    kind = how.kind or _kind(path, head)
    if kind == "parquet":
        return parquet_table(path)
    if kind == "jsonl":
        return json_table(path)
    separator = how.separator or ("	" if kind == "tsv" else _separator(path, head, rule))
    return csv_table(path, separator, cleaning)


def _kind(path: Path, head: bytes) -> FileKind:
    if head.startswith(b"PAR1"):
        return "parquet"
    if (what := recognise(head[:HEAD], "CSV, Parquet or JSON lines")) is not None:
        raise complain(path, None, what)
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        raise complain(path, None, "the file is a JSON array; write one object on each line")
    return "jsonl" if first == b"{" else "csv"


def _separator(path: Path, head: bytes, rule: str) -> str:
    """Return the separator that parts the first lines most evenly, then into most fields."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        whole = len(head) < _LINES
        if whole or error.start < len(head) - 4:  # else the end of what was read has cut a letter
            line = head[: error.start].count(b"\n")
            raw = head.split(b"\n")[line]
            raise complain(path, line + 1, f"the line is {foreign_text(raw)}") from None
        text = head[: error.start].decode("utf-8-sig")
    lines = text.splitlines()
    complete = "\n".join(lines if len(head) < _LINES else lines[:-1] or lines)
    fits = {each: _fit(complete, each) for each in SEPARATORS}
    best = max(fits, key=lambda each: fits[each])
    if not fits[best][0]:
        known = ", ".join(SEPARATORS.values())
        raise complain(
            path,
            1,
            f"the lines fall into fields by none of {known}; let the first line name the columns,"
            f" or name another separator by {rule}.separator",
        )
    return best


def _fit(text: str, separator: str) -> tuple[float, int]:
    """Return the share of lines with as many fields as the first, and how many these are.

    Both are 0 where the first has only one.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except csv.Error:
        return 0.0, 0
    if not rows or len(rows[0]) < 2:
        return 0.0, 0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows), len(rows[0])
