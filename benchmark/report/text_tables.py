"""The tables of a board as grids of text, which every written form sets in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.analysis.ablations import AblationTable
from benchmark.analysis.leaderboard import Leaderboard, pareto_front
from benchmark.analysis.relative_change import Change
from benchmark.analysis.scores import SHOWN
from benchmark.analysis.tables import ALL, Pair, Row, Table

__all__ = [
    "CAPPED",
    "CHOICE",
    "FEW_SEEDS",
    "NOTHING",
    "TASKS",
    "Cell",
    "Grid",
    "ablation_grids",
    "agreement_grids",
    "changed_grids",
    "duration_cell",
    "main_grids",
    "pair_grids",
    "rank_cell",
    "reach_grids",
    "scored_cell",
    "slice_grids",
    "tradeoff_grids",
    "training_cell",
]

TASKS = {"rec": "Recommendation", "search": "Search"}
_FAMILIES = {
    "query": "kind of query",
    "history": "events in the history",
    "popularity": "training events of the relevant item",
    "item": "relevant item with (known) or without (new) training events",
    "hard": "what no easy rule answers",
}
FEW_SEEDS = 3
NOTHING = "n/a"
CAPPED = " ↑"
"""Marks a training that a cap ended, and not its validation."""


@dataclass(frozen=True)
class Cell:
    """Text, whether it stands out, the letters of its tier, and the number to sort it by.

    ``link`` is an address that the text leads to where the form has links.
    """

    text: str
    bold: bool = False
    tier: str = ""
    value: float | None = None
    link: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of text: the first column holds names, the others figures."""

    title: str
    headers: tuple[str, ...]
    body: tuple[tuple[Cell, ...], ...]


CHOICE = {"full": "whole catalogue", "given": "given candidates", "sampled": "sampled candidates"}
"""What is ranked by a protocol."""


def main_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each task and protocol, all metrics beside each other."""
    return [_main(tables) for tables in _by_protocol(board.tables, whole=True)]


def slice_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each task and family of slices, but of sampled candidates."""
    grids = []
    for tables in _by_protocol(board.tables, whole=False):
        for family, words in _FAMILIES.items():
            parts = [t for t in tables if t.slice.partition(":")[0] == family]
            if parts and parts[0].protocol != "sampled":
                grids.append(_by_slice(parts, words))
    return grids


def reach_grids(board: Leaderboard) -> list[Grid]:
    """Return one grid of both tasks with intervals, and which models are on the Pareto front."""
    rows = [board.whole(task) for task in TASKS]
    front = pareto_front(board)
    body = tuple(
        (
            Cell(name),
            *(_reach(of_task.get(name)) for of_task in rows),
            Cell("yes" if name in front else "no" if all(name in each for each in rows) else ""),
        )
        for name in dict.fromkeys(name for of_task in rows for name in of_task)
    )
    title = f"{SHOWN[0].upper()} ({CHOICE[board.leading]}) with 95% intervals"
    headers = ("model", *TASKS.values(), "on the Pareto front")
    return [Grid(title, headers, body)] if body else []


def pair_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid of all pairs of models for each task and protocol."""
    tables = (t for t in board.tables if (t.slice, t.metric) == (ALL, SHOWN[0]) and t.pairs)
    return [_pairs(table) for table in tables]


def _pairs(table: Table) -> Grid:
    headers = ("better", "other", "difference", "win", "tie", "loss", "effect size")
    title = (
        f"{_title(table)}: {SHOWN[0].upper()} of every pair,"
        " with 95% intervals; win, tie and loss count requests"
    )
    body = tuple(_pair_line(pair) for pair in table.pairs)
    return Grid(title, (*headers, "p", "p (Holm)", "seeds"), body)


def _pair_line(pair: Pair) -> tuple[Cell, ...]:
    moved = f"{pair.difference:+.4f}{_between(pair.low, pair.high, '+.4f')}"
    effect = NOTHING
    if pair.effect is not None:
        effect = f"{pair.effect:+.2f}{_between(pair.effect_low, pair.effect_high, '+.2f')}"
    return (
        Cell(pair.a),
        Cell(pair.b),
        Cell(moved, pair.p_holm < 0.05, value=pair.difference),
        *(Cell(str(count), value=count) for count in (pair.win, pair.tie, pair.loss)),
        Cell(effect, value=pair.effect),
        *map(_p_cell, (pair.p, pair.p_holm)),
        Cell(_marked(str(pair.seeds), pair.seeds), value=pair.seeds),
    )


def tradeoff_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid of joint training against training for one task, if there are joint models."""
    if not board.tradeoff:
        return []
    headers = ("model", *(f"{t} {w}" for t in TASKS for w in ("alone", "joint", "change")))
    body = tuple(
        (
            Cell(_fewest(each.label, each.rec, each.search)),
            *_changes(each.rec),
            *_changes(each.search),
            _cell(each.harmonic),
        )
        for each in board.tradeoff
    )
    words = f"Trade-off: NDCG@10 ({CHOICE[board.leading]}) of one model for both tasks or for each"
    return [Grid(f"{words} alone", (*headers, "harmonic mean"), body)]


def ablation_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each model that was run without its parts, the full model first."""
    return [_ablations(table, CHOICE[board.leading]) for table in board.ablations]


def _ablations(table: AblationTable, choice: str) -> Grid:
    full: list[Cell] = []
    for mean in (table.rec, table.search):
        full += [_cell(mean), Cell(""), Cell(""), Cell("")]
    body = [(Cell(_marked("full model", table.seeds)), *full)]
    for part in table.parts:
        cells: list[Cell] = []
        for change in (part.rec, part.search):
            each = ", ".join(f"{moved:+.0%}" for moved in change.by_seed)
            cells += [*_changes(change)[1:], Cell(each or NOTHING), _p_cell(change.p_holm)]
        borrowed = part.rec.borrowed or part.search.borrowed
        body.append((Cell(_marked(part.name, part.seeds, borrowed)), *cells))
    origin = ", ".join(filter(None, (table.preset, table.changed)))
    shown = ("", "change", "by seed", "p (Holm)")
    headers = ("model", *(f"{task} {words}".strip() for task in TASKS for words in shown))
    title = f"Ablations of {table.model} ({origin}): NDCG@10 ({choice})"
    return Grid(title, headers, tuple(body))


def changed_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each model and preset that was run with changed settings."""
    lines: dict[tuple[str, str], list[tuple[Cell, ...]]] = {}
    for each in board.changed:
        name = _fewest(each.setting, each.rec, each.search)
        line = (Cell(name), *_changes(each.rec), *_changes(each.search))
        lines.setdefault((each.model, each.preset), []).append(line)
    headers = ("setting", *(f"{t} {w}" for t in TASKS for w in ("without", "with", "change")))
    choice = CHOICE[board.leading]
    return [
        Grid(
            f"Settings of {model} ({preset}): NDCG@10 ({choice}) without and with a change",
            headers,
            tuple(body),
        )
        for (model, preset), body in lines.items()
    ]


def agreement_grids(board: Leaderboard) -> list[Grid]:
    """Return one grid of how the order of the models agrees with that on other data sets."""
    body = tuple(
        (
            Cell(f"{each.other}, {TASKS[each.task].lower()}"),
            _cell(each.models, "{}"),
            _cell(each.tau, "{:+.2f}"),
            _p_cell(each.p),
            _cell(each.same, "{}"),
            _cell(each.opposite, "{}"),
        )
        for each in board.agreements
    )
    headers = ("data set", "models in both", "Kendall's tau", "p")
    pairs = ("pairs told apart in both: same way round", "the other way round")
    title = f"Order of the models by {SHOWN[0].upper()} here and elsewhere"
    return [Grid(title, (*headers, *pairs), body)] if body else []


def _by_protocol(tables: Sequence[Table], whole: bool) -> list[list[Table]]:
    """Part the tables of all requests, or those of slices, by task and protocol."""
    parts: dict[tuple[str, str], list[Table]] = {}
    for table in tables:
        if (table.slice == ALL) == whole:
            parts.setdefault((table.task, table.protocol), []).append(table)
    return list(parts.values())


def _main(tables: list[Table]) -> Grid:
    rows = {table.metric: {row.entry.label: row for row in table.rows} for table in tables}
    body = []
    for row in tables[0].rows:
        label = row.entry.label
        body.append(
            (
                Cell(_marked(label, _known(row), row.borrowed), row.top),
                *(scored_cell(rows[metric][label], metric == SHOWN[0]) for metric in SHOWN),
                rank_cell(row),
                _cell(row.seeds, "{}" if row.entry.uses_seed else "any"),
                training_cell(row),
                _cell(row.seconds_per_request, "{:.2f} ms", 1000),
                _cell(row.entry.parameters, "{:,}"),
            )
        )
    metrics = (name.upper() for name in SHOWN)
    headers = ("model", *metrics, "rank", "seeds", "training", "per request")
    first = tables[0]
    return Grid(f"{_title(first)}{_count(first)}", (*headers, "parameters"), tuple(body))


def _by_slice(tables: list[Table], words: str) -> Grid:
    labels = [row.entry.label for row in tables[0].rows]
    rows = [{row.entry.label: row for row in table.rows} for table in tables]
    body = tuple(
        (Cell(label), *(scored_cell(each[label], False) for each in rows)) for label in labels
    )
    headers = tuple(f"{t.slice.partition(':')[2] or t.slice}{_count(t)}" for t in tables)
    first = tables[0]
    where = TASKS[first.task] if first.protocol == "full" else _title(first)
    return Grid(f"{where}, {SHOWN[0].upper()} by {words}", ("model", *headers), body)


def _title(table: Table) -> str:
    if table.protocol == "full":
        return f"{TASKS[table.task]}, whole catalogue"
    if table.others is None:
        return f"{TASKS[table.task]}, {table.protocol} candidates"
    fewest, most = table.others
    others = f"{most}" if fewest == most else f"{fewest} to {most}"
    given = " of the data's own lists" if table.protocol == "given" else ""
    return f"{TASKS[table.task]}, target among {others} others{given}"


def _count(table: Table) -> str:
    size = table.rows[0].requests
    return (
        f" ({size} requests)"
        if size is not None and table.slice == ALL
        else (f" ({size})" if size is not None else "")
    )


def scored_cell(row: Row, spread: bool = True) -> Cell:
    """Tell the mean, with its letters, and the spread over seeds."""
    if row.mean is None:
        return Cell(NOTHING)
    sd = f" ± {row.sd:.4f}" if spread and row.sd is not None else ""
    return Cell(f"{row.mean:.4f}{sd}", row.top, row.tier or "", row.mean)


def rank_cell(row: Row) -> Cell:
    """Tell where a model may stand."""
    if row.rank_low is None or row.rank_high is None:
        return Cell(NOTHING)
    ends = dict.fromkeys((row.rank_low, row.rank_high))
    return Cell(" to ".join(map(str, ends)), value=row.rank_low)


def _known(row: Row) -> int:
    """Return how many seeds are known; one tells of all where no seed is used."""
    return row.seeds if row.entry.uses_seed else max(row.seeds, FEW_SEEDS)


def _marked(name: str, seeds: int, borrowed: bool = False) -> str:
    mark = "‡" if borrowed else "†" if seeds < FEW_SEEDS else ""
    return f"{name} {mark}".rstrip()


def _fewest(name: str, *changes: Change) -> str:
    """Mark a name by what the changes that there are know least of other trainings."""
    known = [change for change in changes if change.change is not None]
    fewest = min((change.seeds for change in known), default=FEW_SEEDS)
    return _marked(name, fewest, any(change.borrowed for change in known))


def _reach(row: Row | None) -> Cell:
    if row is None or row.mean is None:
        return Cell(NOTHING)
    return Cell(f"{row.mean:.4f}{_between(row.low, row.high, '.4f')}", row.top, value=row.mean)


def _between(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f" ({low:{form}} to {high:{form}})"


def _p_cell(p: float | None) -> Cell:
    return _cell(p) if p is None or p >= 0.0001 else Cell("<0.0001", value=p)


def _changes(change: Change) -> tuple[Cell, Cell, Cell]:
    if change.change is None:
        return _cell(change.reference), _cell(change.value), Cell(NOTHING)
    between = _between(change.low, change.high, "+.1%")
    sure = change.p_holm is not None and change.p_holm < 0.05
    moved = Cell(f"{change.change:+.1%}{between}", sure, value=change.change)
    return _cell(change.reference), _cell(change.value), moved


def _cell(value: float | None, form: str = "{:.4f}", scale: int = 1) -> Cell:
    return Cell(NOTHING if value is None else form.format(scale * value), value=value)


def training_cell(row: Row) -> Cell:
    """Tell how long it took, what the last doubling of it brought, and whether a cap ended it."""
    entry, rise = row.entry, row.entry.last_doubling
    told = duration_cell(entry.fit_seconds)
    gain = "" if rise is None else f", {rise:+.0%}"
    return Cell(f"{told.text}{gain}{CAPPED if entry.capped else ''}", value=told.value)


def duration_cell(seconds: float | None) -> Cell:
    """Tell a time in seconds or minutes."""
    if seconds is None or seconds < 120:
        return _cell(seconds, "{:.1f} s")
    return Cell(f"{seconds / 60:.1f} min", value=seconds)
