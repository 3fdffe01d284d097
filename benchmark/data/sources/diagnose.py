"""Faults of source files: how they are told, and the lines of a file one by one, with numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from benchmark.data.recognise import foreign_text
from benchmark.errors import InputError
from benchmark.files import open_regular
from benchmark.plain_text import plain

__all__ = ["LONGEST_LINE", "complain", "line_of_row", "lines", "open_file", "reading"]

LONGEST_LINE = 2**20
"""Bytes in a line; a longer one is taken for a file that is not what its name says."""


def complain(path: Path, line: int | None, text: str) -> InputError:
    """Return the error that names the file and, where one applies, the line (from 1)."""
    place = plain(path.name, 80) if line is None else f"{plain(path.name, 80)}:{line}"
    return InputError(f"{place}: {plain(text)}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever the system has against reading a file into one line.

    Raises:
        InputError: an ``OSError`` was raised inside.
    """
    try:
        yield
    except FileNotFoundError:
        raise complain(path, None, f"no such file in {plain(str(path.parent))}") from None
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise complain(path, None, f"cannot be read: {reason}") from None


@contextmanager
def open_file(path: Path, pipes: bool = False) -> Iterator[BinaryIO]:
    """Open a source file for reading bytes, with ``pipes`` a pipe too, and close it.

    Raises:
        InputError: it is missing, unreadable, or no regular file, or the system fails while it is
            open.
    """
    with reading(path), open_regular(path, pipes) as file:
        yield file


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers (from 1) and texts; a line ends by LF, CRLF or CR.

    Raises:
        InputError: the file cannot be read, or a line is too long, holds a NUL byte, or is not
            UTF-8.
    """
    for number, line in _any_lines(path):
        if (fault := _fault(line)) is not None:
            raise complain(path, number, fault)
        yield number, line


def line_of_row(path: Path, row: int) -> int:
    """Return the line number (from 1) of data row ``row`` (from 0); blank lines are no rows.

    What the lines hold does not matter: columns that nothing reads may hold anything.
    """
    rows = (number for number, text in _any_lines(path) if number > 1 and text)
    return next(number for i, number in enumerate(rows) if i == row)


def _any_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbers and texts; what is not UTF-8 is in surrogates, and a long line in parts."""
    with (
        open_file(path) as file,
        io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape") as text,
    ):
        number = 0
        while line := text.readline(LONGEST_LINE + 2):
            number += 1
            yield number, line.removesuffix("\n")


def _fault(line: str) -> str | None:
    """Return what a line holds that none may."""
    if len(line) > LONGEST_LINE:
        return f"the line is longer than {LONGEST_LINE:,} bytes; shorten it"
    if "\0" in line:
        return "the line holds a NUL byte; remove it"
    try:
        line.encode("utf-8")
    except UnicodeEncodeError as error:
        raw = line.encode("utf-8", "surrogateescape")
        place = len(line[: error.start].encode("utf-8")) + 1
        return f"byte {place} is {foreign_text(raw)}"
    return None
