"""Boards as one HTML page that needs nothing else: no server, no network, no library.

The tables are in the page as text, so that it can be read without JavaScript; the scripts of
``page/`` add sorting, a filter and the charts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from benchmark.analysis.leaderboard import ALL, SHOWN, Leaderboard, Pair, Row, Table
from benchmark.report.json import to_document
from benchmark.report.text_tables import (
    FEW_SEEDS,
    TASKS,
    Cell,
    Grid,
    ablation_grids,
    changed_grids,
    main_grids,
    notes,
    p_cell,
    slice_grids,
    table_title,
    tradeoff_grids,
)

__all__ = ["to_html"]

_TIER_COLOURS = 8
_NAME = ' class="name"'


def to_html(boards: list[Leaderboard]) -> str:
    """Return all boards as one page; the same boards give the same bytes."""
    style = _part("report.css")
    script = _part("charts.js") + _part("report.js")
    names = ", ".join(dict.fromkeys(board.dataset for board in boards))
    return Template(_part("report.html")).substitute(
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'",
        title=escape(f"Leaderboard: {names}" if names else "Leaderboard"),
        style=style,
        body="\n".join(_board(board, number) for number, board in enumerate(boards))
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
    text = json.dumps([_charted(board) for board in boards], separators=(",", ":"))
    return text.translate({ord(c): f"\\u{ord(c):04x}" for c in "<>&"})


def _charted(board: Leaderboard) -> dict[str, Any]:
    document = to_document([board])
    whole = {"protocol": "full", "slice": ALL, "metric": SHOWN[0]}
    return {
        "tables": {
            table["task"]: table["rows"]
            for table in document["tables"]
            if whole.items() <= table.items()
        },
        "curves": document["curves"],
        "front": _front(board),
    }


def _board(board: Leaderboard, number: int) -> str:
    anchor = f"board-{number}"
    sections = list(_sections(board, anchor))
    links = "".join(
        f'<li{" hidden data-script" if scripted else ""}><a href="#{name}">{title}</a></li>'
        for name, title, _, scripted in sections
    )
    parts = [
        f'<section data-board="{number}" aria-labelledby="{anchor}">',
        f'<h2 id="{anchor}">{escape(board.dataset)}</h2>',
        f'<ul class="notes">{"".join(f"<li>{_note(text)}</li>" for text in notes(board))}</ul>',
        f'<nav aria-label="Parts of {escape(board.dataset)}"><ul>{links}</ul></nav>',
        "<div data-filter hidden data-script></div>",
    ]
    for name, title, content, scripted in sections:
        parts.append(
            f'<section aria-labelledby="{name}"{" hidden data-script" if scripted else ""}>\n'
            f'<h3 id="{name}">{title}</h3>\n{content}\n</section>'
        )
    return "\n".join([*parts, "</section>"])


def _sections(board: Leaderboard, anchor: str) -> Iterator[tuple[str, str, str, bool]]:
    """Give anchor, title and content of each part that has any, and whether it needs the script."""
    main, slices, pairs = main_grids(board), slice_grids(board), _pair_grids(board)
    tradeoff, ablated, changed = tradeoff_grids(board), ablation_grids(board), changed_grids(board)
    reach = _interval_grid(board)
    if main:
        yield f"{anchor}-results", "Results", _tables(main, f"{anchor}-main"), False
    if reach.body:
        content = f"{_chart('joint')}\n{_tables([reach], f'{anchor}-reach')}"
        yield f"{anchor}-joint", "Search against recommendation", content, False
        yield f"{anchor}-cost", "Cost against quality", _chart("cost"), True
    if board.curves:
        yield f"{anchor}-curves", "Learning curves", _chart("curves"), True
    if pairs:
        content = _folded(pairs, f"{anchor}-pair", names=2)
        yield f"{anchor}-pairs", "Pairs of models", content, False
    if slices:
        content = _folded(slices, f"{anchor}-slice")
        yield f"{anchor}-slices", "Slices", content, False
    if tradeoff:
        content = _tables(tradeoff, f"{anchor}-trade")
        yield f"{anchor}-tradeoff", "One model for both tasks", content, False
    if ablated:
        content = _tables(ablated, f"{anchor}-ablate", names=0)
        yield f"{anchor}-ablations", "Ablations", content, False
    if changed:
        content = _tables(changed, f"{anchor}-change", names=0)
        yield f"{anchor}-settings", "Changed settings", content, False


def _note(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _chart(kind: str) -> str:
    return f'<div class="chart" data-chart="{kind}" hidden data-script></div>'


def _tables(grids: list[Grid], anchor: str, names: int = 1) -> str:
    return "\n".join(_table(g, f"{anchor}-{i}", names) for i, g in enumerate(grids))


def _folded(grids: list[Grid], anchor: str, names: int = 1) -> str:
    return "\n".join(
        f"<details><summary>{escape(grid.title)}</summary>\n"
        f"{_table(grid, f'{anchor}-{number}', names)}\n</details>"
        for number, grid in enumerate(grids)
    )


def _table(grid: Grid, anchor: str, names: int) -> str:
    """Return a table in a box of its own to scroll in.

    The first ``names`` columns hold names of models, by which the page's filter picks rows; with
    none, the first column still heads its rows.
    """
    heads = max(names, 1)
    head = "".join(
        f'<th scope="col"{_NAME if place < heads else ""}>{escape(header)}</th>'
        for place, header in enumerate(grid.headers)
    )
    body = "\n".join(
        f"<tr>{''.join(_cell(cell, place < heads) for place, cell in enumerate(line))}</tr>"
        for line in grid.body
    )
    return (
        f'<div class="scroll" role="region" aria-labelledby="{anchor}" tabindex="0">\n'
        f"<table{' data-models' if names else ''}>"
        f'<caption><span id="{anchor}">{escape(grid.title)}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _cell(cell: Cell, heads: bool) -> str:
    text = f"<strong>{escape(cell.text)}</strong>" if cell.bold else escape(cell.text)
    if cell.tier:
        text += f' <span class="tiers"><span class="unseen">tier </span>{_tiers(cell.tier)}</span>'
    if heads:
        return f'<th scope="row"{_NAME}>{text}</th>'
    key = "" if cell.value is None else f' data-value="{cell.value!r}"'
    return f"<td{key}>{text}</td>"


def _tiers(letters: str) -> str:
    return "".join(
        f'<span class="tier tier-{(ord(letter) - ord("a")) % _TIER_COLOURS}">{letter}</span>'
        for letter in letters
    )


def _whole(board: Leaderboard, task: str) -> dict[str, Row]:
    """Return the rows by NDCG@10 over the whole catalogue, by model."""
    asked = (task, "full", ALL, SHOWN[0])
    return {
        row.entry.label: row
        for table in board.tables
        if (table.task, table.protocol, table.slice, table.metric) == asked
        for row in table.rows
    }


def _front(board: Leaderboard) -> list[str]:
    """Return the models of which no other is as good in both tasks and better in one."""
    rec, search = _whole(board, "rec"), _whole(board, "search")
    points = {
        name: (row.mean, other.mean)
        for name, row in rec.items()
        if (other := search.get(name)) and row.mean is not None and other.mean is not None
    }
    return [
        name
        for name, (x, y) in points.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points.values())
    ]


def _interval_grid(board: Leaderboard) -> Grid:
    rows = [_whole(board, task) for task in TASKS]
    front = _front(board)
    body = tuple(
        (
            Cell(name),
            *(_mean(found.get(name)) for found in rows),
            Cell("yes" if name in front else "no" if all(name in found for found in rows) else ""),
        )
        for name in dict.fromkeys(name for found in rows for name in found)
    )
    title = f"{SHOWN[0].upper()} (whole catalogue) with 95% intervals, by user"
    return Grid(title, ("model", *TASKS.values(), "on the Pareto front"), body)


def _mean(row: Row | None) -> Cell:
    if row is None or row.mean is None:
        return Cell("n/a")
    return Cell(f"{row.mean:.4f}{_between(row.low, row.high, '.4f')}", row.top, value=row.mean)


def _between(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f" ({low:{form}} to {high:{form}})"


def _pair_grids(board: Leaderboard) -> list[Grid]:
    asked = (t for t in board.tables if (t.slice, t.metric) == (ALL, SHOWN[0]) and t.pairs)
    return [_pair_grid(table) for table in asked]


def _pair_grid(table: Table) -> Grid:
    headers = ("better", "other", "difference", "win", "tie", "loss", "effect size")
    title = (
        f"{table_title(table)}: {SHOWN[0].upper()} of every pair,"
        " with 95% intervals; win, tie and loss count requests"
    )
    body = tuple(_pair_line(pair) for pair in table.pairs)
    return Grid(title, (*headers, "p", "p (Holm)", "seeds"), body)


def _pair_line(pair: Pair) -> tuple[Cell, ...]:
    moved = f"{pair.difference:+.4f}{_between(pair.low, pair.high, '+.4f')}"
    effect = "n/a"
    if pair.effect is not None:
        effect = f"{pair.effect:+.2f}{_between(pair.effect_low, pair.effect_high, '+.2f')}"
    few = " †" if pair.seeds < FEW_SEEDS else ""
    return (
        Cell(pair.a),
        Cell(pair.b),
        Cell(moved, pair.p_holm < 0.05, value=pair.difference),
        *(Cell(str(count), value=count) for count in (pair.win, pair.tie, pair.loss)),
        Cell(effect, value=pair.effect),
        *map(p_cell, (pair.p, pair.p_holm)),
        Cell(f"{pair.seeds}{few}", value=pair.seeds),
    )
