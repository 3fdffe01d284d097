"""A data set as the harness uses it: training view, and requests with frozen candidates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from benchmark.data.catalogue import Items, Queries
from benchmark.data.evaluation_set import (
    PROTOCOLS,
    CandidateLists,
    EvaluationSet,
    Part,
    Protocol,
    Relevant,
)
from benchmark.data.events import EventLog
from benchmark.data.repeats import without_repeats
from benchmark.data.requests import Task
from benchmark.data.short_lists import with_a_choice
from benchmark.data.terms import Seen
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.data.card import Analyser, Card
    from benchmark.data.prepared import Prepared, PreparedRequests

__all__ = [
    "DATA_VERSION",
    "About",
    "CandidateLists",
    "Dataset",
    "EvaluationSet",
    "Part",
    "Protocol",
    "Relevant",
    "TrainView",
    "check_seen",
    "digest_of",
]

DATA_VERSION = 3
"""Counts changes of this package that change what is prepared from the same files and card."""


@dataclass(frozen=True)
class TrainView:
    """All that a model may learn from: training events only.

    Attributes:
        log: the training events; a user without any has an empty slice.
        items: the whole catalogue (an item without a training event can still be asked for).
        queries: the query table; the words of queries without a training event are blank.
        digest: identifies data set and split, for caches of things derived from them.
        analyser: what word search takes for words.
    """

    log: EventLog
    items: Items
    queries: Queries
    digest: str
    analyser: Analyser = "bigrams"


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

    @classmethod
    def of(cls, card: Card, prepared: Prepared, key: str, seen: Seen) -> Dataset:
        """Return the data set of what was prepared.

        Args:
            card: the data set's card.
            prepared: from it.
            key: a digest of all that was prepared from.
            seen: see :func:`benchmark.data.load.load_dataset`.
        """
        digest = digest_of({"key": key, "seen": seen, "content": prepared.content_digest})
        train_log = prepared.log.select(prepared.train)
        used = np.zeros(len(prepared.queries) + 1, dtype=np.bool_)
        used[train_log.query] = True  # NO_QUERY, -1, is the last
        queries = prepared.queries.only(np.flatnonzero(used[:-1]))
        exclude_seen = card.exclude_seen if seen == "exclude" else ()
        full = "full" in (card.candidates.protocols or PROTOCOLS)
        about = About(
            split=card.split.name,
            leakage=card.split.leakage,
            seen=seen,
            exclude_seen=exclude_seen,
            protocols=card.candidates.protocols or (),
            negatives=card.candidates.negatives,
            description=card.description,
            source=card.source,
            licence=card.licence,
            citation=card.citation,
            notes=prepared.notes,
        )
        return cls(
            name=card.name,
            digest=digest,
            candidates_digest=prepared.candidates_digest,
            log=prepared.log,
            users=prepared.users,
            items=prepared.items,
            queries=prepared.queries,
            train=TrainView(train_log, prepared.items, queries, digest, prepared.analyser),
            evaluation={
                which: evaluation
                for which, asked in prepared.requests.items()
                if (evaluation := _evaluation_set(prepared, which, asked, exclude_seen, full))
                is not None
            },
            about=about,
        )

    def by_part(self) -> list[tuple[Part, Task, EvaluationSet]]:
        """Return the requests of each part and task: validation first, and recommendation first."""
        asked = self.evaluation
        parts: tuple[Part, ...] = get_args(Part)
        return [(p, t, asked[p, t]) for p in parts for t in Task if (p, t) in asked]

    @classmethod
    def from_frames(
        cls,
        events: Any,
        /,
        items: Any = None,
        queries: Any = None,
        *,
        seen: Seen = "exclude",
        notify: Callable[[str], object] | None = None,
        **rules: Any,
    ) -> Dataset:
        """Return the data set of tables in memory: pandas, Polars, Arrow, or columns by name.

        The rules are those of format ``table``
        (:class:`benchmark.data.sources.tables.rules.TableRules`), by the same names:
        ``columns={"user": "uid", "item": "sku", "time": "at"}``, ``events={"view": 1, "buy": 3}``.
        Fields of a card (:class:`benchmark.data.card.Card`) are given by their names too:
        ``name``, ``title="{name}"``, ``text=["brand"]``, ``split``, ``analyser`` and others. The
        same rows give the same digest, whatever library holds them. Nothing is kept in the cache.

        Args:
            events: a row for each event.
            items: a row for each item.
            queries: a row for each query, where events name queries by id.
            seen: see :func:`benchmark.data.load.load_dataset`.
            notify: is called with each line worth telling the user.
            rules: of the table and of the card.

        Raises:
            InputError: an unknown rule, a missing column, or a cell that is no time or number.
        """
        from benchmark.data.frames import prepare_frames

        check_seen(seen)
        frames = {"events": events, "items": items, "queries": queries}
        given = {what: frame for what, frame in frames.items() if frame is not None}
        card, prepared, content = prepare_frames(given, rules)
        for note in prepared.notes:
            (notify or (lambda line: None))(f"{card.name}: {note}")
        decided = {"version": DATA_VERSION, "card": card.deciding(), "frames": content}
        return cls.of(card, prepared, digest_of(decided), seen)


def check_seen(seen: str) -> None:
    """Refuse what is no rule for items of the history.

    Raises:
        InputError: it is none.
    """
    if seen not in get_args(Seen):
        raise InputError(f"seen '{seen}': write exclude or keep")


def digest_of(values: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _evaluation_set(
    prepared: Prepared,
    which: tuple[Part, Task],
    asked: PreparedRequests,
    exclude_seen: tuple[str, ...],
    full: bool,
) -> EvaluationSet | None:
    """Return the requests that are asked, ``None`` where every one of them repeats."""
    log, task = prepared.log, which[1]
    exclude = str(task) in exclude_seen
    requests = asked.asking(log, task, prepared.queries, len(prepared.items), exclude)
    whole = EvaluationSet(requests, asked.relevant, asked.lists, full=full)
    asking = without_repeats(whole, asked.repeats) if requests.exclude_seen else whole
    return None if asking is None else with_a_choice(asking, int(np.diff(log.offsets).max()))
