"""Description of a prepared data set in numbers, JSON-ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.distributions import distributions, popularity, text, times, word_counts
from benchmark.data.evaluation_set import PROTOCOLS
from benchmark.data.events import NO_SESSION, EventLog, EventSource
from benchmark.data.keys import distinct
from benchmark.data.repeats import in_history, repeated_share
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn

__all__ = ["describe"]

_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def describe(dataset: Dataset) -> dict[str, Any]:
    """Return what is in a data set and how it was made.

    Keys: ``name, description, source, licence, citation, split, leakage, seen, exclude_seen,
    digest, candidates_digest, users, items, items_with_text, events, training, sessions, density,
    events_per_user, queries, requests, popularity, repeats, times, text, distributions, protocols,
    notes``. ``requests`` is by part and task, ``repeats`` the share of each task's events whose
    user had the item before; for the rest see :mod:`benchmark.data.distributions`. All of them are
    documented in ``docs/data-describe.md``.
    """
    log, about = dataset.log, dataset.about
    pairs = distinct(log.user.astype(np.int64) * len(dataset.items) + log.item)
    requests: dict[str, dict[str, Any]] = {}
    for part, task, asked in dataset.by_part():
        requests.setdefault(part, {})[str(task)] = _requests(asked)
    return {
        "name": dataset.name,
        "description": about.description,
        "source": about.source,
        "licence": about.licence,
        "citation": about.citation,
        "split": about.split,
        "leakage": about.leakage,
        "seen": about.seen,
        "exclude_seen": list(about.exclude_seen),
        "digest": dataset.digest,
        "candidates_digest": dataset.candidates_digest,
        "users": log.users,
        "items": len(dataset.items),
        "items_with_text": int(np.count_nonzero(_lengths(dataset.items.texts))),
        "events": _events(log),
        "training": _events(dataset.train.log),
        "sessions": _sessions(log),
        "density": len(pairs) / max(1, log.users * len(dataset.items)),
        "events_per_user": _quantiles(np.diff(log.offsets)),
        "queries": _queries(dataset),
        "requests": requests,
        "popularity": popularity(dataset),
        "repeats": {
            str(task): round(repeated_share(log, task, len(dataset.items)), 4) for task in Task
        },
        "times": times(dataset),
        "text": text(dataset),
        "distributions": distributions(dataset),
        "protocols": list(_protocols(dataset)),
        "notes": list(about.notes),
    }


def _events(log: EventLog) -> dict[str, int]:
    searches = int((log.kind == EventSource.SEARCHED).sum())
    return {"all": len(log), "rec": len(log) - searches, "search": searches}


def _sessions(log: EventLog) -> int:
    """Count the sessions that the source tells, of each user for itself."""
    told = log.session != NO_SESSION
    sessions = int(log.session.max(initial=0)) + 1
    return len(distinct(log.user[told].astype(np.int64) * sessions + log.session[told]))


def _lengths(texts: Sequence[str]) -> NDArray[np.int64]:
    return pc.binary_length(TextColumn(texts).array).to_numpy(zero_copy_only=False)


def _protocols(dataset: Dataset) -> Iterator[str]:
    """Yield by what requests can be asked, in the usual order."""
    for protocol in PROTOCOLS:
        if any(protocol in asked.protocols for asked in dataset.evaluation.values()):
            yield protocol


def _quantiles(values: NDArray[np.integer]) -> dict[str, float]:
    if len(values) == 0:
        return {}
    found = np.quantile(values, _QUANTILES).tolist()
    return {f"{q:.0%}": value for q, value in zip(_QUANTILES, found, strict=True)}


def _requests(asked: EvaluationSet) -> dict[str, Any]:
    """Return counts of the requests of one task and part.

    ``repeated_targets`` are relevant items that stand in their request's own history already.
    Where ``seen`` is ``exclude`` they were taken out, and ``not_asked`` counts the requests that
    had no other; else they are asked like any other.
    """
    requests, relevant = asked.requests, asked.relevant
    again = int(in_history(asked).sum())
    most = relevant.per_request(len(asked))
    lists = {
        protocol: _quantiles(candidates.lengths) for protocol, candidates in asked.lists.items()
    }
    return {
        "requests": len(asked),
        "users": len(np.unique(requests.user)),
        "relevant": len(relevant),
        "relevant_per_request": _quantiles(most),
        "grades": sorted(set(relevant.gain.tolist())),
        "history_length": _quantiles(requests.history_lengths()),
        "repeated_targets": asked.repeated.targets + again,
        "not_asked": asked.repeated.requests,
        "candidates": lists,
    }


def _queries(dataset: Dataset) -> dict[str, Any]:
    """Return counts of the queries that events have, by kind; means are over search events.

    A query is ambiguous when the log reaches more than one item by it.
    """
    log = dataset.log
    searched = log.kind == EventSource.SEARCHED
    query = log.query[searched]
    if len(query) == 0:
        return {"distinct": 0, "searches": 0, "kinds": {}}
    pairs = distinct(query.astype(np.int64) * len(dataset.items) + log.item[searched])
    reached = np.bincount(pairs // len(dataset.items), minlength=len(dataset.queries))
    kinds = np.array(dataset.queries.kinds)
    return {
        "distinct": len(np.unique(query)),
        **_kind(dataset.queries, query, reached),
        "kinds": {
            kind: _kind(dataset.queries, query[kinds[query] == kind], reached)
            for kind in sorted(set(kinds[query].tolist()))
        },
    }


def _kind(
    queries: Queries, query: NDArray[np.int32], reached: NDArray[np.integer]
) -> dict[str, Any]:
    length = word_counts(TextColumn(queries.texts))
    distinct, times = np.unique(query, return_counts=True)
    often = distinct[np.argsort(-times, kind="stable")]
    spread = often[:: max(1, len(often) // 8)][:8]
    return {
        "searches": len(query),
        "queries": len(distinct),
        "mean_words": round(float(length[query].mean()), 4),
        "items_per_query": round(float(reached[distinct].mean()), 4),
        "ambiguous_queries": round(float((reached[distinct] > 1).mean()), 4),
        "ambiguous_searches": round(float((reached[query] > 1).mean()), 4),
        "examples": [queries.texts[q] for q in spread.tolist()],
    }
