"""Recipes that are equal for sure: the stored seeds of one recipe, split into two "recipes".

``python -m tests.statistics.real_pairs`` splits every recipe under ``results/`` that was trained
with three seeds or more into one of its seeds and two others, leaves the other recipes of its board
as they are, and prints how often the two differ at 0.05 before any correction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmark.analysis.run_groups import group_runs
from benchmark.analysis.scores import SHOWN, measure
from benchmark.results.record import scan_runs
from benchmark.statistics import Recipe, compare_recipes
from benchmark.statistics.paired import LEVEL, by_unit
from benchmark.statistics.randomisation import randomisation_test

RESULTS = Path(__file__).resolve().parents[2] / "results"


@dataclass(frozen=True)
class Split:
    """p of two parts of one recipe: by the test of recipes, among others and alone; narrow."""

    board: str
    recipe: str
    among_others: float
    alone: float
    narrow: float


def boards(metric: str) -> Iterator[tuple[str, list[Recipe]]]:
    """Yield the recipes of each folder of results, data set and task, over the whole catalogue."""
    for folder in sorted(path for path in RESULTS.iterdir() if path.is_dir()):
        records = defaultdict(list)
        for record in scan_runs(folder, lambda line: None):
            records[record.info["dataset"]].append(record)
        for dataset, runs in records.items():
            groups = group_runs(runs)
            for task in ("rec", "search"):
                recipes = []
                for place, group in enumerate(groups):
                    entry = group.entry(task, "full")
                    if task in group.tasks and not entry.lacking:
                        scores = measure(entry, task, "full")
                        units = by_unit(scores.by_seed[metric], scores.users)
                        recipes.append(Recipe(f"{place}", units, group.model))
                yield f"{folder.name}, {dataset}, {task}", recipes


def splits(metric: str) -> Iterator[Split]:
    """Split every recipe whose trainings are not all the same."""
    for name, recipes in boards(metric):
        for place, recipe in enumerate(recipes):
            if len(recipe.scores) < 3 or not np.any(recipe.scores != recipe.scores[0]):
                continue
            others = recipes[:place] + recipes[place + 1 :]
            for two in combinations(range(len(recipe.scores)), 2):
                one = next(i for i in range(len(recipe.scores)) if i not in two)
                parts = [
                    Recipe("one", recipe.scores[[one]], recipe.family),
                    Recipe("two", recipe.scores[list(two)], recipe.family),
                ]
                moved = parts[0].scores[0] - parts[1].scores.mean(axis=0)
                yield Split(
                    name,
                    recipe.name,
                    float(compare_recipes(parts + others).p[0, 1]),
                    float(compare_recipes(parts).p[0, 1]),
                    randomisation_test(moved),
                )


def main() -> None:
    """Print the rates of each board, by all metrics of the leaderboard together."""
    found = defaultdict(list)
    for metric in SHOWN:
        for split in splits(metric):
            p = (split.among_others, split.alone, split.narrow)
            found[split.board].append(p)
            found["all"].append(p)
    for board in sorted(found, key=lambda name: (name == "all", name)):
        rates = (np.array(found[board]) < LEVEL).mean(axis=0)
        print(
            f"{board}: {len(found[board])} splits; differ among others {rates[0]:.3f}, "
            f"alone {rates[1]:.3f}, by the narrow test {rates[2]:.3f}"
        )


if __name__ == "__main__":
    main()
