"""Markov chain: what was taken right after the last item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from baselines.sparse import at, rows_or_none
from benchmark.data.events import EventLog
from benchmark.data.requests import PAD, Requests, Task
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension
from benchmark.settings import setting

__all__ = ["Markov", "MarkovSettings"]


@dataclass(frozen=True)
class MarkovSettings:
    """Settings of :class:`Markov`."""

    steps: int = setting(1, "an item up to so many steps later counts, 1 / steps each", low=1)


class Markov(Model[MarkovSettings]):
    """Counts what follows the last item of the history; popularity decides between equals.

    With more than one step these are the sequential rules of Ludewig and Jannach (2018, section
    3.1), with weights 1 / distance.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    uses_seed: ClassVar[bool] = False
    Settings = MarkovSettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {"steps": Choice((1, 2, 3, 5, 10))}

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the counts: at most one for each event and step."""
        counts = min(sizes.events * self.settings.steps, float(sizes.items) ** 2)
        return Needs(
            (Work(moved=60 * counts, held=40 * counts),),
            Work(moved=8 * sizes.items),
            kept=8 * counts + 8 * sizes.items,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(longest_history=1)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Count."""
        items = len(train.items)
        counts = np.bincount(train.log.item, minlength=items)
        self.share = (counts / (counts.sum() + 1)).astype(np.float32)
        self.follows = _following(train.log, items, self.settings.steps)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return counts behind the last item plus shares of all events, which sum to less than 1.

        Where there is no history, only the shares are left.
        """
        last = requests.history(1).item[:, 0]
        found = rows_or_none(self.follows, np.where(last == PAD, -1, last))
        if requests.candidates is None:
            return found.toarray() + self.share
        return at(found, requests.candidates) + self.share[requests.candidates]

    def parameters(self) -> int:
        """Return the number of counts."""
        return self.follows.nnz + len(self.share)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the counts."""
        names = ("data", "indices", "indptr")
        return {**{name: getattr(self.follows, name) for name in names}, "share": self.share}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the counts."""
        self.share = arrays["share"]
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        self.follows = csr_array(parts, shape=(len(self.share), len(self.share)))


def _following(log: EventLog, items: int, steps: int) -> csr_array:
    """Return how often an item came after another in its user's log, ``[items, items]``."""
    total = csr_array((items, items), dtype=np.float32)
    for step in range(1, steps + 1):
        own = log.user[step:] == log.user[:-step]
        pairs = (log.item[:-step][own], log.item[step:][own])
        weights = np.full(len(pairs[0]), 1 / step, dtype=np.float32)
        total = total + csr_array((weights, pairs), shape=(items, items))
    return csr_array(total)
