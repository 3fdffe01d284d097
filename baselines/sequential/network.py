"""What a network that reads sequences of items is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["ReadsSequences", "SequenceNetwork", "Sequences"]


@dataclass(frozen=True)
class Sequences:
    """Events of some users, oldest first and padded on the right, int64 ``[rows, positions]``.

    Attributes:
        items: rows of the embedding table: 1 more than the item's number; 0 pads.
        times: of the events, in the log's unit.
        asked: the time of what each position's state answers: of the event behind it, or of the
            request.
    """

    items: Tensor
    times: Tensor
    asked: Tensor

    @classmethod
    def of(
        cls,
        items: NDArray[np.integer],
        times: NDArray[np.int64],
        asked: NDArray[np.int64],
        device: str,
    ) -> Sequences:
        """Return sequences of numbers of items, padded with -1, on a device."""
        shifted = items.astype(np.int64) + 1
        return cls(*(torch.as_tensor(each, device=device) for each in (shifted, times, asked)))


class ReadsSequences(Protocol):
    """Gives every position of a sequence a state."""

    def states_of(self, sequences: Sequences) -> Tensor:
        """Return the states of every position, ``[rows, positions, width]``."""
        ...


class SequenceNetwork(nn.Module, ABC):
    """Gives every position of a sequence a state; an item's score is its product with a vector.

    The state of a position depends on no item behind it.
    """

    @abstractmethod
    def states_of(self, sequences: Sequences) -> Tensor:
        """Return the states of every position, ``[rows, positions, width]``.

        There are at most as many positions as the network was made for. Those of padding mean
        nothing, but of a row that holds nothing else the first one is the state without a history.
        """

    @abstractmethod
    def item_table(self) -> Tensor:
        """Return the vectors that states are multiplied with, ``[items, width]``."""
