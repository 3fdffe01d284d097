"""The main tables of boards as plain HTML, to stand inside of somebody else's page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.plain_text import plain
from benchmark.report.text_tables import Cell, Grid, main_grids

__all__ = ["to_fragment"]


def to_fragment(boards: Sequence[Leaderboard]) -> str:
    """Return the tables over all requests by the leading protocol, without style and script."""
    tables = [
        _table(f"{board.dataset}: {grid.title}", grid)
        for board in boards
        for grid in main_grids(board.brief())
    ]
    return "\n".join(tables) or "<p>No runs.</p>"


def _table(title: str, grid: Grid) -> str:
    head = "".join(f"<th>{_escape(header)}</th>" for header in grid.headers)
    body = "\n".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in grid.body)
    return (
        f"<table><caption>{_escape(title)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )


def _cell(cell: Cell) -> str:
    text = f"<b>{_escape(cell.text)}</b>" if cell.bold else _escape(cell.text)
    return f"<td>{text} {_escape(cell.tier)}</td>" if cell.tier else f"<td>{text}</td>"


def _escape(text: str) -> str:
    return escape(plain(text))
