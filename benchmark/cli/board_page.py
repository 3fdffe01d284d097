"""Boards as pages for a terminal: the answer, what has to be known, and the tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.cli.pages import Entry, Heading, Part
from benchmark.report.answer import answer_lines, telling_grid
from benchmark.report.notes import notes
from benchmark.report.sections import sections
from benchmark.report.text_tables import Cell, Grid

__all__ = ["board_page", "summary_page"]

_BEST = "*"
"""Stands for what other forms write in bold."""


def board_page(boards: list[Leaderboard], answered: bool) -> Iterator[Part]:
    """Yield the parts of a page of all boards.

    Tables that other forms fold away are named only.

    Args:
        boards: to be shown.
        answered: whether each begins with its answer in words, which wants all models there are.
    """
    if not boards:
        yield Entry("", "No runs yet.")
    for board in boards:
        yield Heading(board.dataset)
        if answered:
            yield from _answer(board)
        else:
            yield Entry("", "No answer in words, as that takes all models: leave --model out.")
        yield Heading("To be known before the figures")
        yield from (Entry("-", note, indent=2) for note in notes(board, bold=_BEST))
        shown = [part for part in sections(board) if not part.detail]
        for part in shown:
            if not part.folded:
                yield from (each for grid in part.grids for each in _grid(grid))
        if folded := [part.title for part in shown if part.folded and part.grids]:
            yield Heading("Not shown here")
            yield Entry("", f"{'; '.join(folded)}: --format html or md")


def summary_page(boards: list[Leaderboard]) -> Iterator[Part]:
    """Yield the answer and the most telling rows of each board."""
    if not boards:
        yield Entry("", "No runs yet.")
    for board in boards:
        yield Heading(board.dataset)
        yield from _answer(board)
        yield from _grid(telling_grid(board))


def _answer(board: Leaderboard) -> Iterator[Part]:
    yield from (Entry("-", f"{head}: {text}", indent=2) for head, text in answer_lines(board))


def _grid(grid: Grid) -> Iterator[Part]:
    table = Table(*grid.headers)
    for line in grid.body:
        table.add_row(*map(_text, line))
    yield Heading(grid.title)
    yield table


def _text(cell: Cell) -> str:
    return " ".join(filter(None, (cell.text, cell.tier, _BEST if cell.bold else "")))
