"""The picture of a board: how good each model is, how sure that is, and where it may stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.analysis.tables import Row, Table
from benchmark.plain_text import plain
from benchmark.report.figures import drawing
from benchmark.report.text_tables import CHOICE, TASKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["forest"]

_WIDTH, _ROW, _AROUND = 5.6, 0.27, 1.25
"""Inches: of a panel, of a model's line in it, and of what stands above and below."""
_TOP, _REST = "#1b5e9b", "#6b6b6b"
_NAME = 28
_KEY = "blue: cannot be told from the best; line: 95% interval of the mean; right: possible ranks"


def forest(boards: Sequence[Leaderboard]) -> Figure | None:
    """Return a figure with a row of panels for each board and a panel for each task.

    A model is a point with the 95% interval of its mean, over other requests and, where there are
    several seeds, other trainings. Its colour says whether it can be told from the best, and the
    numbers on the right which ranks it may have, for all models at once; both come from tests of
    pairs, so intervals of two models that can be told apart may well overlap.

    Returns:
        ``None`` where no model was measured.
    """
    # pyplot would ask for a display; a figure of one's own does not.
    from matplotlib.figure import Figure

    tables = [[_measured(board.main_table(task)) for task in TASKS] for board in boards]
    rows = [[table for table in row if table is not None] for row in tables]
    shown = [(board, row) for board, row in zip(boards, rows, strict=True) if row]
    if not shown:
        return None
    columns = max(len(row) for _, row in shown)
    longest = [max(len(table.rows) for table in row) for _, row in shown]
    heights = [_ROW * size + _AROUND for size in longest]
    with drawing():
        figure = Figure(figsize=(_WIDTH * columns, sum(heights) + 0.2), layout="constrained")
        places = figure.subplots(len(shown), columns, squeeze=False, height_ratios=heights)
        for line, (board, row), size in zip(places, shown, longest, strict=True):
            for axes, table in zip(line, row, strict=False):
                _panel(axes, board, table, size)
            for axes in line[len(row) :]:
                axes.set_axis_off()
        figure.supxlabel(_KEY, fontsize=8)
    return figure


def _measured(table: Table | None) -> Table | None:
    """Return the table, unless nothing in it was measured."""
    return table if table is not None and any(r.mean is not None for r in table.rows) else None


def _panel(axes: Any, board: Leaderboard, table: Table, lines: int) -> None:
    """Draw a table, the best model on top, in as many lines as the longest beside it has."""
    rows = [(row, row.mean) for row in table.rows if row.mean is not None]
    for place, (row, mean) in enumerate(rows):
        colour = _TOP if row.top else _REST
        low, high = _interval(row, mean)
        axes.plot([low, high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot([mean], [place], marker="o", markersize=4.5, color=colour, linestyle="none")
        ranks = _ranks(row)
        axes.annotate(
            f"{mean:.3f}{f' ({ranks})' if ranks else ''}",
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
            color=colour,
        )
    names = [plain(row.entry.label, _NAME) for row, _ in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_ylim(lines - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.grid(axis="x", color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    what = f"{table.metric.upper()}, {CHOICE[table.protocol]}"
    axes.set_title(f"{plain(board.dataset, 40)}: {TASKS[table.task].lower()}\n{what}", fontsize=9)


def _interval(row: Row, mean: float) -> tuple[float, float]:
    """Return the interval of a mean, the mean itself where too little is known."""
    return (
        mean if row.low is None else row.low,
        mean if row.high is None else row.high,
    )


def _ranks(row: Row) -> str:
    if row.rank_low is None or row.rank_high is None:
        return ""
    same = row.rank_low == row.rank_high
    return f"{row.rank_low}" if same else f"{row.rank_low} to {row.rank_high}"
