"""Reciprocal rank fusion of word search and dense search (Cormack, Clarke, Buettcher 2009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from baselines.bm25 import BM25, BM25Settings
from baselines.dense import Dense, DenseSettings
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import SCORES_AT_ONCE, Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, in_turn
from benchmark.search_space import Dimension, Range
from benchmark.settings import setting

__all__ = ["Hybrid", "HybridSettings", "reciprocal_ranks"]


@dataclass(frozen=True)
class HybridSettings(BM25Settings, DenseSettings):
    """Settings of :class:`Hybrid`: those of both parts, and the fusion's own."""

    constant: float = setting(60.0, "is added to ranks: the higher, the less a first place counts")


class Hybrid(Model[HybridSettings]):
    """Adds up reciprocal ranks in the lists of ``bm25`` and ``dense``."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    Settings = HybridSettings
    uses_gpu = True
    shares_training = True
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        **BM25.search_space,
        **Dense.search_space,
        "constant": Range(1.0, 100.0, log=True),
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = Dense.presets

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        # Each part reads its own share of the settings.
        self.parts: dict[str, Model] = {
            "bm25": BM25(self.settings),
            "dense": Dense(self.settings),
        }

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse what either part refuses."""
        for part in self.parts.values():
            part.check(train, tasks)

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell what both parts need; ranks are sorted in double precision."""
        told = {name: part.needs(sizes, tasks) for name, part in self.parts.items()}
        words, dense = told["bm25"], told["dense"]
        if words is None or dense is None:
            return None
        request = in_turn(dense.request, words.request)
        ranks = 6 * 8 * sizes.at_once * sizes.items
        return Needs(
            (
                in_turn(*words.fit).named("bm25"),
                in_turn(*dense.fit).named("dense"),
            ),
            replace(request, moved=request.moved + 200 * sizes.items, held=request.held + ranks),
            kept=words.kept + dense.kept,
            libraries=dense.libraries,
        )

    def given(self) -> Given | None:
        """Tell what it reads."""
        return self.parts["dense"].given()

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Fit both parts, each for itself."""
        for name, part in self.parts.items():
            with context.run_log.phase(name):
                part.fit(train, validation, context)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the sum of ``1 / (constant + rank)`` over both parts.

        Counts are those of the whole catalogue, so that a candidate's score does not hang on the
        other candidates.
        """
        whole = replace(requests, candidates=None)
        ranks = [
            reciprocal_ranks(p.score(whole), self.settings.constant) for p in self.parts.values()
        ]
        scores = np.sum(ranks, axis=0).astype(np.float32)
        return requests.of_candidates(scores)

    def parameters(self) -> int:
        """Return the number of the encoder's weights."""
        return sum(part.parameters() for part in self.parts.values())

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the states of both parts."""
        arrays: dict[str, NDArray] = {}
        values: dict[str, Any] = {}
        for name, part in self.parts.items():
            own, values[name] = part.state()
            arrays.update({f"{name}.{key}": array for key, array in own.items()})
        return arrays, values

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the states of both parts."""
        for name, part in self.parts.items():
            start = f"{name}."
            own = {k[len(start) :]: a for k, a in arrays.items() if k.startswith(start)}
            part.restore(own, values[name])


def reciprocal_ranks(scores: NDArray[np.float32], constant: float) -> NDArray[np.float64]:
    """Return ``1 / (constant + rank)`` of each score in its row, ``[requests, items]``.

    The highest score has rank 1; equal scores share the mean of the ranks that they take up.
    """
    ranks = np.empty(scores.shape)
    step = max(1, SCORES_AT_ONCE // max(scores.shape[1], 1))
    for start in range(0, len(scores), step):
        rows = slice(start, start + step)
        ranks[rows] = rankdata(-scores[rows], method="average", axis=1)
    return np.asarray(1 / (constant + ranks))
