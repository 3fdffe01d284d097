"""What a generator asks of the form in which it reads and learns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from benchmark.data.requests import Requests, Task
from benchmark.learning.ragged import Ragged
from benchmark.model import TrainView
from gensar.engine.sequences import Inputs
from gensar.engine.targets import Step

__all__ = ["Epochs", "TrainingFormat"]

Epochs = Callable[[np.random.Generator], tuple[int, Iterator[Step]]]
"""Gives, for an epoch's random numbers, its number of steps and the steps."""


class TrainingFormat(Protocol):
    """How requests become inputs and training events become steps."""

    @property
    def causal(self) -> bool:
        """Whether an input position sees only what stands before it."""
        ...

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from.

        ``words`` are the text pieces of every query in the query table.
        """
        ...

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return what the epochs of training on ``tasks`` are made from."""
        ...
