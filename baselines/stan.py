"""STAN: what users of similar sequences took near what both have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from baselines.histories import distinct_events, recency_weights
from baselines.sparse import largest_of_rows
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension, Range
from benchmark.settings import setting

__all__ = ["STAN", "STANSettings"]

_EVENTS_AT_ONCE = 2**21


@dataclass(frozen=True)
class STANSettings:
    """Settings of :class:`STAN`."""

    neighbours: int = setting(500, "most similar users whose sequences are read", low=1)
    recency: float = setting(
        1.02, "steps back over which an item of the history counts e times less", low=1e-2
    )
    reach: float = setting(
        2.05, "steps from the shared item over which a neighbour's counts e times less", low=1e-2
    )
    shared: Literal["recent", "last"] = setting(
        "recent", "which shared item: the history's most recent, or the neighbour's last"
    )


class STAN(Model[STANSettings]):
    """Sequence and time aware neighbourhood (Garg et al. 2019, section 3), users as sessions.

    A neighbour's similarity is the cosine between its set of items and the history's, whose items
    count by how recent they are; its items count by their distance from one that it shares with the
    history. The decay by a session's age is left out, as users' sequences overlap in time.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    uses_seed: ClassVar[bool] = False
    Settings = STANSettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "neighbours": Choice((50, 100, 200, 500, 1000)),
        "recency": Range(0.5, 20.0, log=True),
        "reach": Range(0.5, 20.0, log=True),
        "shared": Choice(("recent", "last")),
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the sequences, and what the neighbours of some requests hold."""
        history = sizes.mean_window(sizes.busiest)
        read = min(self.settings.neighbours, sizes.users) * history
        met = history * sizes.events / max(sizes.items, 1)
        held = 80 * max(float(_EVENTS_AT_ONCE), read) + 16 * sizes.at_once * sizes.items
        return Needs(
            (Work(moved=60 * sizes.events, held=40 * sizes.events),),
            Work(moved=40 * met + 60 * read + 16 * sizes.items, held=held),
            kept=24 * sizes.events,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given()

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Keep what each user took, and in what order."""
        log, items = train.log, len(train.items)
        self._keep(*distinct_events(log.offsets, log.item, items), items)

    def _keep(self, offsets: NDArray[np.int64], items: NDArray[np.int32], catalogue: int) -> None:
        self.offsets, self.items, self.catalogue = offsets, items, catalogue
        sizes = np.diff(offsets)
        share = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
        users = csr_array((share, items, offsets), shape=(len(sizes), catalogue))
        self._by_item = csr_array(users.T)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the neighbours' votes; 0 for everything where nobody shares anything."""
        most = max(1.0, self.settings.neighbours * len(self.items) / max(len(self.offsets) - 1, 1))
        parts = [np.empty((0, requests.items), dtype=np.float32)]
        at_once = max(1, int(_EVENTS_AT_ONCE / most))
        parts += map(self._votes, requests.batches(at_once))
        return requests.of_candidates(np.concatenate(parts))

    def _votes(self, requests: Requests) -> NDArray[np.float32]:
        """Return the votes over the catalogue, ``[requests, items]``."""
        weights = recency_weights(requests, -1 / self.settings.recency)
        length = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)))
        scaled = diags_array(1 / np.maximum(length, np.float32(1e-30))) @ weights
        near = largest_of_rows(csr_array(scaled @ self._by_item), self.settings.neighbours)
        request, place, pair = self._events_of(near)
        shared = weights.toarray()[request, self.items[place]]
        if self.settings.shared == "last":
            shared = np.sign(shared)
        distance = place - _places_of_most(shared, place, pair, near.nnz)[pair]
        vote = near.data[pair] * np.exp(-np.abs(distance) / np.float32(self.settings.reach))
        size = (len(requests), self.catalogue)
        keys = request * self.catalogue + self.items[place]
        total = np.bincount(keys, weights=vote, minlength=size[0] * size[1])
        return total.reshape(size).astype(np.float32)

    def _events_of(
        self, near: csr_array
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return every item of every neighbour: request, place in all sequences, and pair."""
        start = self.offsets[near.indices]
        sizes = self.offsets[near.indices + 1] - start
        pair = np.repeat(np.arange(near.nnz), sizes)
        place = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes - start, sizes)
        request = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
        return request[pair], place, pair

    def parameters(self) -> int:
        """Return the number of items in all sequences."""
        return len(self.items)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the sequences."""
        return {"offsets": self.offsets, "items": self.items}, {"catalogue": self.catalogue}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the sequences."""
        self._keep(arrays["offsets"], arrays["items"], values["catalogue"])


def _places_of_most(
    value: NDArray[np.float32], place: NDArray[np.int64], pair: NDArray[np.int64], pairs: int
) -> NDArray[np.int64]:
    """Return where the last of each pair's largest values stands, ``[pairs]``; all have some."""
    first = np.searchsorted(pair, np.arange(pairs))
    if pairs == 0:
        return first
    most = np.maximum.reduceat(value, first)
    return np.maximum.reduceat(np.where(value == most[pair], place, -1), first)
