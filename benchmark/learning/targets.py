"""What the positions of sequences predict, strictly in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.events import EventLog

__all__ = ["Targets"]


@dataclass(frozen=True)
class Targets:
    """What the positions of a batch predict; both are ``[rows, positions]``.

    Attributes:
        item: int64, the item to be predicted, -1 where there is none.
        place: int64, the position whose state predicts it.
    """

    item: Tensor
    place: Tensor

    @classmethod
    def of_rows(
        cls,
        log: EventLog,
        rows: NDArray[np.int64],
        predicted: NDArray[np.bool_],
        steps: NDArray[np.int64],
        device: str,
    ) -> Targets:
        """Return the targets among the events at ``rows`` (``[n, positions]``).

        An event whose moment began before its stretch is none: its state would read nothing of
        what is earlier.

        Args:
            log: the events.
            rows: padded with ``PAD`` on the right.
            predicted: which of them are to be predicted.
            steps: positions before its own at which each event of the log is predicted.
            device: where the tensors go.
        """
        safe = np.maximum(rows, 0)
        place = np.arange(rows.shape[1]) - steps[safe]
        # Position 0 reads nothing: right only where the stretch begins with the user's first event.
        real = predicted & ((place > 0) | ((place == 0) & predicted[:, :1]))
        item = np.where(real, log.item[safe], -1).astype(np.int64)
        return cls(torch.as_tensor(item, device=device), torch.as_tensor(place, device=device))
