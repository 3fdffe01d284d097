"""Boards as one HTML page that needs nothing else: no server, no network, no library.

The tables are in the page as text, so that it can be read without JavaScript; the scripts of
``page/`` add sorting, a filter and the charts.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from benchmark.analysis.leaderboard import Leaderboard, pareto_front
from benchmark.analysis.scores import SHOWN
from benchmark.analysis.tables import ALL
from benchmark.plain_text import plain
from benchmark.report.answer import answer_lines
from benchmark.report.forest_list import forest_lists
from benchmark.report.json import to_document
from benchmark.report.notes import notes
from benchmark.report.sections import Section, sections
from benchmark.report.text_tables import Cell, Grid

__all__ = ["to_html"]

_TIER_COLOURS = 8
_NAME = ' class="name"'
_MARKS = " †‡"
"""What a name may have behind it."""
_DIGITS = 7
"""Significant digits of what is sorted, drawn and downloaded."""
_PROSE = 30
"""Letters beyond which a cell without a figure is folded."""


def to_html(boards: list[Leaderboard], answered: bool = True, pages: str = "") -> str:
    """Return all boards as one page; the same boards give the same bytes.

    Args:
        boards: to be shown.
        answered: whether each begins with its answer in words, which wants all models there are.
        pages: address of the models' pages, as :func:`benchmark.report.model_grid.model_grids`
            takes it.
    """
    style = _part("report.css")
    script = _part("charts.js") + _part("report.js")
    names = ", ".join(dict.fromkeys(board.dataset for board in boards))
    return Template(_part("report.html")).substitute(
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'",
        title=_escape(f"Leaderboard: {names}" if names else "Leaderboard"),
        style=style,
        body="\n".join(
            _board(board, number, answered, pages) for number, board in enumerate(boards)
        )
        or "<p>No runs yet.</p>",
        data=_data(boards),
        script=script,
    )


def _part(name: str) -> str:
    return (files("benchmark.report") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the name by which a content security policy allows exactly this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(boards: list[Leaderboard]) -> str:
    """Return what the charts show as JSON that cannot end the script element it stands in."""
    charted = _plain([_charted(board) for board in boards])
    text = json.dumps(charted, separators=(",", ":"), allow_nan=False)
    return text.translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&"})


def _plain(value: Any) -> Any:
    """Return JSON whose texts the scripts may show, and whose figures are as exact as need be."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return _rounded(value)
    return plain(value) if isinstance(value, str) else value


def _rounded(value: float) -> float:
    """Return a figure with the digits that a page keeps of it."""
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")


def _charted(board: Leaderboard) -> dict[str, Any]:
    document = to_document([board])
    whole = {"protocol": board.leading, "slice": ALL, "metric": SHOWN[0]}
    return {
        "tables": {
            table["task"]: table["rows"]
            for table in document["tables"]
            if whole.items() <= table.items()
        },
        "curves": document["curves"],
        "front": pareto_front(board),
    }


def _board(board: Leaderboard, number: int, answered: bool, pages: str) -> str:
    anchor = f"board-{number}"
    shown = sections(board, pages)
    links = "".join(
        f'<li{_by_script(part)}><a href="#{anchor}-{part.name}">{part.title}</a></li>'
        for part in shown
    )
    parts = [
        f'<section data-board="{number}" aria-labelledby="{anchor}">',
        f'<h2 id="{anchor}">{_escape(board.dataset)}</h2>',
        *(_answer(board) if answered else ()),
        f'<ul class="notes">{"".join(f"<li>{_escape(text)}</li>" for text in notes(board))}</ul>',
        f'<nav aria-label="Parts of {_escape(board.dataset)}"><ul>{links}</ul></nav>',
        "<div data-filter hidden data-script></div>",
        *(_section(part, f"{anchor}-{part.name}") for part in shown),
    ]
    return "\n".join([*parts, "</section>"])


def _answer(board: Leaderboard) -> Iterator[str]:
    yield '<ul class="answer">'
    for head, text in answer_lines(board):
        yield f"<li><strong>{_escape(head)}</strong>: {_escape(text)}</li>"
    yield "</ul>"
    yield f'<div class="forests">{"".join(forest_lists(board))}</div>'


def _section(part: Section, anchor: str) -> str:
    tables = [_table(g, f"{anchor}-{i}", part.models) for i, g in enumerate(part.grids)]
    if part.folded:
        tables = [
            f"<details><summary>{_escape(grid.title)}</summary>\n{table}\n</details>"
            for grid, table in zip(part.grids, tables, strict=True)
        ]
    content = "\n".join([*([_chart(part.chart)] if part.chart else []), *tables])
    return (
        f'<section aria-labelledby="{anchor}"{_by_script(part)}>\n'
        f'<h3 id="{anchor}">{part.title}</h3>\n{content}\n</section>'
    )


def _by_script(part: Section) -> str:
    """Return the attributes of what only the script fills."""
    return "" if part.grids else " hidden data-script"


def _chart(kind: str) -> str:
    return f'<div class="chart" data-chart="{kind}" hidden data-script></div>'


def _table(grid: Grid, anchor: str, names: int) -> str:
    """Return a table in a box of its own to scroll in.

    The first ``names`` columns hold names of models, by which the page's filter picks rows; with
    none, the first column still heads its rows.
    """
    heads = max(names, 1)
    head = "".join(
        f'<th scope="col"{_NAME if place < heads else ""}>{_escape(header)}</th>'
        for place, header in enumerate(grid.headers)
    )
    lines = (
        "".join(_cell(cell, place < heads, names > 0) for place, cell in enumerate(line))
        for line in grid.body
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="scroll" role="region" aria-labelledby="{anchor}" tabindex="0">\n'
        f"<table{' data-models' if names else ''}>"
        f'<caption><span id="{anchor}">{_escape(grid.title)}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _cell(cell: Cell, heads: bool, named: bool) -> str:
    text = f"<strong>{_escape(cell.text)}</strong>" if cell.bold else _escape(cell.text)
    if cell.link:
        text = f'<a href="{_escape(cell.link)}">{text}</a>'
    if cell.tier:
        text += f' <span class="tiers"><span class="unseen">tier </span>{_tiers(cell.tier)}</span>'
    if heads:
        name = cell.text.rstrip(_MARKS)
        model = f' data-model="{_escape(name)}"' if named and name != cell.text else ""
        long = ' class="long"' if len(cell.text) > _PROSE else ""
        return f'<th scope="row"{long}{model}>{text}</th>'
    key = "" if cell.value is None else f' data-value="{_rounded(cell.value)!r}"'
    prose = ' class="prose"' if cell.value is None and len(cell.text) > _PROSE else ""
    return f"<td{key}{prose}>{text}</td>"


def _escape(text: str) -> str:
    """Return what a page shows as ``text``, in an element or in a quoted attribute."""
    return escape(plain(text))


def _tiers(letters: str) -> str:
    return "".join(
        f'<span class="tier tier-{(ord(letter[-1]) - ord("a")) % _TIER_COLOURS}">{letter}</span>'
        for letter in (letters.split(",") if "," in letters else letters)
    )
