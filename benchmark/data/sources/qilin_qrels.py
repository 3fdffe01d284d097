"""Qilin's official relevance files, held against the clicks of the test tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain, lines
from benchmark.data.sources.files.parquet import ParquetTable
from benchmark.data.sources.qilin_tables import Shown
from benchmark.plain_text import plain

__all__ = ["compare_qrels"]

_HEADER = "qid,pid"
_WIDTH = 2**31


def compare_qrels(path: Path, table: ParquetTable, rows: Shown, cleaning: Cleaning) -> None:
    """Tell where the official relevant notes of a test table are not those that were clicked.

    Args:
        path: a file with header ``qid,pid``: the row of the table, from 0, and a note_idx.
        table: the test table.
        rows: what it holds.
        cleaning: is told of a disagreement; the table's clicks stay what is relevant.

    Raises:
        InputError: a malformed file, or a disagreement under ``strict``.
    """
    number, official = _read(path)
    clicked = np.unique(rows.request[rows.clicked] * _WIDTH + rows.note[rows.clicked])
    more, less = np.setdiff1d(official, clicked), np.setdiff1d(clicked, official)
    if not len(more) and not len(less):
        return
    if len(more):
        place = int(np.argmax(np.isin(official, more)))
        line, key = int(number[place]), int(official[place])
        fault = f"note {key % _WIDTH} is no click of row {key // _WIDTH}"
    else:
        line, key = 1, int(less[0])
        fault = f"note {key % _WIDTH}, a click of row {key // _WIDTH}, is missing"
    file = plain(table.paths[0].name, 40)
    count = f"{len(more)} pairs are only here and {len(less)} only there, of {len(clicked)} clicks"
    cleaning.report(path, line, f"{fault} of {file}", count, "the clicks are what is relevant")


def _read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the line of each pair, and the pair as ``qid * _WIDTH + pid``."""
    number, pairs = [], []
    for line, text in lines(path):
        if line == 1:
            if text.strip() != _HEADER:
                raise complain(path, 1, f"the first line must be the header {_HEADER}")
        elif text.strip():
            found = re.fullmatch(r"\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*", text)
            if found is None:
                fault = f"'{plain(text, 40)}' must be a row of the test table and a note_idx"
                raise complain(path, line, fault)
            number.append(line)
            pairs.append(int(found[1]) * _WIDTH + int(found[2]))
    return np.array(number, dtype=np.int64), np.array(pairs, dtype=np.int64)
