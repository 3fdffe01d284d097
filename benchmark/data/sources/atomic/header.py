"""The first line of an atomic file, which names its fields as ``name:type``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.data.recognise import HEAD, foreign_text, is_json, recognise, separator
from benchmark.data.sources.diagnose import LONGEST_LINE, complain, open_file
from benchmark.errors import did_you_mean
from benchmark.plain_text import plain

__all__ = ["TYPES", "Field", "parse_header"]

TYPES = ("token", "token_seq", "float", "float_seq")
_WANTED = "text with fields separated by tabs"
_USUAL = {"userid", "itemid", "timestamp", "queryid", "sessionid", "movieid", "rating", "title"}
"""Names that tell a table also where the types are missing; see :func:`_is_untyped`."""


@dataclass(frozen=True)
class Field:
    """A column of an atomic file."""

    name: str
    type: str


def parse_header(path: Path, needed: dict[str, str]) -> tuple[Field, ...]:
    """Read the fields that the first line names.

    A line that is no header is never quoted: the file may be any.

    Args:
        path: the file.
        needed: fields that must be there, with their types.

    Raises:
        InputError: the file is packed, not UTF-8, or separated by something else than tabs; a
            field is without a type, of an unknown type, named twice, or missing.
    """
    cells = _first_line(path).split("\t")
    fields: list[Field] = []
    for place, cell in enumerate(cells, 1):
        name, colon, kind = cell.rpartition(":")
        if not cell:
            raise complain(
                path, 1, f"field {place} of the header is empty; remove a tab, or name it"
            )
        if not colon or not name:
            text = f"header field '{plain(cell, 40)}' has no type; write it as name:type"
            raise complain(path, 1, text)
        if kind not in TYPES:
            text = f"field '{plain(name, 40)}': unknown type '{plain(kind, 40)}'"
            raise complain(path, 1, text + did_you_mean(kind, TYPES))
        if name in (f.name for f in fields):
            text = f"field '{plain(name, 40)}' is named twice; remove or rename one"
            raise complain(path, 1, text)
        if needed.get(name) not in (None, kind):
            raise complain(path, 1, f"field '{name}' must be of type {needed[name]}, not {kind}")
        fields.append(Field(name, kind))
    for name, kind in needed.items():
        if name not in (f.name for f in fields):
            text = f"field {name}:{kind} is missing; add it to the header"
            raise complain(path, 1, text)
    return tuple(fields)


def _first_line(path: Path) -> str:
    """Return the first line of a file if it may be a header."""
    with open_file(path) as file:
        head = file.read(HEAD)
        file.seek(0)
        raw = file.readline(LONGEST_LINE + 3)
    if not raw:
        raise complain(path, None, "the file is empty; its first line must name the fields")
    if (what := recognise(head, _WANTED)) is not None:
        raise complain(path, None, what)
    raw = raw.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").partition(b"\r")[0]
    if len(raw) > LONGEST_LINE:
        raise complain(path, 1, f"the line is longer than {LONGEST_LINE:,} bytes; shorten it")
    if b"\0" in raw:
        raise complain(path, 1, "the line holds a NUL byte; remove it")
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise complain(path, 1, f"byte {error.start + 1} is {foreign_text(raw)}") from None
    cells = line.split("\t")
    if any(_is_typed(cell) for cell in cells) and not _is_quoted(cells):
        if len(cells) == 1 and (how := separator(line, "tabs", _is_header)) is not None:
            raise complain(path, 1, how)
        return line
    raise complain(path, 1, _no_header(line, cells))


def _no_header(line: str, cells: list[str]) -> str:
    """Return what is wrong with a first line that names no field with a type."""
    if is_json(line):
        return f"the file is JSON; save it as {_WANTED}, in UTF-8"
    if len(cells) == 1:
        how = separator(line, "tabs", _is_header) or separator(line, "tabs", _is_untyped)
        if how is not None:
            return how
    if _is_quoted(cells) and all(_is_typed(cell.strip('"')) for cell in cells):
        return "the header stands in quotation marks; remove them"
    if _is_untyped(cells):
        return "the header names no types; write each field as name:type, user_id:token"
    if not line.strip():
        return "the first line is empty; it must name the fields as name:type"
    return "the first line is no header; it must name the fields as name:type, separated by tabs"


def _is_typed(cell: str) -> bool:
    name, _, kind = cell.rpartition(":")
    return bool(name) and kind in TYPES


def _is_quoted(cells: list[str]) -> bool:
    return all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)


def _is_header(cells: list[str]) -> bool:
    return sum(map(_is_typed, cells)) * 2 >= len(cells)


def _is_untyped(cells: list[str]) -> bool:
    return any(cell.lower().replace("_", "") in _USUAL for cell in cells)
