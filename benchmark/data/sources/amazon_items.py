"""Metadata of the Amazon releases: titles, descriptions and categories of the items reviewed."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.sources.amazon_rules import AmazonRules
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.files.json_lines import parsed
from benchmark.data.sources.files.lines import Lines, blocks
from benchmark.data.sources.files.literals import literal
from benchmark.data.sources.source import Texts
from benchmark.plain_text import plain

__all__ = ["cleaned", "read_items"]

COLUMNS = ("title", "brand", "description", "features", "price", "categories")
BETWEEN_PATHS, BETWEEN_LEVELS = "|", ">"
"""As a card's category protocol separates them, unless it says otherwise."""
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")


@dataclass(frozen=True)
class _Layout:
    """Where a release has what.

    Attributes:
        key: the field of the item's id.
        mention: finds ids in a line that is not parsed yet.
        fields: the release's name of each column.
        parse: reads a line; see :func:`parsed`.
    """

    key: str
    mention: re.Pattern[bytes]
    fields: Mapping[str, str]
    parse: Callable[[Lines, int, bytes], dict[str, Any] | None]


def _of_literal(lines: Lines, number: int, line: bytes) -> dict[str, Any] | None:
    text = lines.decoded(number, line)
    if text is None:
        return None
    try:
        record = literal(text)
    except ValueError as error:
        lines.leave_out(number, f"the line is {error}")
        return None
    if not isinstance(record, dict):
        lines.leave_out(number, "the line is no dict")
        return None
    return record


_JSON_FIELDS = {name: name for name in COLUMNS}
_LAYOUTS = {
    2014: _Layout("asin", re.compile(rb"'asin':\s*'([^'\\]*)'"), _JSON_FIELDS, _of_literal),
    2018: _Layout(
        "asin",
        re.compile(rb'"asin":\s*"([^"\\]*)"'),
        _JSON_FIELDS | {"features": "feature", "categories": "category"},
        parsed,
    ),
    2023: _Layout(
        "parent_asin",
        re.compile(rb'"parent_asin":\s*"([^"\\]*)"'),
        _JSON_FIELDS | {"brand": "store"},
        parsed,
    ),
}


def read_items(
    path: Path, rules: AmazonRules, ids: pa.Array, asked: NDArray[np.bool_], cleaning: Cleaning
) -> tuple[Texts, NDArray[np.bool_]]:
    """Read what the metadata tell of the items that are asked for.

    A line that names no such item is not looked into.

    Args:
        path: the file.
        rules: of the card.
        ids: of items, ``[items]``.
        asked: of which of them, ``[items]``.
        cleaning: is told what is left out or of another type.

    Returns:
        The texts in the order of ``ids``, and which items have neither title nor description.

    Raises:
        InputError: the file cannot be read.
    """
    layout, lines = _LAYOUTS[rules.release], Lines(path)
    rows_of = np.flatnonzero(asked).tolist()
    wanted: dict[str, int] = dict(
        zip(ids.take(pa.array(rows_of, pa.int64())).to_pylist(), rows_of, strict=True)
    )
    mentioned = {name.encode() for name in wanted}
    rows: dict[int, tuple[str, ...]] = {}
    odd, again = _Odd(), _Odd()
    for block in blocks(path):
        lines.total += len(block)
        for number, line in block.lines():
            named = layout.mention.findall(line)
            if named and mentioned.isdisjoint(named):
                continue
            record = layout.parse(lines, number, line)
            if record is None:
                continue
            name = record.get(layout.key)
            if not isinstance(name, str):
                lines.leave_out(number, f"{layout.key} is missing or no text")
                continue
            if (row := wanted.get(name)) is None:
                continue
            if row in rows:
                again.note(number, f"{layout.key} '{plain(name, 40)}' stands there again")
                continue
            rows[row] = _columns(record, layout, rules, odd, number)
    lines.tell(cleaning)
    again.tell(path, cleaning, "the first line of each is read")
    odd.tell(path, cleaning, "they count as empty")
    empty = ("",) * len(COLUMNS)
    table = [rows.get(row, empty) for row in range(len(ids))]
    columns = {
        name: pa.array([row[i] for row in table], pa.large_string())
        for i, name in enumerate(COLUMNS)
    }
    bare = np.array([not (row[0] or row[2]) for row in table], dtype=np.bool_)
    return Texts(ids, columns), bare


@dataclass
class _Odd:
    """Something odd: how often, and where first."""

    count: int = 0
    line: int = 0
    fault: str = ""

    def note(self, line: int, fault: str) -> None:
        if not self.count:
            self.line, self.fault = line, fault
        self.count += 1

    def tell(self, path: Path, cleaning: Cleaning, remedy: str) -> None:
        if self.count:
            cleaning.report(path, self.line, self.fault, f"{self.count} times", remedy)


def _columns(
    record: dict[str, Any], layout: _Layout, rules: AmazonRules, odd: _Odd, number: int
) -> tuple[str, ...]:
    values = []
    for column in COLUMNS:
        field = layout.fields[column]
        value = record.get(field)
        if column == "categories":
            text = _paths(value, rules)
        else:
            text = _text(value, numbers=column == "price")
            if text is not None:
                long = rules.longest_text if column in ("title", "description") else None
                text = cleaned(text, long) if rules.clean else _cut(text, long)
        if text is None:
            odd.note(number, f"{field} is no text")
        values.append(text or "")
    return tuple(values)


def _text(value: Any, numbers: bool) -> str | None:
    """Return a text, or a list of texts as one; "" where there is none, ``None`` for another."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _sound(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return _sound(" ".join(value))
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _sound(text: str) -> str:
    """Return a text without halves of characters, which a file may hold and UTF-8 may not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _paths(value: Any, rules: AmazonRules) -> str | None:
    """Return category paths as one text; a list of texts is one path."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return None
    paths = value if any(isinstance(path, list) for path in value) else [value]
    if not all(isinstance(path, list) and _all_text(path) for path in paths):
        return None
    found = (_levels(path, rules) for path in paths)
    return BETWEEN_PATHS.join(BETWEEN_LEVELS.join(levels) for levels in found if levels)


def _all_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _levels(path: list[str], rules: AmazonRules) -> list[str]:
    return [level for each in path if (level := _level(each, rules.clean))]


@lru_cache(2**16)
def _level(level: str, clean: bool) -> str:
    """Return a level of a path; few are distinct."""
    text = cleaned(_sound(level)) if clean else _sound(level)
    return text.replace(BETWEEN_PATHS, " ").replace(BETWEEN_LEVELS, " ").strip()


def cleaned(text: str, longest: int | None = None) -> str:
    """Return a text without HTML entities, tags, quotation marks, line ends and rows of dots.

    Args:
        text: as the file has it.
        longest: characters from which on nothing is left of it, ``None`` for no limit.
    """
    text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    text = " ".join(text.replace('"', "").split())
    if text.endswith("."):
        without = text.rstrip(". ")
        if text.count(".", len(without)) > 1:
            text = without + "."
    return _cut(_sound(text), longest)


def _cut(text: str, longest: int | None) -> str:
    return "" if longest is not None and len(text) >= longest else text
