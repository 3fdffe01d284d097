"""Popularity: the least that a recommender has to beat."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, NoSettings, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work

__all__ = ["Popularity"]


class Popularity(Model[NoSettings]):
    """Counts items by their number of training events, for both tasks alike."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC, Task.SEARCH})
    uses_seed: ClassVar[bool] = False
    scores_candidates = True

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the counts."""
        return Needs(
            (Work(moved=8 * sizes.events),), Work(moved=4 * sizes.items), kept=8 * sizes.items
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(longest_history=0)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Count."""
        self.counts = np.bincount(train.log.item, minlength=len(train.items)).astype(np.float32)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return each candidate's count."""
        if requests.candidates is not None:
            return self.counts[requests.candidates]
        return np.broadcast_to(self.counts, (len(requests), len(self.counts)))

    def parameters(self) -> int:
        """Return the number of counts."""
        return len(self.counts)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the counts."""
        return {"counts": self.counts}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the counts."""
        self.counts = arrays["counts"]
