"""EASE: an item-item matrix in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_array

from baselines.histories import distinct_events, recency_weights
from benchmark.data.requests import Requests, Task
from benchmark.errors import RefusedError
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Choice, Dimension, Range
from benchmark.settings import setting

__all__ = ["EASE", "EASESettings"]

_BLOCK = 1024


@dataclass(frozen=True)
class EASESettings:
    """Settings of :class:`EASE`."""

    l2: float = setting(500.0, "regularisation; sparse data want less", low=1e-3)
    recency: float = setting(
        1.0, "factor for each step that an item of the history lies back", low=0.01, high=1.0
    )


class EASE(Model[EASESettings]):
    """Embarrassingly shallow autoencoder (Steck 2019, equation 8).

    Weights ``B`` between items solve ``min |X - X B|^2 + l2 |B|^2`` with a diagonal of zeros, where
    ``X`` tells who took what. The order of a history is read only where ``recency`` is below 1.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    uses_seed: ClassVar[bool] = False
    Settings = EASESettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "l2": Range(10.0, 2000.0, log=True),
        "recency": Choice((0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)),
    }

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell one dense matrix between items, and the sparse one that it is made of."""
        dense = 4.0 * sizes.items**2
        pairs = min(float(sizes.meetings), float(sizes.items) ** 2)
        history = sizes.mean_window(sizes.busiest)
        return Needs(
            (Work(flop=float(sizes.items) ** 3, moved=40 * pairs + 8 * dense, held=24 * pairs),),
            Work(flop=2 * history * sizes.items, moved=8 * sizes.items),
            kept=dense,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given()

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Invert the items' Gram matrix.

        Raises:
            RefusedError: it cannot be inverted in 32 bits.
        """
        users = _taken(train)
        gram = csr_array(users.T @ users).toarray(order="F")
        gram[np.diag_indices_from(gram)] += np.float32(self.settings.l2)
        factor, failed = spotrf(gram, lower=True, clean=False, overwrite_a=True)
        if failed:
            raise RefusedError(f"l2 {self.settings.l2:g} is too little for these data")
        inverse, _ = spotri(factor, lower=True, overwrite_c=True)
        _mirror(inverse)
        diagonal = inverse.diagonal().copy()
        inverse /= -diagonal
        np.fill_diagonal(inverse, 0)
        self.weights = np.ascontiguousarray(inverse)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the weights' sum over the history; 0 for everything where there is none."""
        history = recency_weights(requests, np.log(self.settings.recency))
        return requests.of_candidates(np.asarray(history @ self.weights))

    def parameters(self) -> int:
        """Return the number of weights."""
        return self.weights.size

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights."""
        return {"weights": self.weights}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weights."""
        self.weights = arrays["weights"]


def _taken(train: TrainView) -> csr_array:
    """Return 1 where a user did anything with an item, ``[users, items]``."""
    offsets, items = distinct_events(train.log.offsets, train.log.item, len(train.items))
    ones = np.ones(len(items), dtype=np.float32)
    return csr_array((ones, items, offsets), shape=(train.log.users, len(train.items)))


def _mirror(lower: NDArray[np.float32]) -> None:
    """Let the upper triangle be that of the lower one, a block at a time."""
    for start in range(0, len(lower), _BLOCK):
        part = slice(start, start + _BLOCK)
        lower[part, start + _BLOCK :] = lower[start + _BLOCK :, part].T
        own = lower[part, part]
        own[...] = np.tril(own) + np.tril(own, -1).T
