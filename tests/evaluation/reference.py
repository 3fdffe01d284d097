"""The harness again, slow and plain: lists, loops and no array larger than a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Items, Queries
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Protocol, Relevant
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.model import Model, TrainingContext, Validation

Row = tuple[int, float, int, int, int]
"""Request, gain, greater, tied, candidates."""


@dataclass(frozen=True)
class World:
    """Requests as plain Python: one user each, who saw some items and likes others.

    Attributes:
        items: size of the catalogue.
        scores: of each request and item; a model's answers.
        seen: items of each request's history, with repetitions.
        grades: relevant items with their grade, by request.
        lists: candidates by protocol and request.
        exclude: whether seen items are left out under ``full``; then none is relevant.
    """

    items: int
    scores: list[list[float]]
    seen: list[list[int]]
    grades: list[dict[int, float]]
    lists: dict[Protocol, list[list[int]]]
    exclude: bool

    @classmethod
    def drawn(cls, seed: int, requests: int, items: int, levels: int, exclude: bool) -> World:
        """Draw a world whose scores have so many ``levels``, the lowest of them minus infinity."""
        rng = np.random.default_rng(seed)
        values = [-np.inf, *range(levels - 1)]
        scores = rng.choice(values, (requests, items)).tolist()
        # Under exclude something must be left to ask for.
        known = items - 1 if exclude else items
        lengths = rng.integers(0, 2 * items if known else 1, requests)
        seen = [rng.integers(0, max(known, 1), length).tolist() for length in lengths]
        grades = []
        for history in seen:
            free = sorted(set(range(items)) - set(history)) if exclude else list(range(items))
            chosen = rng.choice(free, rng.integers(1, len(free) + 1), replace=False).tolist()
            grades.append({item: float(rng.integers(1, 4)) for item in sorted(chosen)})
        lists: dict[Protocol, list[list[int]]] = {"sampled": [], "given": []}
        for relevant in grades:
            others = rng.choice(items, rng.integers(0, items), replace=False).tolist()
            lists["sampled"].append(sorted({*relevant, *others}))
            lists["given"].append(sorted(others))
        return cls(items, scores, seen, grades, lists, exclude)

    def rows(self, protocol: Protocol) -> list[Row]:
        """Count every relevant item against every other candidate."""
        rows = []
        for number, relevant in enumerate(self.grades):
            candidates = self.candidates(number, protocol)
            own = self.scores[number]
            if not self.asks(number, protocol):
                continue
            for item, grade in relevant.items():
                if item not in candidates:
                    rows.append((number, grade, len(candidates), 0, len(candidates)))
                    continue
                others = [own[other] for other in candidates if other != item]
                above = sum(score > own[item] for score in others)
                level = sum(score == own[item] for score in others)
                rows.append((number, grade, above, level, len(candidates)))
        return rows

    def asks(self, number: int, protocol: Protocol) -> bool:
        """Return whether a request is asked by a protocol: whether it has a list."""
        return protocol == "full" or bool(self.lists[protocol][number])

    def best(self, number: int, protocol: Protocol, k: int) -> list[int]:
        """Return the best candidates, of equal ones the lower number first; -1 fills up."""
        own = self.scores[number]
        real = [item for item in self.candidates(number, protocol) if own[item] > -np.inf]
        return (sorted(real, key=lambda item: (-own[item], item)) + [-1] * k)[:k]

    def candidates(self, number: int, protocol: Protocol) -> list[int]:
        """Return the candidates of a request, ascending."""
        if protocol != "full":
            return self.lists[protocol][number]
        left_out = set(self.seen[number]) if self.exclude else set()
        return [item for item in range(self.items) if item not in left_out]

    def dataset(self) -> Dataset:
        """Return the same as the harness has it, as test requests for recommendation."""
        users = len(self.seen)
        owner = np.repeat(np.arange(users), [len(history) for history in self.seen])
        item = np.array([item for history in self.seen for item in history], dtype=np.int32)
        nothing = np.full(len(item), -1)
        log = EventLog.from_columns(
            user=owner,
            item=item,
            time=np.arange(len(item)),
            kind=np.full(len(item), int(EventSource.RECOMMENDED)),
            query=nothing,
            session=nothing,
            users=users,
        )
        queries = Queries((), (), ())
        requests = Requests.before(
            log,
            log.offsets[1:],
            task=Task.REC,
            user=np.arange(users),
            time=np.full(users, len(item)),
            query=np.full(users, -1),
            queries=queries,
            items=self.items,
            exclude_seen=self.exclude,
        )
        pairs = [(n, i, g) for n, grades in enumerate(self.grades) for i, g in grades.items()]
        number, wanted, gain = (np.array(column) for column in zip(*pairs, strict=True))
        lists = {protocol: _joined(each) for protocol, each in self.lists.items()}
        evaluation = EvaluationSet(requests, Relevant.of_events(number, wanted, gain), lists)
        names = tuple(f"i{number}" for number in range(self.items))
        items = Items(names, names, names, {})
        return Dataset(
            name="world",
            digest="",
            candidates_digest="",
            log=log,
            users=tuple(f"u{number}" for number in range(users)),
            items=items,
            queries=queries,
            train=TrainView(log, items, queries, ""),
            evaluation={("test", Task.REC): evaluation, ("validation", Task.REC): evaluation},
        )


def _joined(lists: list[list[int]]) -> CandidateLists:
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in lists])])
    return CandidateLists(offsets, np.array([i for each in lists for i in each], dtype=np.int32))


class Scoring(Model):
    """Answers with the scores of a world by ``score``."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})

    def __init__(self, world: World) -> None:
        super().__init__()
        self.table = np.array(world.scores, dtype=np.float32)
        self.widest = 0

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Learn nothing."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Look them up: a request is known by its user."""
        self.widest = max(self.widest, len(requests) * requests.width)
        return requests.of_candidates(self.table[requests.user])

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take nothing."""


class Retrieving(Scoring):
    """Answers with the same scores by ``retrieve``."""

    scores_catalogue: ClassVar[bool] = False
