"""Listening to what a model answers while it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmark.data import evaluation_set as data

__all__ = ["Observer"]


class Observer(Protocol):
    """Is told the best candidates of every request of one task."""

    @property
    def depths(self) -> Mapping[data.Protocol, int]:
        """How many candidates it wants by protocol; of others it is told nothing.

        Of a model that retrieves it is told no more than evaluation asks for, as with more the
        answer might be another.
        """
        ...

    def hear(
        self,
        protocol: data.Protocol,
        first_request: int,
        items: NDArray[np.int32],
        scores: NDArray[np.float32],
    ) -> None:
        """Take the answers to consecutive requests.

        Args:
            protocol: how they were asked.
            first_request: number of the first of them; each protocol's calls are in order.
            items: ``[requests, k]``, best first, ``PAD`` where nothing more was produced.
            scores: ``[requests, k]``, minus infinity where nothing more was produced.
        """
        ...
