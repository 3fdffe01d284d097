"""Models that know nothing: they show what the metrics give for it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.model import Model, NoSettings, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work

__all__ = ["Constant", "Random"]

BOTH = frozenset({Task.REC, Task.SEARCH})


class Constant(Model[NoSettings]):
    """Gives everything the same score, so that every metric is its expectation under ties."""

    tasks: ClassVar[frozenset[Task]] = BOTH
    uses_seed: ClassVar[bool] = False

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the zeros of a batch."""
        return Needs((), Work(moved=4 * sizes.items, held=4 * sizes.at_once * sizes.items))

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(rec_targets="")

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Learn nothing."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return zeros."""
        return np.zeros(_candidates(requests).shape, dtype=np.float32)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take nothing."""


class Random(Model[NoSettings]):
    """Scores by a hash of seed, user, time, query and item.

    A hash rather than a generator: the score of a candidate depends neither on the batch that it
    is asked in nor on the other candidates.
    """

    tasks: ClassVar[frozenset[Task]] = BOTH
    seed = 0

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the hashes of a batch, of which a few copies live at a time."""
        scores = sizes.at_once * sizes.items
        return Needs((), Work(moved=10 * 8 * sizes.items, held=4 * 8 * scores))

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(rec_targets="")

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Remember the seed."""
        self.seed = context.seed

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return numbers that look uniform on [0, 1)."""
        asked = _mix(np.full(len(requests), self.seed, dtype=np.uint64))
        for column in (requests.user, requests.time, requests.query):
            asked = _mix(asked ^ column.astype(np.int64).view(np.uint64))
        hashed = _mix(asked[:, None] ^ _candidates(requests).astype(np.uint64))
        return (hashed >> np.uint64(40)).astype(np.float32) / np.float32(2**24)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the seed."""
        return {}, {"seed": self.seed}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the seed."""
        self.seed = int(values["seed"])


def _candidates(requests: Requests) -> NDArray[np.int32]:
    if requests.candidates is not None:
        return requests.candidates
    everything = np.arange(requests.items, dtype=np.int32)
    return np.broadcast_to(everything, (len(requests), requests.items))


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread 64-bit numbers as splitmix64 does (Steele, Lea and Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
