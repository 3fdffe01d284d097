"""Files whose lines do not have the shape that their header names, brought into it line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.recognise import separator
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain, lines

__all__ = ["Repaired", "repair"]

_GAPS = str.maketrans("\t\n\r", "   ")


@dataclass(frozen=True)
class Repaired:
    """A file whose rows all have as many fields as its header.

    Attributes:
        data: its text in UTF-8, the header included.
        line: int64 ``[rows]``, the line of the file that a row began on, from 1.
        fields: int64 ``[rows]``, how many fields the row had.
        unquoted: whether fields in quotation marks have been taken out of them.
    """

    data: bytes
    line: NDArray[np.int64]
    fields: NDArray[np.int64]
    unquoted: bool


def repair(path: Path, width: int, cleaning: Cleaning) -> Repaired:
    """Bring every row to ``width`` fields, as RecBole reads them.

    What a row lacks counts as empty, what it has more is left out; a field in quotation marks may
    hold tabs and line ends, which become blanks.

    Raises:
        InputError: bytes that no line may hold, or fields separated by something else than tabs.
    """
    texts = [(number, text) for number, text in lines(path) if number > 1 and text]
    rows = _not_blank(((number, text.split("\t")) for number, text in texts), width)
    ragged = any(len(cells) != width for _, cells in rows)
    quoted = _quoted(texts) if ragged else None
    rows = rows if quoted is None else _not_blank(quoted, width)
    alone = [" ".join(cells) for _, cells in rows if len(cells) == 1]
    if width > 1 and alone and len(alone) == len(rows):
        how = separator(alone[0], "tabs", lambda parts: len(parts) == width)
        if how is not None:
            raise complain(path, rows[0][0], how)
    found = np.array([len(cells) for _, cells in rows], dtype=np.int64)
    line = np.array([number for number, _ in rows], dtype=np.int64)
    more = np.array([any(cells[width:]) for _, cells in rows], dtype=np.bool_)
    for odd, remedy in (
        (found < width, "what is missing counts as empty"),
        (more, "what is beyond is not read"),
    ):
        if odd.any():
            first = int(np.argmax(odd))
            fault = f"{found[first]} fields where the header names {width}"
            cleaning.report(
                path, int(line[first]), fault, f"{odd.sum()} of {len(rows)} rows", remedy
            )
    whole = ["\t".join((cells + [""] * width)[:width]) for cells in _flat(rows)]
    data = "\n".join(["\t".join("?" * width), *whole, ""]).encode("utf-8")
    return Repaired(data, line, found, unquoted=quoted is not None)


def _not_blank(rows: Iterable[tuple[int, list[str]]], width: int) -> list[tuple[int, list[str]]]:
    """Return the rows that hold more than blanks; a blank that stands alone may be an id."""
    return [
        (number, cells)
        for number, cells in rows
        if width == 1 or any(cell.strip() for cell in cells)
    ]


def _flat(rows: Sequence[tuple[int, list[str]]]) -> list[list[str]]:
    return [[cell.translate(_GAPS) for cell in cells] for _, cells in rows]


def _quoted(texts: Sequence[tuple[int, str]]) -> list[tuple[int, list[str]]] | None:
    """Return the rows by the rules of quotation marks, ``None`` where the file breaks them."""
    if not any('"' in text for _, text in texts):
        return None
    reader = csv.reader((text + "\n" for _, text in texts), delimiter="\t", strict=True)
    rows, begin = [], 0
    try:
        for cells in reader:
            rows.append((texts[begin][0], cells))
            begin = reader.line_num
    except csv.Error:
        return None
    return rows
