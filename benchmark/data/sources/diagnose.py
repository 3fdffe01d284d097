"""Faults of atomic files: headers checked, and the first bad line found, with its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf
from pathlib import Path
from typing import NoReturn

from benchmark.errors import InputError, did_you_mean

__all__ = [
    "LONGEST_LINE",
    "TYPES",
    "Field",
    "complain",
    "line_of_row",
    "locate",
    "parse_header",
    "shown",
]

TYPES = ("token", "token_seq", "float", "float_seq")
LONGEST_LINE = 2**20
"""Bytes in a line; a longer one is taken for a file that is not what its name says."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)


@dataclass(frozen=True)
class Field:
    """A column of an atomic file."""

    name: str
    type: str


def shown(value: str, limit: int = 40) -> str:
    """Return ``value`` fit for a one-line message: printable and at most ``limit`` long."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value[: limit + 1])
    return text if len(text) <= limit else text[:limit] + "…"


def complain(path: Path, line: int | None, text: str) -> InputError:
    """Return the error that names the file and, where one applies, the line (from 1)."""
    place = shown(path.name, 80) if line is None else f"{shown(path.name, 80)}:{line}"
    return InputError(f"{place}: {text}")


def parse_header(path: Path, needed: dict[str, str], known: dict[str, str]) -> tuple[Field, ...]:
    """Read the fields that the first line names.

    Args:
        path: the file.
        needed: fields that must be there, with their types.
        known: fields whose type is fixed if they are there.

    Raises:
        InputError: a field without a type, of an unknown type, named twice, or missing.
    """
    text = next(_lines(path))[1]
    fields: list[Field] = []
    for cell in text.split("\t"):
        name, colon, kind = cell.rpartition(":")
        if not colon or not name:
            raise complain(
                path, 1, f"header field '{shown(cell)}' has no type; write it as name:type"
            )
        if kind not in TYPES:
            raise complain(
                path,
                1,
                f"field '{shown(name)}': unknown type '{shown(kind)}'{did_you_mean(kind, TYPES)}",
            )
        if name in (f.name for f in fields):
            raise complain(path, 1, f"field '{shown(name)}' is named twice; remove or rename one")
        if known.get(name, kind) != kind:
            raise complain(path, 1, f"field '{name}' must be of type {known[name]}, not {kind}")
        fields.append(Field(name, kind))
    for name, kind in needed.items():
        if name not in (f.name for f in fields):
            raise complain(path, 1, f"field {name}:{kind} is missing; add it to the header")
    return tuple(fields)


def locate(path: Path, fields: tuple[Field, ...]) -> None:
    """Walk the file line by line and raise at the first fault; return if there is none.

    Raises:
        InputError: names the line, and the field where one is at fault.
    """
    for number, text in _lines(path):
        if number == 1 or not text:
            continue
        cells = text.split("\t")
        if len(cells) != len(fields):
            raise complain(
                path,
                number,
                f"{len(cells)} fields where the header names {len(fields)}; "
                "fields are separated by one tab each and hold none",
            )
        for field, cell in zip(fields, cells, strict=True):
            if field.type == "float" and (cell or field.name == "timestamp"):
                _check_number(path, number, field.name, cell)
            elif field.type == "float_seq":
                for part in cell.split():
                    _check_number(path, number, field.name, part)


def line_of_row(path: Path, row: int) -> int:
    """Return the line number (from 1) of data row ``row`` (from 0); blank lines are no rows."""
    rows = (number for number, text in _lines(path) if number > 1 and text)
    return next(number for i, number in enumerate(rows) if i == row)


def _check_number(path: Path, line: int, name: str, cell: str) -> None:
    if _NOT_FINITE.fullmatch(cell.strip()):
        raise complain(path, line, f"{name} '{shown(cell)}' is not finite; give a finite number")
    if not _NUMBER.fullmatch(cell.strip()):
        raise complain(path, line, f"{name} '{shown(cell)}' is not a number")
    if isinf(float(cell)):
        raise complain(path, line, f"{name} '{shown(cell)}' is too large for a number")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers and texts, complaining about bytes that no line may hold."""
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(LONGEST_LINE + 3):
            number += 1
            yield number, _text(path, number, raw)
    if number == 0:
        raise complain(path, None, "the file is empty; its first line must name the fields")


def _text(path: Path, number: int, raw: bytes) -> str:
    body = raw.removesuffix(b"\n").removesuffix(b"\r")
    if number == 1:
        body = body.removeprefix(b"\xef\xbb\xbf")
    if len(body) > LONGEST_LINE:
        _fail(path, number, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")
    if b"\0" in body:
        _fail(path, number, "the line holds a NUL byte; remove it")
    if b"\r" in body:
        _fail(path, number, "a carriage return inside the line; end lines by LF or CRLF")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        _fail(path, number, f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")


def _fail(path: Path, number: int, text: str) -> NoReturn:
    raise complain(path, number, text)
