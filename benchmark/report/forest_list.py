"""The forest plot of a board within a page, as lists that need no script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.analysis.tables import Row, Table
from benchmark.plain_text import plain
from benchmark.report.text_tables import CHOICE, TASKS, rank_cell

__all__ = ["forest_lists"]

_KEY = "line: 95% interval; strong: cannot be told from the best; in brackets: possible ranks"


def forest_lists(board: Leaderboard) -> Iterator[str]:
    """Yield a figure for each task that was measured: models with interval, mean and ranks."""
    for task in TASKS:
        table = board.main_table(task)
        if table is not None and any(row.mean is not None for row in table.rows):
            yield _figure(table)


def _figure(table: Table) -> str:
    rows = [(row, row.mean) for row in table.rows if row.mean is not None]
    ends = [mean if row.high is None else row.high for row, mean in rows]
    widest = max(ends) or 1.0
    lines = "\n".join(_line(row, mean, widest) for row, mean in rows)
    what = f"{TASKS[table.task]}: {table.metric.upper()}, {CHOICE[table.protocol]}"
    return (
        f'<figure class="forest"><figcaption><strong>{what}</strong> ({_KEY})</figcaption>\n'
        f"<ul>\n{lines}\n</ul></figure>"
    )


def _line(row: Row, mean: float, widest: float) -> str:
    low, middle, high = (
        100 * (mean if end is None else end) / widest for end in (row.low, mean, row.high)
    )
    name = escape(plain(row.entry.label))
    return (
        f'<li{" class=top" if row.top else ""}><span class="name">{name}</span>'
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<line class="interval" x1="{low:.2f}" x2="{high:.2f}" y1="5" y2="5"/>'
        f'<line class="mean" x1="{middle:.2f}" x2="{middle:.2f}" y1="1" y2="9"/></svg>'
        f'<span class="figures">{mean:.3f} ({rank_cell(row).text})</span></li>'
    )
