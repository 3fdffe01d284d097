"""Item-kNN: items whose users are those of the history's items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from baselines.histories import recency_weights
from baselines.sparse import at, largest_of_rows
from benchmark.data.events import EventLog
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension, Range
from benchmark.settings import setting

__all__ = ["ItemKNN", "ItemKNNSettings"]

_ENTRIES_AT_ONCE = 2**23
_SORTED = 56
"""Bytes for each of them: row, column, value, order and copies of these."""


@dataclass(frozen=True)
class ItemKNNSettings:
    """Settings of :class:`ItemKNN`."""

    neighbours: int = setting(200, "most similar items that are kept for each item", low=1)
    shrinkage: float = setting(10.0, "added to the denominator: rare items are trusted less")
    recency: float = setting(
        1.0, "factor for each step that an item of the history lies back", low=0.01, high=1.0
    )


class ItemKNN(Model[ItemKNNSettings]):
    """The sum of an item's cosines with the items of the history (Deshpande and Karypis 2004).

    Cosines are between the sets of users that did anything with the items in training; of each item
    of the history only its nearest neighbours count. The order of a history is read only where
    ``recency`` is below 1. The query is not read.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    uses_seed: ClassVar[bool] = False
    Settings = ItemKNNSettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "neighbours": Choice((20, 50, 100, 200, 500, 1000)),
        "shrinkage": Range(0.0, 100.0),
        "recency": Choice((0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)),
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the pairs of items that users bring together, sorted a part at a time."""
        settings, most = self.settings, max(sizes.items, 1)
        pairs = min(sizes.meetings, float(most) ** 2)
        # A part is cut where users bring along so many pairs, of which many are the same.
        part = pairs * min(1.0, _ENTRIES_AT_ONCE / max(sizes.meetings, 1))
        neighbours = min(settings.neighbours, pairs / most)
        history = sizes.mean_window(sizes.busiest)
        reached = min(sizes.items, history * neighbours)
        return Needs(
            (Work(moved=16 * sizes.meetings + 200 * pairs, held=_SORTED * part),),
            Work(
                moved=16 * history * neighbours + 8 * sizes.items,
                held=sizes.at_once * (8 * reached + 4 * sizes.items),
            ),
            kept=2 * 8 * most * neighbours,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given()

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Compute the neighbours."""
        users = _users_of_items(train.log, len(train.items))
        self.similar = _neighbours(users, self.settings.neighbours, self.settings.shrinkage)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return sums of similarities; 0 for everything where there is no history."""
        history = recency_weights(requests, np.log(self.settings.recency))
        # A sum's last digit hangs on the order of its terms: by item, it is that of plain counts.
        history.sort_indices()
        found = csr_array(history @ self.similar)
        if requests.candidates is None:
            return found.toarray()
        return at(found, requests.candidates)

    def parameters(self) -> int:
        """Return the number of similarities."""
        return self.similar.nnz

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the similarities."""
        names = ("data", "indices", "indptr")
        return {name: getattr(self.similar, name) for name in names}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the similarities."""
        items = len(arrays["indptr"]) - 1
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        self.similar = csr_array(parts, shape=(items, items))


def _users_of_items(log: EventLog, items: int) -> csr_array:
    """Return 1 where a user did anything with an item, ``[items, users]``."""
    keys = np.unique(log.item.astype(np.int64) * log.users + log.user)
    ones = np.ones(len(keys), dtype=np.float32)
    return csr_array((ones, (keys // log.users, keys % log.users)), shape=(items, log.users))


def _neighbours(users: csr_array, most: int, shrinkage: float) -> csr_array:
    """Return of each item its ``most`` most similar others, ``[items, items]``."""
    items, other = users.shape[0], csr_array(users.T)
    length = np.sqrt(np.diff(users.indptr)).astype(np.float32)
    # Users that an item's users bring along: a bound of the entries of its row.
    work = np.cumsum(users @ np.diff(other.indptr))
    parts, start = [], 0
    while start < items:
        done = work[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(work, done + _ENTRIES_AT_ONCE, side="right")))
        both = (users[start:stop] @ other).tocoo()
        row, column = both.row.astype(np.int64), both.col.astype(np.int64)
        apart = row + start != column
        row, column, value = row[apart], column[apart], both.data[apart]
        value = value / (length[row + start] * length[column] + np.float32(shrinkage))
        part = csr_array((value, (row, column)), shape=(stop - start, items))
        parts.append(largest_of_rows(part, most))
        start = stop
    return csr_array(vstack(parts, format="csr"))
