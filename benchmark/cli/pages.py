"""Pages of text for a terminal: headings, named entries, tables and histograms, of any width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table

from benchmark.cli.tables import drawn, folded, written

__all__ = ["Bars", "Entry", "Heading", "Part", "page", "percent"]

_WIDTH = 80
"""Of prose and bars where there is no terminal."""
_NARROW, _MARK = 60, 8
"""Of a terminal in which only an indent of a mark's width has room."""
_WIDE = r"\u2e80-\u2fdf\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff"
_SIGNS = r"\u3000-\u303f\uff01-\uff65"
_PARTS = re.compile(rf"\s*(?:[{_WIDE}][{_SIGNS}]*|[^\s{_WIDE}]+)")
"""Words, and letters of scripts that may be parted anywhere, with the signs behind them."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LONGEST_BAR, _SHORTEST_BAR = 40, 4


@dataclass(frozen=True)
class Heading:
    """A line above what belongs together."""

    text: str


@dataclass(frozen=True)
class Entry:
    """A name and what is to be said of it, folded beside it; lines of ``text`` stay lines.

    Without a name the text stands at the left edge. ``indent`` is that of the text beside a name.
    """

    name: str
    text: str
    indent: int = 12


@dataclass(frozen=True)
class Bars:
    """A histogram: for each label a bar, a count and its share of all."""

    title: str
    rows: Sequence[tuple[str, int]]


Part = Heading | Entry | Table | Bars


def page(parts: Iterable[Part], width: int | None, encoding: str) -> str:
    """Return the parts as lines.

    Args:
        parts: from top to bottom; whatever they hold does nothing in a terminal.
        width: of the terminal, ``None`` where there is none.
        encoding: of what they are written to; bars are of ASCII where it lacks blocks.
    """
    room, blocks = width or _WIDTH, _has_blocks(encoding)
    lines: list[str] = []
    for part in parts:
        if isinstance(part, Table):
            lines += drawn(part, width, encoding).rstrip("\n").split("\n")
        elif isinstance(part, Entry):
            lines += _entry(part, room, encoding)
        else:
            title = part.text if isinstance(part, Heading) else part.title
            lines += [""] * bool(lines) + folded(written(title, encoding), room)
            if isinstance(part, Bars):
                rows = [(written(label, encoding), count) for label, count in part.rows]
                lines += _bars(rows, room, blocks)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _entry(part: Entry, room: int, encoding: str) -> Iterator[str]:
    name = written(part.name, encoding)
    wide = room >= _NARROW or part.indent <= _MARK
    indent = 0 if not name else part.indent if wide else 2
    lines = [
        line
        for each in part.text.split("\n")
        for line in folded(written(each, encoding).rstrip(), room - indent, _PARTS)
    ]
    if cell_len(name) < indent:
        yield name + " " * (indent - cell_len(name)) + lines.pop(0)
    elif name:
        yield f"{name}:"
    yield from (" " * indent + line for line in lines)


def _bars(rows: Sequence[tuple[str, int]], room: int, blocks: bool) -> Iterator[str]:
    labels, counts = [label for label, _ in rows], [count for _, count in rows]
    total, most = max(1, sum(counts)), max([1, *counts])
    figures = [f"{count:,}" for count in counts]
    name, number = max(map(cell_len, labels)), max(map(len, figures))
    longest = min(_LONGEST_BAR, room - name - number - 14)
    for label, count, figure in zip(labels, counts, figures, strict=True):
        line = f"  {' ' * (name - cell_len(label))}{label}"
        if longest >= _SHORTEST_BAR:
            line += f"  {_bar(count / most, longest, blocks)}"
        yield f"{line}  {figure:>{number}}  {percent(count / total):>6}"


def _bar(share: float, longest: int, blocks: bool) -> str:
    """Return a bar, padded to ``longest``; what is not 0 is seen."""
    if not blocks:
        return ("#" * max(int(share > 0), round(share * longest))).ljust(longest)
    whole, rest = divmod(max(int(share > 0), round(share * longest * 8)), 8)
    return (_EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")).ljust(longest)


def percent(share: float) -> str:
    """Return a share from 0 to 1 as it is shown; what is not 0 does not look like it."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def _has_blocks(encoding: str) -> bool:
    try:
        _EIGHTHS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
