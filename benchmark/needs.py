"""What a run needs, told from sizes before it begins: memory, operations, libraries.

A model says what it needs by :meth:`benchmark.model.Model.needs`, in bytes and operations, from how
much data there is and from its settings. It knows no machine; what the harness itself takes, and
how long operations last, is added by :mod:`benchmark.running.estimate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from benchmark.data.dataset import Dataset, Part
from benchmark.data.events import EventSource
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn

__all__ = [
    "REQUESTS_AT_ONCE",
    "SCORES_AT_ONCE",
    "Library",
    "Needs",
    "Sizes",
    "Work",
    "in_turn",
    "rows_at_once",
]

SCORES_AT_ONCE = 2**22
"""Scores held at a time, where so many are enough for :data:`_ROWS` requests."""
_ROWS = 64
"""Requests that are answered at a time over a large catalogue too: a product of matrices reads all
items' vectors for each batch, and with fewer rows it waits for them."""
_MOST_SCORES = 2**26
"""Upper bound of the scores held at a time, a quarter of a gigabyte."""
REQUESTS_AT_ONCE = 1024
"""Upper bound of the requests that the harness asks at a time."""
BYTES_PER_PIECE = 4.5
"""Of text: what a word piece of English titles takes, blanks included."""

Library = Literal["torch", "recbole", "sentence-transformers"]
"""Libraries that take much memory as soon as they are imported."""


def rows_at_once(width: int) -> int:
    """Return how many requests with ``width`` scores each are answered at a time, at least 1."""
    few = min(_ROWS, _MOST_SCORES // max(width, 1))
    return max(1, few, SCORES_AT_ONCE // max(width, 1))


@dataclass(frozen=True)
class Sizes:
    """How much data there is.

    Attributes:
        users: number of users.
        items: size of the catalogue.
        queries: number of distinct queries.
        events: training events.
        searches: those of them that came by search.
        busiest: training events of the user with most of them.
        meetings: pairs of training events of one user, each event with itself included.
        item_bytes: of the items' texts, in UTF-8.
        query_bytes: of the queries' texts.
        log: all events, those of validation and test too.
        listed: items in all lists of candidates.
        longest_list: items in the longest of them.
        asked: requests by part and task, ``{"test": {"rec": 943}}``.
    """

    users: int
    items: int
    queries: int
    events: int
    searches: int
    busiest: int
    meetings: int
    item_bytes: int
    query_bytes: int
    log: int
    listed: int
    longest_list: int
    asked: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset) -> Sizes:
        """Return the sizes of a data set."""
        train, lists = dataset.train, []
        asked: dict[str, dict[str, int]] = {part: {} for part in get_args(Part)}
        for part, task, evaluation in dataset.by_part():
            asked[part][str(task)] = len(evaluation)
            lists += [each.lengths for each in evaluation.lists.values()]
        counts = np.diff(train.log.offsets)
        return cls(
            users=train.log.users,
            items=len(train.items),
            queries=len(train.queries),
            events=len(train.log),
            searches=len(train.log.rows_of_kind[EventSource.SEARCHED]),
            busiest=int(counts.max(initial=0)),
            meetings=int((counts.astype(np.int64) ** 2).sum()),
            item_bytes=TextColumn(train.items.texts).array.nbytes,
            query_bytes=TextColumn(dataset.queries.texts).array.nbytes,
            log=len(dataset.log),
            listed=int(sum(int(each.sum()) for each in lists)),
            longest_list=max((int(each.max(initial=0)) for each in lists), default=0),
            asked=asked,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Sizes:
        """Take back what :meth:`to_json` returned.

        Raises:
            TypeError: a field is missing, or there are others.
        """
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    def requests(self, part: Part, tasks: Iterable[Task], limit: int = 0) -> int:
        """Return the requests of ``tasks``, of each at most ``limit`` where that is not 0."""
        counts = [self.asked.get(part, {}).get(str(task), 0) for task in tasks]
        return sum(min(count, limit or count) for count in counts)

    @property
    def at_once(self) -> int:
        """Requests whose scores of the whole catalogue the harness asks for together."""
        return min(REQUESTS_AT_ONCE, rows_at_once(self.items))

    def window(self, most: int) -> int:
        """Return the events of the longest history, of which a model reads ``most``."""
        return max(1, min(most, self.busiest))

    def mean_window(self, most: int) -> float:
        """Return about how many events a history holds, of which a model reads ``most``."""
        return max(1.0, min(most, self.events / max(self.users, 1)))

    def stretches(self, window: int, events: int | None = None) -> float:
        """Return about how many pieces of ``window`` events the users' histories are cut into."""
        count = self.events if events is None else events
        return max(1.0, min(self.users, count), count / window + self.users / 2)

    def item_pieces(self, most: int) -> float:
        """Return the word pieces of an item's text on average, of which ``most`` are read."""
        return min(most, self.item_bytes / BYTES_PER_PIECE / max(self.items, 1) + 2)

    def query_pieces(self, most: int) -> float:
        """Return the word pieces of a query on average, of which ``most`` are read."""
        return min(most, self.query_bytes / BYTES_PER_PIECE / max(self.queries, 1) + 2)


@dataclass(frozen=True)
class Work:
    """What a piece of work asks of a machine.

    Attributes:
        flop: operations of matrix products; a multiplication and its sum are two.
        moved: bytes that everything else writes; it is memory that such work waits for.
        calls: steps such as one pass of a batch through a network, each of which takes some time
            of its own however small it is.
        held: bytes at most while it lasts, beside weights and what the model keeps; of a model that
            uses a GPU they lie there.
        trained: weights that an optimiser moves meanwhile, in float32.
        name: as in the run log, behind ``fit/``; empty where it is all of ``fit``.
        encoder: weights of a pretrained text encoder that is there meanwhile.
    """

    flop: float = 0.0
    moved: float = 0.0
    calls: float = 0.0
    held: float = 0.0
    trained: float = 0.0
    name: str = ""
    encoder: float = 0.0
    limit: float = 0.0

    def __mul__(self, times: float) -> Work:
        """Return the same work done several times, one after the other."""
        return replace(
            self, flop=self.flop * times, moved=self.moved * times, calls=self.calls * times
        )

    def named(self, name: str) -> Work:
        """Return the same work as a phase of this name."""
        return replace(self, name=name)


def in_turn(*works: Work) -> Work:
    """Return what several works need that are done one after the other, by the first one's name."""
    return Work(
        flop=sum(work.flop for work in works),
        moved=sum(work.moved for work in works),
        calls=sum(work.calls for work in works),
        held=max(work.held for work in works),
        trained=max(work.trained for work in works),
        name=works[0].name,
        encoder=max(work.encoder for work in works),
        limit=max(work.limit for work in works),
    )


@dataclass(frozen=True)
class Needs:
    """What a run of a model needs beside the harness.

    Attributes:
        fit: the phases of training.
        request: answering one request over the whole catalogue; ``held`` is for as many as are
            answered together.
        kept: bytes of what the trained model keeps.
        libraries: those that it imports.
    """

    fit: tuple[Work, ...]
    request: Work
    kept: float = 0.0
    libraries: tuple[Library, ...] = ()
