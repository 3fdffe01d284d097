"""The tables of a board as grids of text, which Markdown and LaTeX set in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.analysis.ablations import AblationTable
from benchmark.analysis.leaderboard import SHOWN, Leaderboard, Row, Table
from benchmark.analysis.relative_change import Change

__all__ = [
    "FEW_SEEDS",
    "TASKS",
    "Cell",
    "Grid",
    "ablation_grids",
    "changed_grids",
    "main_grids",
    "notes",
    "p_cell",
    "slice_grids",
    "table_title",
    "tradeoff_grids",
]

TASKS = {"rec": "Recommendation", "search": "Search"}
_FAMILIES = {
    "query": "kind of query",
    "history": "events in the history",
    "popularity": "training events of the relevant item",
    "item": "relevant item with (known) or without (new) training events",
}
FEW_SEEDS = 3
NOTHING = "n/a"


@dataclass(frozen=True)
class Cell:
    """Text, whether it stands out, the letters of its tier, and the number to sort it by."""

    text: str
    bold: bool = False
    tier: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Grid:
    """A table of text: the first column holds names, the others figures."""

    title: str
    headers: tuple[str, ...]
    body: tuple[tuple[Cell, ...], ...]


def main_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each task and protocol, all metrics beside each other."""
    return [_main(asked) for asked in _asked(board.tables, whole=True)]


def slice_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each task and family of slices, over the whole catalogue."""
    grids = []
    for asked in _asked(board.tables, whole=False):
        if asked[0].protocol != "full":
            continue
        for family, words in _FAMILIES.items():
            tables = [t for t in asked if t.slice.partition(":")[0] == family]
            if tables:
                grids.append(_by_slice(tables, words))
    return grids


def tradeoff_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid of joint training against training for one task, if there are joint models."""
    if not board.tradeoff:
        return []
    headers = ("model", *(f"{t} {w}" for t in TASKS for w in ("alone", "joint", "change")))
    body = tuple(
        (Cell(found.label), *_changes(found.rec), *_changes(found.search), _cell(found.harmonic))
        for found in board.tradeoff
    )
    words = "Trade-off: NDCG@10 (whole catalogue) of one model for both tasks or for each alone"
    return [Grid(words, (*headers, "harmonic mean"), body)]


def ablation_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each model that was run without its parts, the full model first."""
    return [_ablations(table) for table in board.ablations]


def _ablations(table: AblationTable) -> Grid:
    full: list[Cell] = []
    for mean in (table.rec, table.search):
        full += [_cell(mean), Cell(""), Cell(""), Cell("")]
    body = [(Cell(_marked("full model", table.seeds)), *full)]
    for part in table.parts:
        cells: list[Cell] = []
        for change in (part.rec, part.search):
            each = ", ".join(f"{found:+.0%}" for found in change.by_seed)
            cells += [*_changes(change)[1:], Cell(each or NOTHING), p_cell(change.p_holm)]
        body.append((Cell(_marked(part.name, part.seeds)), *cells))
    asked = ", ".join(filter(None, (table.preset, table.changed)))
    shown = ("", "change", "by seed", "p (Holm)")
    headers = ("model", *(f"{task} {words}".strip() for task in TASKS for words in shown))
    title = f"Ablations of {table.model} ({asked}): NDCG@10 (whole catalogue)"
    return Grid(title, headers, tuple(body))


def changed_grids(board: Leaderboard) -> list[Grid]:
    """Return a grid for each model and preset that was run with changed settings."""
    found: dict[tuple[str, str], list[tuple[Cell, ...]]] = {}
    for each in board.changed:
        line = (Cell(each.setting), *_changes(each.rec), *_changes(each.search))
        found.setdefault((each.model, each.preset), []).append(line)
    headers = ("setting", *(f"{t} {w}" for t in TASKS for w in ("without", "with", "change")))
    return [
        Grid(
            f"Settings of {model} ({preset}): NDCG@10 (whole catalogue) without and with a change",
            headers,
            tuple(body),
        )
        for (model, preset), body in found.items()
    ]


def notes(board: Leaderboard) -> list[str]:
    """Return what a reader has to know about a board, a sentence or two each."""
    rows = [row for table in board.tables for row in table.rows]
    presets = {row.entry.preset for row in rows} | {table.preset for table in board.ablations}
    found = [
        f"Split {board.split}, leakage {board.leakage}, seen items {board.seen}"
        f" (data {board.digest[:12]}, candidates {board.candidates[:12]}).",
        "Models that share a letter cannot be told apart at 0.05, by Fisher's randomisation test"
        " over all pairs of a column with Holm's correction; bold is whatever cannot be told from"
        " the best. ± is the standard deviation over seeds.",
        f"Presets: {', '.join(sorted(presets))}.",
    ]
    tuned = {row.entry.label: row.entry.trials for row in rows if row.entry.trials}
    if tuned:
        sizes = ", ".join(f"{name} {trials}" for name, trials in sorted(tuned.items()))
        found.append(f"Settings chosen on validation, by so many trials: {sizes}.")
    counts = [row.seeds for row in rows]
    for table in board.ablations:
        counts += [table.seeds, *(part.seeds for part in table.parts)]
    if any(seeds < FEW_SEEDS for seeds in counts):
        found.append(f"† fewer than {FEW_SEEDS} seeds: the spread over seeds is not known well.")
    if board.ablations:
        found.append(
            "Change by seed: of each seed that both were run with. p tells whether other requests"
            " would show the change, not whether other trainings would."
        )
    if any(t.task == "search" and t.protocol == "sampled" for t in board.tables):
        found.append(
            "Sampled search lists are the best wrong answers of BM25, so they are adversarial to"
            " `bm25`; read search over the whole catalogue first."
        )
    if any(None in (row.mean, row.entry.parameters) for row in rows):
        found.append(f"{NOTHING}: not known, or not asked of every seed.")
    if board.superseded:
        found.append(f"Runs left out because a newer one has the same request: {board.superseded}.")
    return found


def _asked(tables: Sequence[Table], whole: bool) -> list[list[Table]]:
    """Part the tables of all requests, or those of slices, by task and protocol."""
    parts: dict[tuple[str, str], list[Table]] = {}
    for table in tables:
        if (table.slice == "all") == whole:
            parts.setdefault((table.task, table.protocol), []).append(table)
    return list(parts.values())


def _main(tables: list[Table]) -> Grid:
    found = {table.metric: {row.entry.label: row for row in table.rows} for table in tables}
    body = []
    for row in tables[0].rows:
        label = row.entry.label
        body.append(
            (
                Cell(_marked(label, row.seeds), row.top),
                *(_scored(found[metric][label], metric == SHOWN[0]) for metric in SHOWN),
                _cell(row.seeds, "{}"),
                _duration(row.entry.fit_seconds),
                _cell(row.seconds_per_request, "{:.2f} ms", 1000),
                _cell(row.entry.parameters, "{:,}"),
            )
        )
    headers = ("model", *(name.upper() for name in SHOWN), "seeds", "training", "per request")
    first = tables[0]
    return Grid(f"{table_title(first)}{_count(first)}", (*headers, "parameters"), tuple(body))


def _by_slice(tables: list[Table], words: str) -> Grid:
    labels = [row.entry.label for row in tables[0].rows]
    rows = [{row.entry.label: row for row in table.rows} for table in tables]
    body = tuple(
        (Cell(label), *(_scored(found[label], False) for found in rows)) for label in labels
    )
    headers = tuple(f"{t.slice.partition(':')[2]}{_count(t)}" for t in tables)
    first = tables[0]
    return Grid(f"{TASKS[first.task]}, {SHOWN[0].upper()} by {words}", ("model", *headers), body)


def table_title(table: Table) -> str:
    """Return task and candidates of a table in words."""
    if table.protocol == "full":
        return f"{TASKS[table.task]}, whole catalogue"
    if table.others is None:
        return f"{TASKS[table.task]}, sampled candidates"
    fewest, most = table.others
    others = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{TASKS[table.task]}, target among {others} others"


def _count(table: Table) -> str:
    size = table.rows[0].requests
    return (
        f" ({size} requests)"
        if size is not None and table.slice == "all"
        else (f" ({size})" if size is not None else "")
    )


def _scored(row: Row, spread: bool) -> Cell:
    if row.mean is None:
        return Cell(NOTHING)
    sd = f" ± {row.sd:.4f}" if spread and row.sd is not None else ""
    return Cell(f"{row.mean:.4f}{sd}", row.top, row.tier or "", row.mean)


def _marked(name: str, seeds: int) -> str:
    return f"{name} †" if seeds < FEW_SEEDS else name


def p_cell(p: float | None) -> Cell:
    """Return a p-value; small ones are cut off, as a sampled test cannot tell them apart."""
    return _cell(p) if p is None or p >= 0.0001 else Cell("<0.0001", value=p)


def _changes(change: Change) -> tuple[Cell, Cell, Cell]:
    if change.change is None:
        return _cell(change.reference), _cell(change.value), Cell(NOTHING)
    between = (
        f" ({change.low:+.1%} to {change.high:+.1%})"
        if change.low is not None and change.high is not None
        else ""
    )
    sure = change.p_holm is not None and change.p_holm < 0.05
    moved = Cell(f"{change.change:+.1%}{between}", sure, value=change.change)
    return _cell(change.reference), _cell(change.value), moved


def _cell(value: float | None, form: str = "{:.4f}", scale: int = 1) -> Cell:
    return Cell(NOTHING if value is None else form.format(scale * value), value=value)


def _duration(seconds: float | None) -> Cell:
    if seconds is None or seconds < 120:
        return _cell(seconds, "{:.1f} s")
    return Cell(f"{seconds / 60:.1f} min", value=seconds)
