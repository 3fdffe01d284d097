"""A data set as the harness uses it: training view, and requests with frozen candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmark.data.catalogue import Items, Queries
from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Protocol, Relevant
from benchmark.data.events import EventLog
from benchmark.data.requests import Task

__all__ = [
    "About",
    "CandidateLists",
    "Dataset",
    "EvaluationSet",
    "Part",
    "Protocol",
    "Relevant",
    "TrainView",
]

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class TrainView:
    """All that a model may learn from: training events only.

    Attributes:
        log: the training events; a user without any has an empty slice.
        items: the whole catalogue (an item without a training event can still be asked for).
        queries: the query table; the words of queries without a training event are blank.
        digest: identifies data set and split, for caches of things derived from them.
    """

    log: EventLog
    items: Items
    queries: Queries
    digest: str


@dataclass(frozen=True)
class About:
    """What a data set is and which choices were made, for tables, records and the audit.

    Attributes:
        split: ``leave-one-out``, ``temporal``, ``days`` or ``official``.
        leakage: ``safe`` or ``paper``.
        seen: ``exclude`` or ``keep``: whether the full protocol leaves out items of the history.
        exclude_seen: the tasks of which it does; none where ``seen`` is ``keep``.
        protocols: those that the card names; none where it leaves it to the data.
        negatives: how many the card wants in a sampled list; lists may be shorter.
        notes: choices made and compromises, one line each.
    """

    split: str = "leave-one-out"
    leakage: str = "safe"
    seen: str = "exclude"
    exclude_seen: tuple[str, ...] = ("rec",)
    protocols: tuple[Protocol, ...] = ()
    negatives: int = 99
    description: str = ""
    source: str = ""
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A prepared data set.

    Attributes:
        name: the card's name.
        digest: SHA-256 (hex) over source files, card and everything derived except candidates.
        candidates_digest: SHA-256 (hex) over all frozen candidate lists.
        log: all events, test events too: for the harness, never for a model.
        train: what models learn from.
        users: the source's identifiers, ``[users]``.
        evaluation: by part and task; a task without a single request is missing.
        about: where the data come from and how they were split.
    """

    name: str
    digest: str
    candidates_digest: str
    log: EventLog
    users: Sequence[str]
    items: Items
    queries: Queries
    train: TrainView
    evaluation: dict[tuple[Part, Task], EvaluationSet]
    about: About = field(default_factory=About)
