"""One table of a leaderboard: models by one metric over one slice of requests, as recipes.

Letters, ranks, p-values and intervals ask whether other trainings of these recipes, asked other
requests, would show the same; see :mod:`benchmark.statistics.recipes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.run_groups import Entry
from benchmark.analysis.scores import SHOWN, RequestScores, ScoreReader, slices
from benchmark.errors import BenchmarkError
from benchmark.statistics.paired import LEVEL, by_unit, effect_sizes
from benchmark.statistics.recipes import (
    Question,
    Recipe,
    Tiers,
    Verdict,
    compare_recipes,
    edge_of,
    mean_errors,
    unit_means,
)
from benchmark.statistics.training_noise import TrainingNoise, training_noise

__all__ = ["ALL", "Pair", "Row", "Table", "as_recipes", "finite", "tables_of"]

ALL = "all"
"""The slice that holds every request."""


@dataclass(frozen=True)
class Row:
    """One model in one table; what is measured is ``None`` where a seed lacks the protocol.

    Attributes:
        entry: the model's runs.
        seeds: number of seeds that were measured.
        mean: of the metric over requests and seeds.
        low: lower end of the 95% interval of the mean over other requests and other trainings;
            ``None`` where too little is known for any.
        high: its upper end.
        sd: standard deviation over seeds; ``None`` for a single one.
        requests: number of requests.
        tier: letters; two models share one if and only if they are not distinguishable at 0.05.
        rank_low: the best place that the model may have, 1 for the first.
        rank_high: the worst; the intervals of all rows hold together with 95%.
        borrowed: it was trained once, and the spread of other models' trainings counts as its own.
        top: whether it is not distinguishable from the best.
        seconds_per_request: mean over seeds.
    """

    entry: Entry
    seeds: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    requests: int | None = None
    tier: str | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    borrowed: bool = False
    top: bool = False
    seconds_per_request: float | None = None


@dataclass(frozen=True)
class Pair:
    """Two models, the better first: how far apart they are, and how sure that is.

    Attributes:
        a: label of the model that stands above.
        b: label of the other.
        difference: of the metric's means, with its 95% interval ``low`` to ``high``, which are
            ``None`` where too little is known for any.
        p: that other trainings on other requests would differ as much by chance; ``p_holm`` after
            Holm's correction over all pairs.
        win: requests in which ``a`` is better, by the means over seeds; ``tie``, ``loss`` likewise.
        effect: mean over standard deviation of the users' differences, with its 95% interval;
            ``None`` if all differences are the same.
        seeds: the smaller number of seeds of both, of what uses no seed if the other does neither.
        equivalence: ``equivalent`` if the interval lies within 2% of the best mean, ``differs`` if
            they differ by more than that and significantly, else ``unclear``.
    """

    a: str
    b: str
    difference: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    win: int
    tie: int
    loss: int
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    seeds: int
    equivalence: Verdict


@dataclass(frozen=True)
class Table:
    """A task under a protocol, by one metric, best model first, incomplete rows last.

    Attributes:
        task: the task.
        protocol: the protocol.
        slice: the requests that count, ``all`` for every one.
        metric: the metric.
        rows: the models.
        pairs: all pairs of complete rows, in their order.
        others: the smallest and the largest number of candidates beside a relevant item.
        question: what letters, ranks and p-values answer: ``recipes``, or ``requests`` where no
            model was trained twice or none came out differently, so that nothing is known of
            other trainings.
    """

    task: str
    protocol: str
    slice: str
    metric: str
    rows: tuple[Row, ...] = ()
    pairs: tuple[Pair, ...] = ()
    others: tuple[int, int] | None = None
    question: Question = "recipes"


def tables_of(
    task: str, protocol: str, entries: Sequence[Entry], reader: ScoreReader
) -> list[Table]:
    """Return the tables of all metrics over all requests, then of the first metric by slice.

    Raises:
        BenchmarkError: not all entries were asked the same requests.
    """
    whole = [reader.scores(entry, task, protocol) for entry in entries if not entry.lacking]
    incomplete = tuple(_incomplete(entry) for entry in entries if entry.lacking)
    if not whole:
        return [Table(task, protocol, ALL, metric, incomplete) for metric in SHOWN]
    _check_alike(whole)
    requests = whole[0].requests
    sizes = requests["candidates"] - 1
    others = int(sizes.min()), int(sizes.max())
    every: NDArray[np.bool_] = np.ones(len(requests), dtype=bool)
    columns = [(metric, ALL, every) for metric in SHOWN]
    columns += [(SHOWN[0], name, rows) for name, rows in slices(requests)]
    tables = [
        _table(Table(task, protocol, name, metric, others=others), whole, rows)
        for metric, name, rows in columns
    ]
    return [replace(table, rows=table.rows + incomplete) for table in tables]


def as_recipes(
    scores: Sequence[RequestScores], metric: str, rows: NDArray[np.bool_] | None = None
) -> list[Recipe]:
    """Return a metric by training and user, in the given order, of all requests or of ``rows``.

    What uses no seed counts as trained twice with one outcome, as it would be.

    Raises:
        BenchmarkError: not all were asked the same requests.
    """
    _check_alike(scores)
    part: NDArray[np.bool_] | slice = slice(None) if rows is None else rows
    users = scores[0].users[part]
    return [
        Recipe(
            each.entry.label,
            by_unit(_trainings(each, metric)[:, part], users),
            family=each.entry.runs[0].info["model"].partition(":")[0],
        )
        for each in scores
    ]


def _trainings(each: RequestScores, metric: str) -> NDArray[np.float64]:
    """Return ``[trainings, requests]``."""
    scores = each.by_seed[metric]
    alone = len(scores) == 1 and not each.entry.uses_seed
    return np.repeat(scores, 2, axis=0) if alone else scores


def _check_alike(scores: Sequence[RequestScores]) -> None:
    for other in scores[1:]:
        if other.requests is not scores[0].requests:
            folders = (each.entry.runs[0].folder for each in (other, scores[0]))
            raise BenchmarkError("{}: other requests than {}".format(*folders))


def _incomplete(entry: Entry) -> Row:
    seeds = len(entry.runs) - entry.lacking
    return Row(entry, seeds=seeds)


def _table(empty: Table, whole: list[RequestScores], rows: NDArray[np.bool_]) -> Table:
    metric = empty.metric
    means = [_mean(each, metric, rows) for each in whole]
    order = sorted(range(len(whole)), key=lambda i: (-means[i], whole[i].entry.label))
    ordered = [whole[i] for i in order]
    recipes = as_recipes(ordered, metric, rows)
    if len(recipes) == 1:
        alone: Question = "recipes" if len(recipes[0].scores) > 1 else "requests"
        (row,) = _rows(ordered, metric, rows, recipes, alone)
        row = replace(row, tier="a", rank_low=1, rank_high=1, top=True)
        return replace(empty, rows=(row,), question=alone)
    tiers = compare_recipes(recipes)
    lines = _rows(ordered, metric, rows, recipes, tiers.question)
    ranked = [
        replace(
            row,
            tier=tiers.letters[i],
            rank_low=tiers.rank_low[i],
            rank_high=tiers.rank_high[i],
            borrowed=tiers.borrowed[i],
            top=bool(tiers.p_corrected[0, i] >= tiers.level),
        )
        for i, row in enumerate(lines)
    ]
    pairs = tuple(_pairs(ordered, metric, rows, recipes, tiers))
    return replace(empty, rows=tuple(ranked), pairs=pairs, question=tiers.question)


def _rows(
    ordered: list[RequestScores],
    metric: str,
    rows: NDArray[np.bool_],
    recipes: list[Recipe],
    question: Question,
) -> list[Row]:
    """Return the rows by themselves, not yet held against each other."""
    lines = []
    for each, (low, high) in zip(ordered, _mean_intervals(recipes, question), strict=True):
        by_seed = each.by_seed[metric][:, rows]
        seeds, size = by_seed.shape
        row = Row(
            each.entry,
            seeds,
            mean=_mean(each, metric, rows),
            low=low,
            high=high,
            sd=float(by_seed.mean(axis=1).std(ddof=1)) if seeds > 1 else None,
            requests=size,
            seconds_per_request=each.seconds_per_request,
        )
        lines.append(row)
    return lines


def _mean_intervals(
    recipes: list[Recipe], question: Question
) -> list[tuple[float | None, float | None]]:
    """Return the 95% interval of each mean: over users, and over trainings if that is asked.

    As in :func:`benchmark.statistics.recipes.compare_recipes`, for a mean in place of a difference;
    ``None`` where so little is known (less than one degree of freedom) that any value may be.
    """
    noise = TrainingNoise.none(len(recipes))
    if question == "recipes":
        noise = training_noise([r.scores for r in recipes], [r.family for r in recipes])
    trainings = np.array([len(recipe.scores) for recipe in recipes])
    units = unit_means([recipe.scores for recipe in recipes])
    errors = mean_errors(units, trainings, noise)
    wide = edge_of(errors.error, errors.freedom, LEVEL)
    means = units.mean(axis=1)
    # Every metric that is shown lies between 0 and 1.
    lows, highs = np.maximum(means - wide, 0.0), np.minimum(means + wide, 1.0)
    known = np.isfinite(wide).tolist()
    return [
        (low, high) if sure else (None, None)
        for low, high, sure in zip(lows.tolist(), highs.tolist(), known, strict=True)
    ]


def _pairs(
    ordered: list[RequestScores],
    metric: str,
    rows: NDArray[np.bool_],
    recipes: list[Recipe],
    tiers: Tiers,
) -> Iterator[Pair]:
    """Yield the pairs, whose wins are counted over requests, not users."""
    scores = unit_means([each.by_seed[metric][:, rows] for each in ordered])
    users = unit_means([recipe.scores for recipe in recipes])
    wins = np.stack([(scores[a] > scores).sum(axis=1) for a in range(len(scores))])
    effects = [_effects(users[a] - users) for a in range(len(users))]
    for pair in tiers.pairs:
        a, b = pair.a, pair.b
        win, loss = int(wins[a, b]), int(wins[b, a])
        effect, effect_low, effect_high = effects[a][b]
        yield Pair(
            a=tiers.names[a],
            b=tiers.names[b],
            difference=pair.difference,
            low=finite(pair.low),
            high=finite(pair.high),
            p=pair.p,
            p_holm=pair.p_corrected,
            win=win,
            tie=scores.shape[1] - win - loss,
            loss=loss,
            effect=effect,
            effect_low=effect_low,
            effect_high=effect_high,
            seeds=_fewest(ordered[a], ordered[b]),
            equivalence=pair.verdict,
        )


def _mean(each: RequestScores, metric: str, rows: NDArray[np.bool_]) -> float:
    """Return the mean over requests of the means over seeds, by which rows are ordered too."""
    return float(each.scores(metric)[rows].mean())


def _fewest(*both: RequestScores) -> int:
    """Return the smallest number of seeds, of what uses them if any of both does."""
    using = [each for each in both if each.entry.uses_seed]
    return min(len(each.seeds) for each in using or both)


def finite(value: float) -> float | None:
    """Return a value that JSON has: ``None`` for NaN and infinity."""
    return value if math.isfinite(value) else None


def _effects(differences: NDArray[np.float64]) -> list[list[float | None]]:
    """Return size, low and high of each row of ``[models, users]``."""
    return [[finite(part) for part in each] for each in effect_sizes(differences).tolist()]
