"""How the events of a data set are spread: over users, items, time, and the words of queries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset
from benchmark.data.days import moment_of, unit_of
from benchmark.data.events import EventLog, EventSource
from benchmark.data.scripts import script_shares
from benchmark.data.shape import Bin, equal_bins, gini, histogram, top_share
from benchmark.data.text_column import TextColumn

__all__ = ["distributions", "popularity", "text", "times", "word_counts"]

_PERIODS = 12
_SAMPLE = 10_000
"""Texts that are looked at to tell shares of scripts."""


def word_counts(texts: TextColumn) -> NDArray[np.int64]:
    """Return the number of words that blanks part, of each text."""
    trimmed = pc.utf8_trim_whitespace(texts.array)
    words = pc.list_value_length(pc.utf8_split_whitespace(trimmed)).to_numpy(zero_copy_only=False)
    empty = pc.equal(trimmed, "").to_numpy(zero_copy_only=False)
    return np.where(empty, 0, words).astype(np.int64)


def distributions(dataset: Dataset) -> dict[str, Any]:
    """Return histograms, JSON-ready: lists of ``{"low", "high", "count"}``.

    Keys: ``events_per_user`` and ``events_per_item`` over the whole log, ``history_length`` by task
    over test requests, ``query_words`` and ``query_characters`` over search events, and ``time``
    over all events where the times are those of a clock.
    """
    log, queries = dataset.log, TextColumn(dataset.queries.texts)
    searched = log.query[log.kind == EventSource.SEARCHED]
    characters = pc.utf8_length(queries.array).to_numpy(zero_copy_only=False)
    spread: dict[str, list[Bin]] = {
        "events_per_user": histogram(np.diff(log.offsets)),
        "events_per_item": histogram(_of_items(log, len(dataset.items))),
        "query_words": histogram(word_counts(queries)[searched]),
        "query_characters": histogram(characters[searched]),
        "time": [] if _unit(log) is None else equal_bins(log.time, _PERIODS),
    }
    history = {
        str(task): _dicts(histogram(asked.requests.history_lengths()))
        for part, task, asked in dataset.by_part()
        if part == "test"
    }
    return {name: _dicts(bins) for name, bins in spread.items()} | {"history_length": history}


def popularity(dataset: Dataset) -> dict[str, Any]:
    """Return how unevenly events are spread over the catalogue.

    Keys: ``top_1_percent`` and ``top_10_percent``, the share of events that the most popular items
    have; ``gini`` over all items; ``without_events``, the number of items that no event has.
    """
    counts = _of_items(dataset.log, len(dataset.items))
    return {
        "top_1_percent": round(top_share(counts, 0.01), 4),
        "top_10_percent": round(top_share(counts, 0.1), 4),
        "gini": round(gini(counts), 4),
        "without_events": int((counts == 0).sum()),
    }


def times(dataset: Dataset) -> dict[str, Any]:
    """Return the span of time of each part.

    Keys: ``unit`` (``None`` where times are positions and no clock), ``distinct``, ``same_time``
    (the share of events beside which another of the same user and time stands), and ``parts``: for
    ``all`` events, ``training`` events, and the requests of ``validation`` and ``test``,
    ``first`` and ``last`` as the log has them, and where there is a clock ``from`` and ``to``.
    """
    log, unit = dataset.log, _unit(dataset.log)
    spans = {"all": log.time, "training": dataset.train.log.time}
    for part in ("validation", "test"):
        asked = [a.requests.time for (p, _), a in dataset.evaluation.items() if p == part]
        spans[part] = np.concatenate([np.zeros(0, dtype=np.int64), *asked])
    return {
        "unit": unit,
        "distinct": len(np.unique(log.time)),
        "same_time": round(_share_of_shared_moments(log), 4),
        "parts": {part: _span(each, unit) for part, each in spans.items() if len(each)},
    }


def text(dataset: Dataset) -> dict[str, Any]:
    """Return what the texts are made of.

    Keys: ``analyser``, ``items_without`` and ``mean_item_words``; ``scripts``, by ``items`` and
    ``queries`` the share of letters that are of each script, in a sample of 10,000 texts.
    """
    items, queries = TextColumn(dataset.items.texts), TextColumn(dataset.queries.texts)
    samples = {
        name: script_shares(column[:: 1 + len(column) // _SAMPLE])
        for name, column in (("items", items), ("queries", queries))
    }
    return {
        "analyser": dataset.train.analyser,
        "items_without": int((~items.filled).sum()),
        "mean_item_words": round(float(word_counts(items).mean()), 4) if len(items) else 0.0,
        "scripts": {
            name: {script: round(share, 4) for script, share in shares.items()}
            for name, shares in samples.items()
        },
    }


def _of_items(log: EventLog, items: int) -> NDArray[np.int64]:
    return np.bincount(log.item, minlength=items)


def _dicts(bins: list[Bin]) -> list[dict[str, int]]:
    return [each.to_dict() for each in bins]


def _unit(log: EventLog) -> str | None:
    """Return the unit of most times; some that are missing may be written as 0."""
    return unit_of(int(np.median(log.time)), int(log.time.max())) if len(log) else None


def _span(values: NDArray[np.int64], unit: str | None) -> dict[str, Any]:
    first, last = int(values.min()), int(values.max())
    if unit is None:
        return {"first": first, "last": last}
    clock = {"from": moment_of(first, unit), "to": moment_of(last, unit)}
    shown = {name: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for name, moment in clock.items()}
    return {"first": first, "last": last, **shown}


def _share_of_shared_moments(log: EventLog) -> float:
    if not len(log):
        return 0.0
    first = log.first_of_moment
    return float((np.bincount(first, minlength=len(log))[first] > 1).mean())
