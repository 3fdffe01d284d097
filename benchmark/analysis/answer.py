"""What a board answers: who is best in each task, who serves both, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from scipy import stats

from benchmark.analysis.leaderboard import Leaderboard, pareto_front
from benchmark.analysis.relative_change import JOINT
from benchmark.analysis.tables import Pair, Row, Table
from benchmark.statistics.paired import LEVEL
from benchmark.statistics.recipes import Question

__all__ = ["Answer", "Doubt", "TaskAnswer", "answer_of", "telling"]

Doubt = Literal["none", "trainings", "requests"]
"""What the interval of a difference is wide by: other trainings, other requests, or neither, as
there is no second model to be told from the first."""


@dataclass(frozen=True)
class TaskAnswer:
    """What is known of one task.

    Attributes:
        task: the task.
        metric: by which models are ranked.
        best: the rows that cannot be told from the best, in the order of their means.
        others: number of models that can be told from it.
        cheapest: the one of ``best`` that takes the shortest training; ``None`` where the time of
            one of them is not known.
        closest: the best model against the next that does not answer just the same, ``None`` where
            there is no other.
        doubt: what most of the uncertainty of ``closest`` comes from.
        requests: number of requests.
        seeds: the smallest and the largest number of trainings of a model in ``best`` that uses
            seeds, of any if none does.
        question: what letters and intervals speak of.
    """

    task: str
    metric: str
    best: tuple[Row, ...]
    others: int
    cheapest: Row | None
    closest: Pair | None
    doubt: Doubt
    requests: int
    seeds: tuple[int, int]
    question: Question


@dataclass(frozen=True)
class Answer:
    """What a board answers.

    Attributes:
        tasks: an answer for each task that was asked.
        both: models that cannot be told from the best in either task; empty where there is one task
            only, or no such model.
        front: models of which no other is as good in both tasks and better in one.
    """

    tasks: tuple[TaskAnswer, ...]
    both: tuple[str, ...]
    front: tuple[str, ...]


def answer_of(board: Leaderboard) -> Answer:
    """Return what the main tables of a board answer."""
    found = (board.main_table(task) for task in JOINT)
    tasks = tuple(_task(table) for table in found if table is not None and _measured(table))
    names = [[row.entry.label for row in each.best] for each in tasks]
    both = tuple(n for n in names[0] if n in names[1]) if len(names) > 1 else ()
    return Answer(tasks, both, tuple(pareto_front(board)) if len(tasks) > 1 else ())


def telling(board: Leaderboard, most: int) -> list[str]:
    """Return the models that stand highest in either task: the first of each, the second, …."""
    tables = [list(board.whole(task)) for task in JOINT]
    places = (name for each in zip_longest(*tables) for name in each if name is not None)
    return list(dict.fromkeys(places))[:most]


def _measured(table: Table) -> list[Row]:
    return [row for row in table.rows if row.mean is not None]


def _task(table: Table) -> TaskAnswer:
    rows = _measured(table)
    best = tuple(row for row in rows if row.top)
    times = {row.entry.label: row.entry.fit_seconds for row in best}
    known = [(seconds, row) for row in best if (seconds := times[row.entry.label]) is not None]
    of_best = [pair for pair in table.pairs if rows[0].entry.label in (pair.a, pair.b)]
    differing = [pair for pair in of_best if (pair.difference, pair.low, pair.high) != (0, 0, 0)]
    closest = next(iter(differing or of_best), None)
    by_name = {row.entry.label: row for row in rows}
    return TaskAnswer(
        task=table.task,
        metric=table.metric,
        best=best,
        others=len(rows) - len(best),
        cheapest=min(known, key=lambda each: each[0])[1] if len(known) == len(best) else None,
        closest=closest,
        doubt="none" if closest is None else _doubt(closest, by_name, table.question),
        requests=rows[0].requests or 0,
        seeds=_seeds(best),
        question=table.question,
    )


def _seeds(best: tuple[Row, ...]) -> tuple[int, int]:
    using = [row.seeds for row in best if row.entry.uses_seed] or [row.seeds for row in best]
    return min(using), max(using)


def _doubt(pair: Pair, rows: dict[str, Row], question: Question) -> Doubt:
    """Tell what most of the variance of a difference is: that of trainings or of requests.

    Where nothing is known of other trainings, or one was not repeated, more of them come first.
    """
    both = [rows[pair.a], rows[pair.b]]
    if question == "requests" or pair.low is None or pair.high is None:
        return "trainings"
    if any(row.borrowed for row in both):
        return "trainings"
    trainings = sum((row.sd or 0.0) ** 2 / row.seeds for row in both)
    error = (pair.high - pair.low) / 2 / float(stats.norm.ppf(1 - LEVEL / 2))
    return "trainings" if trainings > error**2 / 2 else "requests"
