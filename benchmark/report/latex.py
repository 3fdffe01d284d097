"""Boards as LaTeX tables for papers (booktabs)."""

from __future__ import annotations

import re

from tabulate import tabulate

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.plain_text import plain
from benchmark.report.notes import notes
from benchmark.report.sections import sections
from benchmark.report.text_tables import Cell, Grid

__all__ = ["to_latex"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "`": r"\textasciigrave{}",
    "|": r"\textbar{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "<": r"$<$",
    ">": r"$>$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def to_latex(boards: list[Leaderboard]) -> str:
    """Return a ``table`` for each task and protocol, and for slices, trade-off and ablations.

    The preamble needs ``\\usepackage{booktabs}``; notes stand in the caption of the first table.
    """
    parts = ["% needs \\usepackage{booktabs}"]
    for board in boards:
        grids = [grid for part in sections(board) if not part.detail for grid in part.grids]
        for number, grid in enumerate(grids):
            caption = f"{board.dataset}. {grid.title}."
            if number == 0:
                caption += " " + " ".join(notes(board))
            parts.append(_table(grid, caption))
    return "\n\n".join(parts) + "\n"


def _table(grid: Grid, caption: str) -> str:
    body = [[_cell(cell) for cell in line] for line in grid.body]
    align = ("left", *("right",) * (len(grid.headers) - 1))
    headers = [_escape(header) for header in grid.headers]
    tabular = tabulate(body, headers, tablefmt="latex_raw", colalign=align, disable_numparse=True)
    # Tabulate's own booktabs format would escape what is set on purpose here.
    for rule in ("\\toprule", "\\midrule", "\\bottomrule"):
        tabular = tabular.replace("\\hline", rule, 1)
    lines = "\n".join(line.rstrip() for line in tabular.splitlines())
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{_escape(caption)}}}\n{lines}\n\\end{{table}}"
    )


def _cell(cell: Cell) -> str:
    text = _escape(cell.text)
    tier = f"$^{{\\mathrm{{{cell.tier}}}}}$" if cell.tier else ""
    return (f"\\textbf{{{text}}}" if cell.bold else text) + tier


def _escape(text: str) -> str:
    """Return LaTeX that is set as ``text``; a row may begin with it, behind ``\\\\``."""
    escaped = re.sub("|".join(map(re.escape, _SPECIAL)), lambda m: _SPECIAL[m[0]], plain(text))
    return re.sub(r"([-',])(?=\1)", r"\1{}", escaped)  # else two would become one other sign
