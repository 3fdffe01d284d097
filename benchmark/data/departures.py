"""Where loaded data are not what their card's statistics say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmark.data.card import Statistics
from benchmark.data.dataset import Dataset
from benchmark.data.distributions import word_counts
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn

__all__ = ["counted", "departures"]

_OF_THE_SPLIT = ("training", "validation", "test")


def counted(dataset: Dataset) -> dict[str, Any]:
    """Return the counts of :class:`~benchmark.data.card.Statistics`, of a data set as it is."""
    log, queries = dataset.log, dataset.queries
    searched = log.query[log.kind == EventSource.SEARCHED]
    used = np.zeros(len(queries), dtype=np.bool_)
    used[searched] = True
    asked: dict[str, dict[str, int]] = {
        part: dict.fromkeys(map(str, Task), 0) for part in ("validation", "test")
    }
    for part, task, requests in dataset.by_part():
        asked[part][str(task)] = len(requests)
    found = {
        "users": log.users,
        "items": len(dataset.items),
        "events": len(log),
        "searches": len(searched),
        "queries": int(used.sum()),
        "training": _by_task(dataset.train.log),
        **asked,
    }
    if len(searched):
        words = word_counts(TextColumn(queries.texts))[searched]
        found["mean_query_words"] = round(float(words.mean()), 4)
    return found


def _by_task(log: EventLog) -> dict[str, int]:
    searches = int((log.kind == EventSource.SEARCHED).sum())
    return {str(Task.REC): len(log) - searches, str(Task.SEARCH): searches}


def departures(said: Statistics, dataset: Dataset, as_the_card_splits: bool) -> Iterator[str]:
    """Yield one line if a data set is not what its card says, with every count that differs.

    Args:
        said: by the card.
        dataset: as it is.
        as_the_card_splits: whether it is asked as the card says; else what the split leaves is not
            compared.
    """
    found = counted(dataset)
    other = [
        f"{name} {_shown(found.get(name))} and not {_shown(value)}"
        for name, value in said.counts().items()
        if value != found.get(name) and (as_the_card_splits or name not in _OF_THE_SPLIT)
    ]
    if not other:
        return
    who = "its card's statistics" if said.published is None else f"what {said.published} says"
    yield (
        f"departs from {who}: {'; '.join(other)}. Other files, or other rules than the card had;"
        " mend that, or the card's statistics by those of data describe --json"
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int | float) else "none"
