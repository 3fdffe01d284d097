"""Measure what pruning saves: the same search with it and without, one trial after the other.

``python -m tests.tune_pruning`` does so for three models on ml-100k, which takes hours with the
settings of ``standard``; run it on an idle machine. It ends with status 1 if a search saves less
than half of the time, or chooses something that is worse on validation by more than noise.

Up to eleven trials both searches try the same settings (the sampler draws at random until ten have
ended), so that ``--replay`` need not train twice: it takes the curves of the search without pruning
and asks which of its trials would have ended where.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.registry import find
from benchmark.running.plan import Experiment
from benchmark.running.plan_rules import plan_experiments, restricted
from benchmark.tuning.pruning import HALVING, Halving
from benchmark.tuning.study import SearchOptions, Study, tune
from benchmark.tuning.trials import Trial

__all__ = ["Saving", "replayed"]

MODELS = "sasrec,unifiedssr,recbole:GRU4Rec"
SAME_UP_TO = 11
"""Trials that do not depend on what others came to."""


@dataclass(frozen=True)
class Saving:
    """A search without pruning and the same with it."""

    whole: Study
    pruned: Study

    @property
    def share(self) -> float:
        """The share of the seconds that pruning saved."""
        return 1 - _seconds(self.pruned) / _seconds(self.whole)

    @property
    def loss(self) -> float:
        """By what share the best validation is lower with pruning."""
        return 1 - (self.pruned.best.value or 0.0) / (self.whole.best.value or 1.0)

    def told(self) -> str:
        """Return a line that tells of it."""
        summary = self.pruned.chosen().summary
        return (
            f"{self.whole.model}: best {self.pruned.best.value:.4f} with pruning,"
            f" {self.whole.best.value:.4f} without; {_seconds(self.pruned):.0f} s instead of"
            f" {_seconds(self.whole):.0f}, {self.share:.0%} saved ({summary['seconds_saved']:.0f} s"
            f" by its own estimate); {len(summary['pruned'])} of {summary['trials']} trials pruned"
        )


def _seconds(study: Study) -> float:
    return sum(trial.seconds for trial in study.trials)


def replayed(study: Study, halving: Halving) -> Study:
    """Return a search as it would have been with pruning, from what it was without.

    It tells so of a search whose later trials do not depend on its earlier ones.
    """
    trials: list[Trial] = []
    for trial in study.trials:
        trials.append(_ended(trial, halving, trials))
    return Study(
        study.model,
        study.preset,
        study.base,
        study.dataset,
        study.dataset_digest,
        study.tasks,
        study.seed,
        study.space,
        study.code,
        halving,
        tuple(trials),
    )


def _ended(trial: Trial, halving: Halving, before: list[Trial]) -> Trial:
    for count in range(1, len(trial.curve)):
        curve = trial.curve[:count]
        if trial.number > 1 and halving.prunes(curve, [t.curve for t in before]):
            return replace(trial, curve=curve, seconds=curve[-1].seconds).pruned()
    return trial


def _searched(
    plan: Experiment, data: Dataset, results: Path, trials: int, pruning: Halving | None
) -> Study:
    def tell(line: str) -> None:
        print(f"  {line}", file=sys.stderr, flush=True)

    (study,) = tune([plan], data, SearchOptions(trials, 1, "auto", pruning), results, tell)
    return study.up_to(trials)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE or MODEL.NAME=VALUE")
    parser.add_argument("--results", type=Path, help="a folder that is kept")
    parser.add_argument("--replay", action="store_true", help="train only once")
    parser.add_argument("--noise", type=float, default=0.02, help="loss that counts as none")
    asked = parser.parse_args()
    if asked.replay and asked.trials > SAME_UP_TO:
        parser.error(f"--replay tells of {SAME_UP_TO} trials at most")
    data, bad = load_dataset(asked.dataset), 0
    entries = [find(name) for name in asked.models.split(",")]
    plans = plan_experiments(entries, tuple(map(str, Task)), asked.preset, asked.set)
    with tempfile.TemporaryDirectory() as place:
        results = asked.results or Path(place)
        for plan in (restricted(each, data) for each in plans):
            whole = _searched(plan, data, results, asked.trials, None)
            pruned = (
                replayed(whole, HALVING)
                if asked.replay
                else _searched(plan, data, results, asked.trials, HALVING)
            )
            saving = Saving(whole, pruned)
            print(saving.told(), flush=True)
            bad += saving.share < 0.5 or saving.loss > asked.noise
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(_main())
