"""Recipes that are equal for sure: the stored seeds of one recipe, split into two "recipes".

``python -m tests.statistics.real_pairs`` splits every recipe under ``results/`` that was trained
with three seeds or more into one of its seeds and two others, leaves the other recipes of its board
as they are, and prints how often the two differ at 0.05 before any correction.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmark.analysis.run_groups import group_runs
from benchmark.analysis.scores import SHOWN, ScoreReader
from benchmark.analysis.tables import as_recipes
from benchmark.results.scan import scan_runs
from benchmark.statistics import Recipe, compare_recipes
from benchmark.statistics.paired import LEVEL
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


def boards(metric: str, results: Path) -> Iterator[tuple[str, list[Recipe]]]:
    """Yield the recipes of each folder of results, data set and task, over the whole catalogue."""
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        records = defaultdict(list)
        for record in scan_runs(folder, lambda line: None):
            records[record.info["dataset"]].append(record)
        for dataset, runs in records.items():
            groups, reader = group_runs(runs), ScoreReader()
            for task in ("rec", "search"):
                entries = [group.entry(task, "full") for group in groups if task in group.tasks]
                scores = [reader.scores(e, task, "full") for e in entries if not e.lacking]
                # Several recipes of a model may have one label.
                recipes = [
                    replace(recipe, name=f"{place}")
                    for place, recipe in enumerate(as_recipes(scores, metric) if scores else [])
                ]
                yield f"{folder.name}, {dataset}, {task}", recipes


def splits(metric: str, results: Path = RESULTS) -> Iterator[Split]:
    """Split every recipe whose trainings are not all the same."""
    for name, recipes in boards(metric, results):
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS, help="folders of stored runs")
    results = parser.parse_args().results
    found = defaultdict(list)
    for metric in SHOWN:
        for split in splits(metric, results):
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
