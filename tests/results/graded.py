"""Data with several relevant items of different grades, and lists that the data itself brings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmark.data.dataset import CandidateLists, Dataset, EvaluationSet, Part, Relevant
from benchmark.data.repeats import in_history, without_repeats
from benchmark.data.requests import Task

__all__ = ["graded"]


def graded(dataset: Dataset, seed: int = 0, unit: float = 1.0) -> Dataset:
    """Return a data set whose requests have up to three relevant items and given lists.

    Grades are 1 to 3 times ``unit``. A fifth of the relevant items stand in no given list, and
    lists have 1 to about 10 candidates.
    """
    rng = np.random.default_rng(seed)
    items = len(dataset.items)
    evaluation: dict[tuple[Part, Task], EvaluationSet] = {}
    for which, whole in dataset.evaluation.items():
        every = np.repeat(np.arange(len(whole)), 2)
        request = np.concatenate([whole.relevant.request, every])
        item = np.concatenate([whole.relevant.item, rng.integers(0, items, len(every))])
        gain = rng.integers(1, 4, len(item)) * unit
        relevant = Relevant.of_events(request, item, gain)
        listed = rng.random(len(relevant)) < 0.8
        lengths = rng.integers(1, 9, len(whole))
        owner = np.concatenate(
            [relevant.request[listed], np.repeat(np.arange(len(whole)), lengths)]
        )
        others = rng.integers(0, items, int(lengths.sum()))
        given = CandidateLists.of_pairs(
            owner, np.concatenate([relevant.item[listed], others]), len(whole)
        )
        made = EvaluationSet(whole.requests, relevant, {**whole.lists, "given": given})
        kept = without_repeats(made, in_history(made)) if whole.requests.exclude_seen else made
        assert kept is not None
        evaluation[which] = kept
    return replace(dataset, digest=f"{seed:064x}", evaluation=evaluation)
