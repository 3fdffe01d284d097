"""Files whose lines do not have the shape that their header names, brought into it line by line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
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
    """

    data: bytes
    line: NDArray[np.int64]
    fields: NDArray[np.int64]


def repair(path: Path, width: int, cleaning: Cleaning) -> Repaired:
    """Bring every row to ``width`` fields, as RecBole reads them.

    What a row lacks counts as empty, what it has more is left out; a field in quotation marks may
    hold tabs and line ends, which become blanks.

    Raises:
        InputError: bytes that no line may hold, or fields separated by something else than tabs.
    """
    texts = [(number, text) for number, text in lines(path) if number > 1 and text]
    rows = [(number, text.split("\t")) for number, text in texts if text.strip() or width == 1]
    if any(len(cells) != width for _, cells in rows):
        rows = _quoted(texts) or rows
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
    header = "\t".join("?" * width)
    return Repaired("\n".join([header, *whole, ""]).encode("utf-8"), line, found)


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
