"""Boards as Markdown, and Markdown between the markers of a file."""

from __future__ import annotations

import re

from tabulate import tabulate

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.errors import InputError
from benchmark.plain_text import plain
from benchmark.report.answer import answer_lines, telling_grid
from benchmark.report.notes import notes
from benchmark.report.sections import sections
from benchmark.report.text_tables import Cell, Grid

__all__ = ["END", "START", "between_markers", "to_markdown", "to_summary"]

START, END = "<!-- leaderboard:start -->", "<!-- leaderboard:end -->"

_SIGNS = re.compile(r"[\\`*\[\]|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.")
"""What a backslash takes the meaning from: emphasis, code, links, columns, addresses."""
_TAGS = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#A-Za-z])|\$")
_ENTITIES = {"<": "&lt;", "&": "&amp;", "$": "&#36;"}
"""What only an entity does: raw HTML, the markers above, entities, GitHub's formulas."""


def to_markdown(boards: list[Leaderboard], answered: bool = True) -> str:
    """Return all boards as one Markdown text that ends in a newline.

    Args:
        boards: to be shown.
        answered: whether each begins with its answer in words, which wants all models there are.
    """
    parts = [_board(board, answered) for board in boards]
    return "\n\n".join(parts) + "\n" if parts else "No runs yet.\n"


def to_summary(boards: list[Leaderboard]) -> str:
    """Return the answer and the most telling rows of each board, as Markdown."""
    parts = [
        f"## {_escape(board.dataset)}\n\n{_answer(board)}\n\n{_table(telling_grid(board))}"
        for board in boards
    ]
    return "\n\n".join(parts) + "\n" if parts else "No runs yet.\n"


def between_markers(text: str, board: str, name: str) -> str:
    """Return ``text`` with ``board`` between its markers, headings one level deeper.

    Raises:
        InputError: ``text``, called ``name``, does not hold both markers once and in order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in after:
        raise InputError(f"{name}: needs the lines '{START}' and '{END}' once each, in this order")
    deeper = re.sub(r"^#", "##", board, flags=re.MULTILINE)
    return f"{before}{START}\n{deeper}{END}{after}"


def _board(board: Leaderboard, answered: bool) -> str:
    parts = [f"## {_escape(board.dataset)}"]
    if answered:
        parts.append(_answer(board))
    parts.append(_escape(" ".join(notes(board))))
    for section in sections(board):
        if section.detail:
            continue
        tables = [_table(grid) for grid in section.grids]
        if section.folded:
            opening = f"<details>\n<summary>{section.title}</summary>"
            tables = [opening, *tables, "</details>"]
        parts += tables
    return "\n\n".join(parts)


def _answer(board: Leaderboard) -> str:
    return "\n".join(f"- **{head}**: {_escape(text)}" for head, text in answer_lines(board))


def _table(grid: Grid) -> str:
    body = [[_cell(cell) for cell in line] for line in grid.body]
    align = ("left", *("right",) * (len(grid.headers) - 1))
    headers = [_escape(header) for header in grid.headers]
    table = tabulate(body, headers, tablefmt="pipe", colalign=align, disable_numparse=True)
    return f"### {_escape(grid.title)}\n\n{table}"


def _cell(cell: Cell) -> str:
    text = _escape(cell.text)
    tier = f" {cell.tier}" if cell.tier else ""
    return (f"**{text}**" if cell.bold else text) + tier


def _escape(text: str) -> str:
    """Return Markdown that is read as ``text`` behind the first character of a line."""
    escaped = _SIGNS.sub(r"\\\g<0>", plain(text).strip())
    return _TAGS.sub(lambda found: _ENTITIES[found[0]], escaped)
