"""A study before its first trial: everything that decides what it comes to."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.running.identity import code_digest
from benchmark.running.plan import Experiment
from benchmark.search_space import Dimension, space_of
from benchmark.tuning.pruning import Halving
from benchmark.tuning.stored import Study

__all__ = ["begin", "plain_settings", "space_for"]

_DECISIVE = ("benchmark.tuning.attempt", "benchmark.tuning.proposing")
"""The modules that decide, beside the model's and the harness's, what a search comes to."""


def begin(plan: Experiment, dataset: Dataset, seed: int, pruning: Halving | None) -> Study:
    """Return a study without a trial.

    Args:
        plan: where the search starts.
        dataset: what is searched on.
        seed: of the search and of every training.
        pruning: the rule by which trials end early, or ``None``.
    """
    return Study(
        plan.entry.name,
        plan.preset,
        plain_settings(plan.settings),
        dataset.name,
        dataset.digest,
        tuple(map(str, plan.tasks)),
        seed,
        {name: dimension.described() for name, dimension in space_for(plan).items()},
        code_digest(plan.entry, *_DECISIVE),
        pruning,
    )


def space_for(plan: Experiment) -> dict[str, Dimension]:
    """Return what is searched, by setting."""
    kind = plan.entry.load()
    return space_of(kind.Settings, kind.search_space)


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return all settings as they come back from JSON, which has no tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain
