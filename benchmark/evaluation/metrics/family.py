"""How a metric is declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import Counts

__all__ = ["CUTOFFS", "Direction", "Family", "ListMetric", "Metric", "TopLists"]

Direction = Literal["higher", "lower", "neither"]

CUTOFFS = (1, 5, 10, 20)
"""The cutoffs that every run states."""


@dataclass(frozen=True)
class Family:
    """A metric of the relevant items' ranks, of any cutoff.

    Attributes:
        name: canonical, as in ``run.json`` without the cutoff: ``ndcg``.
        title: as ir_measures and papers write it: ``nDCG``.
        aliases: other names that are understood.
        summary: one line; ``{k}`` stands for the cutoff.
        reference: where it is defined.
        expected: ``(counts, cutoff)`` to the value of each request, float64 ``[requests]``, in
            [0, 1], in expectation over all orders of tied candidates.
        direction: which values are better.
        cutoffs: the parameter's values that every run states; any other may be asked for.
    """

    name: str
    title: str
    summary: str
    reference: str
    expected: Callable[[Counts, int], NDArray[np.float64]]
    aliases: tuple[str, ...] = ()
    direction: Direction = "higher"
    cutoffs: tuple[int, ...] = CUTOFFS


@dataclass(frozen=True)
class Metric:
    """A metric at one cutoff.

    Attributes:
        family: the metric.
        cutoff: ranks beyond it count nothing.
    """

    family: Family
    cutoff: int

    @property
    def name(self) -> str:
        """Canonical name, ``ndcg@10``."""
        return f"{self.family.name}@{self.cutoff}"

    @property
    def title(self) -> str:
        """Name as ir_measures writes it, ``nDCG@10``."""
        return f"{self.family.title}@{self.cutoff}"

    @property
    def summary(self) -> str:
        """One line for people."""
        return self.family.summary.format(k=self.cutoff)

    def values(self, counts: Counts) -> NDArray[np.float64]:
        """Return the value of each request, ``[requests]``."""
        return self.family.expected(counts, self.cutoff)


@dataclass(frozen=True)
class TopLists:
    """What a run shows to users: the best items of each request.

    Attributes:
        items: int32 ``[requests, 10]``, ``PAD`` where nothing was produced.
        training_events: int64 ``[catalogue]``, training events of each item.
    """

    items: NDArray[np.int32]
    training_events: NDArray[np.int64]

    def exposure(self) -> NDArray[np.int64]:
        """Return in how many lists each item of the catalogue stands, ``[catalogue]``."""
        shown = self.items[self.items >= 0]
        return np.bincount(shown, minlength=len(self.training_events))


@dataclass(frozen=True)
class ListMetric:
    """A metric of all lists of a run together, whatever is relevant.

    Attributes:
        name: as in ``run.json``: ``coverage@10``.
        summary: one line.
        reference: where it is defined.
        direction: which values are better.
        value: of all lists of one task and protocol.
    """

    name: str
    summary: str
    reference: str
    direction: Direction
    value: Callable[[TopLists], float]
