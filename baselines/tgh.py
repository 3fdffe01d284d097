"""TGH: the nearest texts among what is a few steps away from the last items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from baselines.sparse import rows_or_none
from benchmark.data.requests import PAD, Requests, Task
from benchmark.data.transition_graph import TransitionGraph
from benchmark.given import Given
from benchmark.learning.encoder_sizes import weights_of
from benchmark.model import Model, SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension, Range
from benchmark.settings import setting
from benchmark.top_k import top_k
from gensar.engine.item_vectors import text_step, text_vectors
from gensar.engine.needs import text_vectors_work

__all__ = ["TGH", "TGHSettings"]

_SCORES_AT_ONCE = 2**21
_FIRST = np.float32(1000)
"""The score of the first place; each further one has 1 less, and texts have 1 at most."""
_APART = np.float32(8)
"""More than a likeness of texts and what counts add to it can differ."""
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class TGHSettings:
    """Settings of :class:`TGH`."""

    encoder: str = setting("minilm", "encoder of item texts: minilm, or a name on the hub")
    places: tuple[int, ...] = setting(
        (7, 2, 1), "places of the list for items 1, 2, … steps from the last one"
    )
    places_before: tuple[int, ...] = setting(
        (), "likewise from the one before, listed after these; none in TGH-1"
    )
    count_weight: float = setting(
        0.5, "what the most frequent step adds to a likeness of texts", high=4.0
    )
    fill: Literal["texts", "random"] = setting(
        "texts", "what stands behind, and in places that no step reaches"
    )


class TGH(Model[TGHSettings]):
    """Text-guided hops over the graph of consecutive items (Han et al. 2026, arXiv 2605.07125).

    Ring 1 of an item holds what came right after it in training, ring ``h`` what is ``h`` steps
    away and no less. Each ring has so many places of the list, given to the texts most like the
    item's; in ring 1 frequent steps count beside. A ring with too few items leaves its places to
    those before it, and the last one to all.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    uses_seed: ClassVar[bool] = False
    Settings = TGHSettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "places": Choice(((10,), (7, 2, 1), (5, 1), (4, 2), (8, 2))),
        "places_before": Choice(((), (3, 1), (4,))),
        "count_weight": Range(0.0, 2.0),
    }

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the encoding of the items' texts."""
        return [text_step(self.settings.encoder)]

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the encoding of texts, and a likeness of each item with each request's last."""
        texts = text_vectors_work(self.settings.encoder, sizes)
        if texts is None:
            return None
        width, sources = 384, 1 + bool(self.settings.places_before)
        return Needs(
            (texts, Work(moved=60 * sizes.events, held=40 * sizes.events)),
            Work(
                flop=2 * width * sources * sizes.items,
                moved=60 * sources * sizes.items,
                held=30 * max(_SCORES_AT_ONCE, sizes.items) + 4 * sizes.at_once * sizes.items,
            ),
            kept=4 * width * sizes.items + 8 * sizes.events,
            libraries=("torch", "sentence-transformers"),
        )

    def given(self) -> Given:
        """Tell what it reads."""
        encoder = self.settings.encoder
        return Given(item_text=True, encoder=encoder, encoder_parameters=weights_of(encoder))

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Encode the texts and count the steps."""
        self.vectors = text_vectors(train, context, self.settings.encoder)
        self.seed = context.seed
        self._keep(TransitionGraph(train.log, len(train.items)).counts.astype(np.float32))

    def _keep(self, follows: csr_array) -> None:
        self.follows = follows
        ones = np.ones(follows.nnz, dtype=np.float32)
        self._edges = csr_array((ones, follows.indices, follows.indptr), shape=follows.shape)
        self._met = np.diff(follows.indptr) > 0
        self._met[follows.indices] = True

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return places counted down from 1,000, and below them likenesses of texts.

        Without a history everything is tied.
        """
        parts = [np.empty((0, requests.items), dtype=np.float32)]
        parts += map(self._scores, requests.batches(max(1, _SCORES_AT_ONCE // requests.items)))
        return requests.of_candidates(np.concatenate(parts))

    def _scores(self, requests: Requests) -> NDArray[np.float32]:
        """Return scores of the catalogue, ``[requests, items]``."""
        history = requests.history(2)
        rows = np.arange(len(requests))
        last = history.item[rows, np.maximum(history.length - 1, 0)]
        before = np.where(history.length > 1, history.item[:, 0], PAD)
        free = np.ones((len(requests), requests.items), dtype=np.bool_)
        if requests.exclude_seen:
            offsets, seen = requests.seen()
            free[np.repeat(rows, np.diff(offsets)), seen] = False
        listed, likeness = _List(free), self._likeness(last)
        texts, settings = self.settings.fill == "texts", self.settings
        rest = likeness if texts else self._drawn(requests, last)
        if settings.places:
            self._list(listed, last, settings.places, likeness, rest)
        if settings.places_before:
            likeness = self._likeness(before)
            fill = likeness if texts else rest
            self._list(listed, before, settings.places_before, likeness, fill)
        return np.where(listed.place >= 0, _FIRST - listed.place, rest).astype(np.float32)

    def _list(
        self,
        listed: _List,
        source: NDArray[np.int32],
        places: tuple[int, ...],
        likeness: NDArray[np.float32],
        fill: NDArray[np.float32],
    ) -> None:
        """List what is around each request's source: ring by ring, then whatever fills up."""
        there, start = source != PAD, listed.length.copy()
        depth = len(places)
        nearer = np.full(fill.shape, -np.inf, dtype=np.float32)
        for number, (ring, more) in enumerate(self._rings(source, depth)):
            wanted = places[number] * there
            found = (ring & listed.free).sum(axis=1)
            listed.give(nearer, wanted - found)
            # A nearer ring before all farther ones.
            value = np.where(ring, likeness + more + _APART * (depth - number), -np.inf)
            listed.give(value, np.minimum(wanted, found))
            nearer = np.maximum(nearer, value)
        for value in (nearer, fill):
            listed.give(value, sum(places) * there - (listed.length - start))

    def _rings(
        self, source: NDArray[np.int32], depth: int
    ) -> list[tuple[NDArray[np.bool_], NDArray[np.float32] | float]]:
        """Return the rings around each source, ``[requests, items]``, and what their counts add."""
        steps = rows_or_none(self.follows, source)
        weight, sizes = np.log1p(steps.data), np.diff(steps.indptr)
        most = np.maximum.reduceat(np.append(weight, 0), steps.indptr[:-1])
        parts = (weight / np.repeat(most, sizes), steps.indices, steps.indptr)
        share = csr_array(parts, shape=steps.shape).toarray()
        ring = share > 0
        visited = ring.copy()
        real = np.flatnonzero(source != PAD)
        visited[real, source[real]] = True
        rings: list[tuple[NDArray[np.bool_], NDArray[np.float32] | float]] = [
            (ring, np.float32(self.settings.count_weight) * share)
        ]
        while len(rings) < depth:
            reached = csr_array(csr_array(ring.astype(np.float32)) @ self._edges)
            ring = reached.toarray() > 0
            ring &= ~visited
            visited |= ring
            rings.append((ring, 0.0))
        return rings

    def _likeness(self, source: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return cosines of texts with that of each source; 0 where there is none."""
        own = np.where((source != PAD)[:, None], self.vectors[np.maximum(source, 0)], 0)
        found: NDArray[np.float32] = own.astype(np.float32) @ self.vectors.T
        return found

    def _drawn(self, requests: Requests, last: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return numbers below 1 that hang on seed, user and item only; -1 outside of the graph."""
        user, item = requests.user.astype(np.uint64), np.arange(requests.items, dtype=np.uint64)
        keys = (user[:, None] << np.uint64(32)) + item + np.array([self.seed], np.uint64) * _ODD
        met = self._met & (last != PAD)[:, None]
        return np.where(met, _scattered(keys), -1).astype(np.float32)

    def parameters(self) -> int:
        """Return the number of counts; vectors of texts are not learned here."""
        return self.follows.nnz

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return vectors and counts."""
        names = ("data", "indices", "indptr")
        counts = {name: getattr(self.follows, name) for name in names}
        return {**counts, "vectors": self.vectors}, {"seed": self.seed}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back vectors and counts."""
        self.vectors, self.seed = arrays["vectors"], values["seed"]
        items = len(self.vectors)
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        self._keep(csr_array(parts, shape=(items, items)))


class _List:
    """The lists of some requests, whose places are given from the first to the last.

    Args:
        free: bool ``[requests, items]``, what may be listed; changes.

    Attributes:
        place: of each item, from 0, ``[requests, items]``; -1 where it has none.
        length: of each list.
    """

    def __init__(self, free: NDArray[np.bool_]) -> None:
        self.free = free
        self.place = np.full(free.shape, -1, dtype=np.int32)
        self.length = np.zeros(len(free), dtype=np.int64)

    def give(self, value: NDArray[np.floating], count: NDArray[np.int64]) -> None:
        """List so many free items of the highest values; of minus infinity none."""
        most = int(count.max(initial=0))
        if most <= 0:
            return
        items, _ = top_k(np.where(self.free, value, -np.inf).astype(np.float32), most)
        row, rank = np.nonzero((np.arange(most) < count[:, None]) & (items >= 0))
        chosen = items[row, rank]
        self.place[row, chosen] = self.length[row] + rank
        self.free[row, chosen] = False
        self.length += np.bincount(row, minlength=len(self.free))


def _scattered(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each key, as if drawn (SplitMix64, Steele et al. 2014)."""
    mixed = keys
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed ^ (mixed >> np.uint64(31))).astype(np.float64) / 2.0**64
