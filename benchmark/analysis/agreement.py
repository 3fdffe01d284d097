"""Whether two data sets, or two splits of one, put the same models in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import kendalltau

from benchmark.analysis.tables import Table, finite
from benchmark.statistics.paired import LEVEL

__all__ = ["FEWEST", "Agreement", "Order", "agreement"]

FEWEST = 5
"""Models in common, below which no order differs significantly from one drawn by lot."""


@dataclass(frozen=True)
class Agreement:
    """Two orders of the same models by NDCG@10.

    Attributes:
        other: the data set that the other order is of.
        task: the task.
        models: number of models that stand in both.
        tau: Kendall's tau-b, -1 to 1; ``None`` where one of them holds equals only.
        p: that orders which have nothing to do with each other come out as much alike, or ``None``.
        same: pairs of models that both tables tell apart, and the same way round.
        opposite: and the other way round.
    """

    other: str
    task: str
    models: int
    tau: float | None
    p: float | None
    same: int
    opposite: int


@dataclass(frozen=True)
class Order:
    """Models of one table.

    Attributes:
        means: by model.
        apart: the pairs of models that the table tells apart, the better first.
    """

    means: Mapping[str, float]
    apart: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, table: Table | None) -> Order:
        """Return the order of a table's models; of no table that of none."""
        if table is None:
            return cls({}, frozenset())
        means = {row.entry.label: row.mean for row in table.rows if row.mean is not None}
        apart = ((pair.a, pair.b) for pair in table.pairs if pair.p_holm < LEVEL)
        return cls(means, frozenset(apart))


def agreement(here: Order, there: Order, task: str, other: str) -> Agreement | None:
    """Compare two orders of models; ``None`` where fewer than :data:`FEWEST` stand in both.

    Args:
        here: one of them.
        there: the one of the data set ``other``.
        task: of both.
        other: name of the other data set.
    """
    common = [name for name in here.means if name in there.means]
    if len(common) < FEWEST:
        return None
    found = kendalltau([here.means[n] for n in common], [there.means[n] for n in common])
    turned = {(b, a) for a, b in there.apart}
    return Agreement(
        other=other,
        task=task,
        models=len(common),
        tau=finite(float(found.statistic)),
        p=finite(float(found.pvalue)),
        same=len(here.apart & there.apart),
        opposite=len(here.apart & turned),
    )
