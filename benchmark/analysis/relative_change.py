"""Variants of models against their references, over the same requests, as recipes.

Changes are ratios, so they are tested on the scale of logarithms: a unit's score ``x`` of a model
with mean ``m`` counts as ``log m + x / m - 1``, whose mean is ``log m`` and whose spread is that of
``log m`` to first order (the delta method). On this scale the test of recipes applies as it is:
variants and references meet on the same users, and what trainings differ by adds to the error.
Trainings of two recipes are not paired by seed: equal seeds of different networks share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmark.analysis.run_groups import RunGroup
from benchmark.analysis.scores import SHOWN, RequestScores, ScoreReader
from benchmark.analysis.tables import as_recipes
from benchmark.statistics.multiple import holm
from benchmark.statistics.recipes import Question, Recipe, Tiers, compare_recipes

__all__ = ["JOINT", "PROTOCOLS", "Change", "changes_of", "corrected"]

PROTOCOLS = ("full", "given", "sampled")
"""In the order of their tables; the first by which models were asked is the one to look at."""
JOINT = ("rec", "search")
_SURE = math.log(1000)
"""An interval that reaches a thousandfold change says nothing, and is left out."""


@dataclass(frozen=True)
class Change:
    """NDCG@10 of a variant against its reference, over the same requests.

    It is taken over the whole catalogue, or else by the first of ``PROTOCOLS`` that any was asked
    by.

    Attributes:
        reference: mean of the reference; ``None`` where it was not run.
        value: mean of the variant; likewise.
        change: ``value / reference - 1``; ``None`` where one is missing or the reference is 0.
        low: lower end of its 95% interval over other requests and other trainings; ``None`` where
            the variant scored nothing, or too little is known for any.
        high: its upper end.
        p: of no change; ``None`` where one of both scored nothing.
        p_holm: after Holm's correction over one table.
        by_seed: the change of each seed that both were run with, in order of seeds.
        seeds: the smaller number of trainings of both; 0 where one is missing.
        borrowed: one of both was trained once, and the spread of others counts as its own.
        question: what interval and p answer; ``requests`` where no model of the table was trained
            twice or none came out differently, so that nothing is known of other trainings.
    """

    reference: float | None
    value: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    by_seed: tuple[float, ...] = ()
    seeds: int = 0
    borrowed: bool = False
    question: Question = "recipes"


def changes_of(
    pairs: Sequence[tuple[RunGroup | None, RunGroup | None]], task: str, reader: ScoreReader
) -> list[Change]:
    """Return the change of one task from each reference to its variant.

    Parts of a change are missing where a group was not asked the task. All groups of the pairs
    lend their spread over trainings to those that were trained once.
    """
    groups = {id(group): group for pair in pairs for group in pair if group is not None}
    scores: dict[int, RequestScores] = {}
    for protocol in PROTOCOLS:
        scores = scores or {
            name: each
            for name, group in groups.items()
            if (each := _scores(group, task, protocol, reader)) is not None
        }
    means = {name: float(each.scores(SHOWN[0]).mean()) for name, each in scores.items()}
    able = [name for name, mean in means.items() if mean > 0]
    tiers = None
    if len(able) > 1:
        recipes = as_recipes([scores[name] for name in able], SHOWN[0])
        tiers = compare_recipes(
            [_logarithmic(r, str(n)) for r, n in zip(recipes, able, strict=True)]
        )
    return [
        _change(scores, means, tiers, *(None if g is None else id(g) for g in pair))
        for pair in pairs
    ]


def corrected(columns: Sequence[Sequence[Change]]) -> list[list[Change]]:
    """Correct by Holm over all changes of one table, whatever column they stand in."""
    adjusted = iter(holm([c.p for column in columns for c in column if c.p is not None]))
    return [
        [c if c.p is None else replace(c, p_holm=next(adjusted)) for c in column]
        for column in columns
    ]


def _scores(group: RunGroup, task: str, protocol: str, reader: ScoreReader) -> RequestScores | None:
    if task not in group.tasks:
        return None
    entry = group.entry(task, protocol)
    return None if entry.lacking else reader.scores(entry, task, protocol)


def _logarithmic(recipe: Recipe, name: str) -> Recipe:
    mean = recipe.scores.mean()
    return Recipe(name, np.log(mean) + recipe.scores / mean - 1)


def _change(
    scores: dict[int, RequestScores],
    means: dict[int, float],
    tiers: Tiers | None,
    reference: int | None,
    variant: int | None,
) -> Change:
    before, after = (None if n is None else means.get(n) for n in (reference, variant))
    if reference is None or variant is None or not before or after is None:
        return Change(before, after)
    seeds = [scores[name].by_seed[SHOWN[0]].shape[0] for name in (reference, variant)]
    change = Change(
        before,
        after,
        after / before - 1,
        by_seed=_by_seed(scores[reference], scores[variant]),
        seeds=min(seeds),
    )
    if tiers is None or str(variant) not in tiers.names:
        return change
    a, b = (tiers.names.index(str(name)) for name in (reference, variant))
    pair = next(pair for pair in tiers.pairs if {pair.a, pair.b} == {a, b})
    low, high = (pair.low, pair.high) if pair.a == b else (-pair.high, -pair.low)
    if max(abs(low), abs(high)) < _SURE:
        change = replace(change, low=math.expm1(low), high=math.expm1(high))
    borrowed = tiers.borrowed[a] or tiers.borrowed[b]
    return replace(change, p=pair.p, borrowed=borrowed, question=tiers.question)


def _by_seed(before: RequestScores, after: RequestScores) -> tuple[float, ...]:
    means = [
        dict(zip(m.seeds, m.by_seed[SHOWN[0]].mean(axis=1).tolist(), strict=True))
        for m in (before, after)
    ]
    common = [seed for seed in means[0] if means[0][seed] and seed in means[1]]
    return tuple(means[1][seed] / means[0][seed] - 1 for seed in common)
