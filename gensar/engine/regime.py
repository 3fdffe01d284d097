"""What a generator asks of the form in which it reads and learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from benchmark.data.requests import Requests, Task
from benchmark.learning.ragged import Ragged
from benchmark.model import TrainView
from gensar.engine.sequences import Inputs
from gensar.engine.targets import Step

__all__ = ["Epochs", "MakeStep", "TrainingFormat"]

MakeStep = Callable[[np.random.Generator], Step]
"""Makes a step of training; what it draws follows from random numbers of its own."""
Epochs = Callable[[np.random.Generator], Sequence[MakeStep]]
"""Gives, for an epoch's random numbers, what makes its steps, in order."""


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
