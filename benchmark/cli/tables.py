"""Tables of text for a terminal of any width: nothing in them is cut, and nothing acts.

Where a table is too wide, its prose is folded; where that is not enough, its columns go on in
tables below, each of which begins with the columns that tell the rows apart; and where even that
is not enough, or there is one row only, each row becomes a block of lines. Figures, and columns
that are not to be wrapped (paths, ids), stay whole.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.plain_text import plain

__all__ = ["drawn", "folded", "written"]

_PROSE = 24
"""Columns of a terminal: what is wider is prose, and may be folded to no less."""

_INDENT = "    "
_WORD = re.compile(r"\s*\S+")


def drawn(table: Table, width: int | None, encoding: str = "utf-8") -> str:
    """Return a table as lines.

    Args:
        table: its cells are text; title and caption are one line each. Columns with ``no_wrap``
            hold what is copied as a whole.
        width: of the terminal; ``None`` for as wide as need be.
        encoding: of what they are written to; lines are of ASCII where it is no Unicode.
    """
    columns = [
        [written(str(cell), encoding) for cell in (c.header, *c.cells)] for c in table.columns
    ]
    pieces = _pieces(columns, [column.no_wrap for column in table.columns], width)
    if pieces is None or (len(pieces) > 1 and not (table.show_header and table.row_count > 1)):
        text = "".join(f"{block}\n\n" for block in _blocks(columns, table, width or 0))
    else:
        text = "".join(
            _boxed([columns[place] for place in piece], widths, table.show_header, encoding)
            for piece, widths in pieces
        )
    around = [written(str(each or ""), encoding) for each in (table.title, table.caption)]
    above, below = (f"{line}\n" if line else "" for line in around)
    return above + text + below


def written(text: str, encoding: str) -> str:
    """Return a text in one line as it will stand there: what acts or is lacking, as escapes."""
    return plain(text).encode(encoding, "backslashreplace").decode(encoding)


class _Column(NamedTuple):
    """How wide a column is, and how narrow its prose may be folded."""

    most: int
    least: int


def _measured(cells: list[str], whole: bool) -> _Column:
    most = max(map(cell_len, cells))
    if whole or most <= _PROSE:
        return _Column(most, most)
    return _Column(most, max([_PROSE, *(cell_len(w) for c in cells for w in c.split())]))


def _pieces(
    columns: list[list[str]], whole: list[bool], width: int | None
) -> list[tuple[list[int], list[int]]] | None:
    """Return the columns of each table, by place, and their widths; ``None`` where one is too wide.

    All begin with the fewest columns that tell the rows apart.
    """
    measures = [_measured(cells, alone) for cells, alone in zip(columns, whole, strict=True)]
    every = list(range(len(columns)))
    if (widths := _widths(measures, width)) is not None:
        return [(every, widths)]
    keys, pieces = _keys(columns), list[list[int]]()
    for place in every[len(keys) :]:
        if not pieces or _widths([measures[p] for p in (*pieces[-1], place)], width) is None:
            pieces.append([*keys])
        pieces[-1].append(place)
    found = [(piece, _widths([measures[p] for p in piece], width)) for piece in pieces]
    fitting = [(piece, widths) for piece, widths in found if widths is not None]
    return fitting if found and len(fitting) == len(found) else None


def _keys(columns: list[list[str]]) -> range:
    """Return the places of the first columns that tell the rows apart, all where none do."""
    rows = len(columns[0]) - 1
    for count in range(1, len(columns)):
        if len(set(zip(*(column[1:] for column in columns[:count]), strict=True))) == rows:
            return range(count)
    return range(len(columns))


def _widths(columns: list[_Column], width: int | None) -> list[int] | None:
    """Return the width of each column, ``None`` where they do not fit beside each other."""
    wide = [column.most for column in columns]
    room = 10**9 if width is None else width - 3 * len(columns) - 1
    if sum(wide) <= room:
        return wide
    least = [column.least for column in columns]
    spare, wanted = room - sum(least), sum(wide) - sum(least)
    if spare < 0:
        return None
    return [low + (high - low) * spare // wanted for low, high in zip(least, wide, strict=True)]


class _Encoded(StringIO):
    """Text of which Rich is told the encoding that it will have."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def _boxed(columns: list[list[str]], widths: list[int], show_header: bool, encoding: str) -> str:
    table = Table(show_header=show_header)
    for (header, *_), width in zip(columns, widths, strict=True):
        table.add_column(Text(header), width=width)
    for cells in zip(*(column[1:] for column in columns), strict=True):
        lines = (folded(cell, width) for cell, width in zip(cells, widths, strict=True))
        table.add_row(*(Text("\n".join(each)) for each in lines))
    box = _Encoded(encoding)
    Console(file=box, width=sum(widths) + 3 * len(widths) + 1, color_system=None).print(table)
    return box.getvalue()


def _blocks(columns: list[list[str]], table: Table, width: int) -> list[str]:
    """Return a block for each row; rows of a table without headers are lines of one block."""
    rows = list(zip(*(column[1:] for column in columns), strict=True))
    if not table.show_header:
        return ["\n".join(_entry(row[0], "  ".join(row[1:]), False, width) for row in rows)]
    return [
        "\n".join(
            _entry(column[0], cell, style.no_wrap, width)
            for column, style, cell in zip(columns, table.columns, row, strict=True)
            if cell
        )
        for row in rows
    ]


def _entry(name: str, value: str, whole: bool, width: int) -> str:
    """Return ``name: value`` in a line; below each other where the value would be cut."""
    line = f"{name}: {value}" if name else value
    if cell_len(line) <= width:
        return line
    longest = max((cell_len(word) for word in value.split()), default=0)
    if whole or longest > width - len(_INDENT):
        return f"{name}:\n{value}" if name else value
    lines = [f"{_INDENT}{each}" for each in folded(value.lstrip(), width - len(_INDENT))]
    return "\n".join([f"{name}:", *lines] if name else lines)


def folded(text: str, width: int, parts: re.Pattern[str] = _WORD) -> list[str]:
    """Return a text in lines of at most ``width``, which is that of its longest part or more.

    Rich takes the blank behind a line of wide characters for a part that does not fit, and cuts.

    Args:
        text: in one line.
        width: in columns of a terminal.
        parts: finds what stays whole, with the blanks before it; words if not given.
    """
    lines = [""]
    for part in parts.findall(text):
        if cell_len(lines[-1] + part) <= width:
            lines[-1] += part
        else:
            lines = [*filter(None, lines), part.lstrip()]
    return lines
