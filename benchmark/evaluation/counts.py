"""What evaluation keeps of an answer: the place of each relevant item among the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.tie_groups import TieGroups

__all__ = ["Counts"]


@dataclass(frozen=True)
class Counts:
    """A row for each relevant item of each request, all ``[rows]``.

    Every metric is computed from these columns. A relevant item that cannot be produced, as it does
    not stand in the candidates that the data gives, has ``greater == candidates`` and
    ``tied == 0``; for all others ``greater + tied < candidates``.

    Attributes:
        request: int64, ascending, 0, 1, … without a gap.
        gain: float64, the grade of the item; one of 0 is not relevant.
        greater: int32, other candidates scored strictly above it, relevant ones included.
        tied: int32, other candidates scored equal to it, relevant ones included.
        candidates: int32, all candidates of the request, relevant ones included.
    """

    request: NDArray[np.int64]
    gain: NDArray[np.float64]
    greater: NDArray[np.int32]
    tied: NDArray[np.int32]
    candidates: NDArray[np.int32]

    @classmethod
    def of_table(cls, columns: Mapping[str, Any]) -> Counts:
        """Take the columns of the same names, of a data frame for example.

        Requests must stand together; they are numbered anew, 0, 1, … in their order.
        """
        request = np.asarray(columns["request"], dtype=np.int64)
        first = np.diff(request, prepend=request[:1] - 1) != 0
        return cls(
            request=np.cumsum(first) - 1,
            gain=np.asarray(columns["gain"], dtype=np.float64),
            **{
                name: np.asarray(columns[name], dtype=np.int32)
                for name in ("greater", "tied", "candidates")
            },
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Counts]) -> Counts:
        """Return one after the other; requests of later parts already go on counting."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    @property
    def requests(self) -> int:
        """Number of requests."""
        return int(self.request[-1]) + 1 if len(self.request) else 0

    @cached_property
    def relevant(self) -> NDArray[np.int64]:
        """Number of relevant items of each request, produced or not, ``[requests]``."""
        return np.bincount(self.request, self.gain > 0, minlength=self.requests).astype(np.int64)

    @cached_property
    def tie_groups(self) -> TieGroups:
        """The relevant items by groups of equal score, without those that cannot be produced."""
        rows = (self.gain > 0) & (self.greater < self.candidates)
        return TieGroups.of_rows(self.request[rows], self.greater[rows], self.tied[rows])

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over each request's rows, ``[requests]``."""
        return np.bincount(self.request, values, minlength=self.requests).astype(np.float64)
