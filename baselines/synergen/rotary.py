"""Rotary positions: half of a head's dimensions turn with time, half with the index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.events import EventLog

__all__ = ["Clock", "Rotation", "rotate"]

DAY = 86_400.0
"""Seconds; the unit of the clock ``days``."""
YEARS = 4.0
"""Longest wavelength of the clock ``days``, in years."""
LONGEST_INDEX_WAVE = 2000.0
"""Longest wavelength of the index, in events; a few times the largest window."""


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines of the angles, each ``[rows, 1, tokens, head dimensions / 2]``."""

    cosine: Tensor
    sine: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Rotation:
        """Return the rotation with both arrays changed alike."""
        return Rotation(change(self.cosine), change(self.sine))


@dataclass(frozen=True)
class Clock:
    """Shortest and longest wavelength of the rotation by time, in the log's unit of time."""

    shortest: float
    longest: float

    @classmethod
    def of(cls, log: EventLog, kind: Literal["gaps", "days"]) -> Clock:
        """Return the clock that fits a log, or one that counts its times as seconds.

        With ``gaps`` the shortest wave is four median gaps between neighbouring events of a user
        (ties left out) and the longest is four times the longest history, so that a rotation by
        either is a quarter turn: past that a cosine no longer tells near from far. It needs no
        knowledge of the unit, which in some sources is the event's position.
        """
        if kind == "days":
            return cls(DAY, YEARS * 365 * DAY)
        gaps = np.diff(log.time)[np.diff(log.user) == 0]
        gaps = gaps[gaps > 0]
        if len(gaps) == 0:
            return cls(1.0, 1.0)
        used = np.flatnonzero(np.diff(log.offsets))
        spans = log.time[log.offsets[used + 1] - 1] - log.time[log.offsets[used]]
        return cls(4 * float(np.median(gaps)), 4 * float(spans.max()))

    def rotation(
        self,
        time: NDArray[np.int64],
        index: NDArray[np.int64],
        origin: NDArray[np.int64],
        size: int,
        device: str,
    ) -> Rotation:
        """Return the rotation of tokens at ``time`` and ``index``, both ``[rows, tokens]``.

        Args:
            time: in the log's unit.
            index: number of earlier events that the token may read.
            origin: ``[rows]``, the time that turns nothing; it cancels in attention and keeps
                the angles small.
            size: dimensions of a head, a multiple of 4.
            device: where the result is to be.
        """
        count = size // 4
        by_time = 2 * np.pi / np.geomspace(self.shortest, self.longest, count)
        by_index = 2 * np.pi / np.geomspace(2 * np.pi, LONGEST_INDEX_WAVE, count)
        past = (time - origin[:, None]).astype(np.float64)
        # Angles in double precision: seconds over years leave float32 no digits for a short wave.
        angles = np.concatenate(
            [past[..., None] * by_time, index.astype(np.float64)[..., None] * by_index], axis=-1
        )[:, None]
        return Rotation(
            torch.as_tensor(np.cos(angles).astype(np.float32), device=device),
            torch.as_tensor(np.sin(angles).astype(np.float32), device=device),
        )


def rotate(values: Tensor, by: Rotation) -> Tensor:
    """Turn pairs of dimensions of ``values``, ``[rows, heads, tokens, head dimensions]``."""
    first, second = values.chunk(2, dim=-1)
    return torch.cat(
        [first * by.cosine - second * by.sine, first * by.sine + second * by.cosine], dim=-1
    )
