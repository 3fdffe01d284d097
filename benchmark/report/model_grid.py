"""What each model of a board is, with links to its paper and its page."""

from __future__ import annotations

import re
from urllib.parse import quote

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.registry import ModelEntry, known
from benchmark.report.text_tables import TASKS, Cell, Grid

__all__ = ["address_of", "model_grids"]

_ADDRESSES = {
    r"\barXiv[: ](\d{4}\.\d{4,5})\b": "https://arxiv.org/abs/{}",
    r"\bdoi[: ](10\.\d{4,9}/[^\s,;]+)": "https://doi.org/{}",
}
"""Where a paper lies that is cited so."""


def model_grids(board: Leaderboard, pages: str = "") -> list[Grid]:
    """Return one grid of what the registry says of a board's models, if it knows any.

    Args:
        board: to be shown.
        pages: address below which each model has a page ``NAME.html``, what a name has behind a
            colon left out; none if empty.
    """
    entries = known()
    labels = dict.fromkeys(
        (row.entry.label, row.entry.runs[0].info["model"]) for t in board.tables for row in t.rows
    )
    body = tuple(
        (
            Cell(label, link=_page(name, pages)),
            Cell(", ".join(TASKS[task].lower() for task in entries[name].tasks)),
            Cell(entries[name].group),
            Cell(entries[name].summary),
            Cell(entries[name].reference, link=address_of(entries[name])),
        )
        for label, name in labels
        if name in entries
    )
    return (
        [Grid("What each model is", ("model", "serves", "kind", "", "from"), body)] if body else []
    )


def address_of(entry: ModelEntry) -> str:
    """Return where the first paper that a model's entry cites by number lies, "" where none is."""
    found = [
        (match.start(), form.format(match[1]))
        for pattern, form in _ADDRESSES.items()
        if (match := re.search(pattern, entry.reference))
    ]
    return min(found)[1] if found else ""


def _page(name: str, pages: str) -> str:
    return f"{pages.rstrip('/')}/{quote(name.partition(':')[0])}.html" if pages else ""
