"""The answer of a board in words made of its numbers, and its most telling rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.analysis.answer import Answer, TaskAnswer, answer_of, telling
from benchmark.analysis.leaderboard import Leaderboard
from benchmark.analysis.tables import Row
from benchmark.report.text_tables import (
    CAPPED,
    CHOICE,
    FEW_SEEDS,
    NOTHING,
    TASKS,
    Cell,
    Grid,
    duration_cell,
    rank_cell,
    scored_cell,
    training_cell,
)

__all__ = ["answer_lines", "telling_grid"]

_MOST = 10
"""Rows of the short table."""
_SHOWN_SO = 0.0005
"""The least difference that three digits show."""
_NAMED = 6
"""Models that a sentence names."""


def answer_lines(board: Leaderboard) -> list[tuple[str, str]]:
    """Return sentences, each with what it is about, ``("Search", "… cannot be told …")``."""
    answer = answer_of(board)
    surer = "; ".join(_surer(answer))
    return [
        *((TASKS[each.task], _best(each)) for each in answer.tasks),
        *_both(answer),
        *(("How sure", _quick(board) + _sure(each)) for each in answer.tasks[:1]),
        *([("What would make it surer", f"{surer}.")] if surer else []),
    ]


def telling_grid(board: Leaderboard) -> Grid:
    """Return a table of the models that stand highest in either task, both tasks side by side."""
    tasks = [task for task in TASKS if board.whole(task)]
    rows = {task: board.whole(task) for task in tasks}
    body = []
    for name in telling(board, _MOST):
        own = [rows[task].get(name) for task in tasks]
        line = [Cell(name, any(row is not None and row.top for row in own))]
        for row in own:
            line += [scored_cell(row), rank_cell(row)] if row else [Cell("")] * 2
        some = next(row for row in own if row is not None)
        size = some.entry.parameters
        line += [training_cell(some), Cell(NOTHING if size is None else f"{size:,}", value=size)]
        body.append(tuple(line))
    every = len({name for task in tasks for name in rows[task]})
    heads = [head for task in tasks for head in (TASKS[task], f"{task} rank")]
    shown = "all" if every <= _MOST else f"the {_MOST} of {every} that stand highest in either task"
    order = "by their better place" if len(tasks) > 1 else "best first"
    title = f"NDCG@10, {CHOICE[board.leading]}: {shown}, {order}"
    return Grid(title, ("model", *heads, "training", "parameters"), tuple(body))


def _best(each: TaskAnswer) -> str:
    names = _listed([row.entry.label for row in each.best])
    metric = each.metric.upper()
    if len(each.best) == 1:
        row = each.best[0]
        all_others = {1: "the other one", 2: "both others"}.get(
            each.others, f"all {each.others} others"
        )
        apart = f"; {all_others} can be told from it" if each.others else ""
        return f"{names} is best, with {metric} {_figure(row)}{apart}."
    means = f"{_figure(each.best[0])} to {_figure(each.best[-1])}"
    said = f"{names} cannot be told from the best ({metric} {means})"
    if each.cheapest is not None:
        said += f"; the cheapest of them is {each.cheapest.entry.label}"
        said += f" ({duration_cell(each.cheapest.entry.fit_seconds).text} of training)"
    return f"{said}."


def _both(answer: Answer) -> Iterator[tuple[str, str]]:
    if len(answer.tasks) < 2:
        return
    head = "Both at once"
    if answer.both:
        verb = "is" if len(answer.both) == 1 else "are"
        yield head, f"{_listed(answer.both)} {verb} among the best in both tasks."
    elif answer.front:
        alone = len(answer.front) == 1
        of_both = (
            f"{answer.front[0]} is best of those that serve both"
            if alone
            else f"of those that serve both, {_listed(answer.front)} are beaten in both by none"
        )
        yield head, f"no model is among the best in both tasks; {of_both}."


def _quick(board: Leaderboard) -> str:
    """Warn of rows that were trained for a first look."""
    rows = [row for task in TASKS for row in board.whole(task).values()]
    hasty = any(row.entry.preset == "quick" for row in rows)
    return "rows of preset quick are a first look and not to be quoted; " if hasty else ""


def _sure(each: TaskAnswer) -> str:
    of = {
        "recipes": "other trainings of the same recipes, asked other requests",
        "requests": "other requests, not of other trainings",
    }[each.question]
    few, many = each.seeds
    seeds = f"{few} to {many} seeds" if few < many else "one seed" if few == 1 else f"{few} seeds"
    said = f"all this speaks of {of}: {each.requests:,} requests, {seeds}"
    pair = each.closest
    if pair is not None and pair.low is not None and pair.high is not None:
        digits = 3 if pair.difference >= _SHOWN_SO else 4
        low, high = (f"{end:+.{digits}f}" for end in (pair.low, pair.high))
        said += (
            f"; in {TASKS[each.task].lower()} {pair.a} lies {pair.difference:.{digits}f} above"
            f" {pair.b}, somewhere from {low} to {high} with 95%"
        )
    return f"{said}."


def _surer(answer: Answer) -> Iterator[str]:
    doubts = {each.doubt for each in answer.tasks if len(each.best) > 1}
    if "trainings" in doubts:
        few = any(each.seeds[0] < FEW_SEEDS for each in answer.tasks)
        yield "more seeds of the best models" + (f", {FEW_SEEDS} at least" if few else "")
    elif "requests" in doubts:
        yield (
            "more users: most of the doubt about the best is that of the requests, which more seeds"
            " would not take away, and four times as many would halve it"
        )
    capped = [row.entry.label for each in answer.tasks for row in each.best if row.entry.capped]
    if capped:
        names = _listed(list(dict.fromkeys(capped)))
        yield f"a larger budget: the cap ended {names} ({CAPPED.strip()}), which may have risen on"


def _listed(names: Sequence[str]) -> str:
    """Name a few things: "a, b and c"."""
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _figure(row: Row) -> str:
    return NOTHING if row.mean is None else f"{row.mean:.3f}"
