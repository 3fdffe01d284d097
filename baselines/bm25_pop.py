"""BM25 and popularity: what a personalised search has to beat without knowing the user."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baselines.bm25 import BM25, BM25Settings
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, in_turn
from benchmark.settings import setting

__all__ = ["GRID", "BM25Pop", "BM25PopSettings"]

GRID = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
"""The weights that ``fit`` tries, ascending."""


@dataclass(frozen=True)
class BM25PopSettings(BM25Settings):
    """Settings of :class:`BM25Pop`."""

    weight: float | None = setting(None, "of log(1 + training events); none: validation chooses")


class BM25Pop(Model[BM25PopSettings]):
    """The BM25 score plus ``weight * log(1 + n)``, with n the item's number of training events."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    uses_seed: ClassVar[bool] = False
    Settings = BM25PopSettings
    search_space = BM25.search_space

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.words = BM25(self.settings)
        self.weight = self.settings.weight or 0.0

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse what word search refuses."""
        self.words.check(train, tasks)

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the index, and the validations that choose the weight."""
        words = self.words.needs(sizes, tasks)
        tried = len(GRID) * sizes.requests("validation", (Task.SEARCH,))
        chosen = words.request * (tried if self.settings.weight is None else 0)
        return replace(words, fit=(in_turn(*words.fit, chosen),))

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(item_text=True, query_text=True, rec_targets="")

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Index, count, and choose the weight on validation where it is not given."""
        self.words.fit(train, validation, context)
        counts = np.bincount(train.log.item, minlength=len(train.items))
        self.popularity = np.log1p(counts).astype(np.float32)
        if self.settings.weight is None:
            self.weight = self._best_weight(validation, context)

    def _best_weight(self, validation: Validation, context: TrainingContext) -> float:
        """Return the best weight of the grid; the smallest of equally good ones."""
        found = {}
        for weight in GRID:
            self.weight = weight
            measured = validation.measure(self)
            found[weight] = measured.get(str(Task.SEARCH), 0.0)
        best = max(found, key=found.__getitem__)
        context.run_log.facts["weight"] = best
        context.run_log.facts["validation_by_weight"] = {str(w): v for w, v in found.items()}
        return best

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the weighted sum."""
        own = (
            self.popularity if requests.candidates is None else self.popularity[requests.candidates]
        )
        return self.words.score(requests) + np.float32(self.weight) * own

    def parameters(self) -> int:
        """Return the number of counts and the weight."""
        return len(self.popularity) + 1

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the index, the logarithms and the weight."""
        arrays, values = self.words.state()
        return {**arrays, "popularity": self.popularity}, {"weight": self.weight, "bm25": values}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the index, the logarithms and the weight."""
        index = dict(arrays)
        self.popularity = index.pop("popularity")
        self.weight = values["weight"]
        self.words.restore(index, values["bm25"])
