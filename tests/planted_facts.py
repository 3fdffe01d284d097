"""Are the facts that are planted in made-up data found by models that are trained?

``python -m tests.planted_facts`` trains them, which takes a core about five minutes, prints the
table of ``docs/data/synthetic.md`` and ends with status 1 if a fact does not hold. What counting
alone shows is tested by ``tests/data/test_planted_facts.py``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Task
from benchmark.statistics import Recipe, compare_recipes
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import LEVEL
from tests.planted import gains, planted, task_scores, user_scores

__all__ = ["Joint", "joint_gains"]

RULES = {"users": 800, "items": 400, "events": 8000, "tastes": 8, "subjects": 20, "search": 0.5}
"""Few events of a kind for each item, so that those of the other kind are worth a lot."""
JOINT_MODEL = "unifiedssr"
JOINT_SETTINGS: Mapping[str, Any] = {
    "history": "rec",
    "layers": 1,
    "dropout": 0.2,
    "epochs": 28,
    "finetune_share": 0.07,
    "batch_size": 64,
    "learning_rate": 0.005,
    "validate_every": 100,
    "validation_requests": 200,
}
"""A short training; recommendation reads and learns recommendations alone, as search does searches:
what one task gives the other then comes through the weights that they share."""


@dataclass(frozen=True)
class Joint:
    """A task of a model that was trained for both, against itself trained for that one alone.

    Attributes:
        alone: mean NDCG@10 over seeds.
        joint: likewise.
        p: of the test of recipes, after Holm's correction.
    """

    alone: float
    joint: float
    p: float

    @property
    def better(self) -> bool:
        """Whether other trainings on other requests would show a gain too."""
        return self.joint > self.alone and self.p < LEVEL


def joint_gains(
    place: Path,
    coupling: float,
    seeds: Sequence[int],
    model: str = JOINT_MODEL,
    settings: Mapping[str, Any] = JOINT_SETTINGS,
) -> dict[Task, Joint]:
    """Train a model for both tasks and for each alone, and compare these recipes.

    Scores are compared as changes, on the scale of logarithms, as trade-offs on leaderboards are.
    """
    data = planted(place, **RULES, coupling=coupling)
    both = [task_scores(data, model, tuple(Task), seed=s, settings=settings) for s in seeds]
    found: dict[Task, tuple[float, float, float]] = {}
    for task in Task:
        alone = np.stack([user_scores(data, model, task, seed=s, settings=settings) for s in seeds])
        joint = np.stack([scores[task] for scores in both])
        recipes = [_logarithmic("alone", alone), _logarithmic("joint", joint)]
        p = compare_recipes(recipes).pairs[0].p
        found[task] = (float(alone.mean()), float(joint.mean()), p)
    corrected = holm([p for _, _, p in found.values()])
    return {
        task: Joint(alone, joint, p)
        for (task, (alone, joint, _)), p in zip(found.items(), corrected, strict=True)
    }


def _logarithmic(name: str, scores: NDArray[np.float64]) -> Recipe:
    mean = scores.mean()
    return Recipe(name, np.log(mean) + scores / mean - 1)


def _recommenders(place: Path, strength: float) -> bool:
    """Print what recommenders gain on popularity; return whether that is as planted."""
    data = planted(place, **RULES, collaborative=strength)
    popular = user_scores(data, "popularity", Task.REC)
    scores = {
        "item-knn": user_scores(data, "item-knn", Task.REC),
        "sasrec": user_scores(data, "sasrec", Task.REC, settings={"epochs": 12}),
    }
    found = gains({name: (popular, each) for name, each in scores.items()})
    for name, gain in found.items():
        _row(f"collaborative {strength}", name, "rec", gain.before, gain.after, gain.p)
    return all(gain.significant == (strength > 0) for gain in found.values())


def _searchers(place: Path, strength: float) -> bool:
    """Print what text search gains on popularity; return whether that is as planted."""
    data = planted(place, **RULES, semantic=strength)
    popular = user_scores(data, "popularity", Task.SEARCH)
    names = ("bm25", "bm25+pop", "dense")
    found = gains(
        {name: (popular, user_scores(data, name, Task.SEARCH, preset="quick")) for name in names}
    )
    for name, gain in found.items():
        _row(f"semantic {strength}", name, "search", gain.before, gain.after, gain.p)
    return all(gain.significant == (strength > 0) for gain in found.values())


def _joint(place: Path, strength: float, seeds: Sequence[int]) -> bool:
    """Print what joint training gains; return whether that is as planted."""
    found = joint_gains(place, strength, seeds)
    for task, gain in found.items():
        _row(f"coupling {strength}", JOINT_MODEL, task, gain.alone, gain.joint, gain.p)
    return [gain.better for gain in found.values()] == [strength > 0] * len(found)


def _row(planted_: str, model: str, task: str, before: float, after: float, p: float) -> None:
    shown = f"{p:.4f}" if p >= 1e-4 else "<0.0001"
    print(f"| {planted_} | {model} | {task} | {before:.4f} | {after:.4f} | {shown} |", flush=True)


def main() -> int:
    """Run all facts, or those named, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = ("recommenders", "searchers", "joint")
    parser.add_argument("facts", nargs="*", default=names, help="some of " + ", ".join(names))
    parser.add_argument("--seeds", default="1,2,3")
    given = parser.parse_args()
    if unknown := set(given.facts) - set(names):
        parser.error(f"no fact is called {', '.join(sorted(unknown))}")
    seeds = [int(seed) for seed in given.seeds.split(",")]
    print("| planted | model | task | NDCG@10 of the reference | of the model | p (Holm) |")
    print("|---|---|---|---:|---:|---:|")
    good: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if "recommenders" in given.facts:
            good += [_recommenders(place, strength) for strength in (0.0, 0.8)]
        if "searchers" in given.facts:
            good += [_searchers(place, strength) for strength in (0.0, 0.9)]
        if "joint" in given.facts:
            good += [_joint(place, strength, seeds) for strength in (1.0, 0.0)]
    print("every planted fact is found" if all(good) else "a planted fact is NOT found")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
