"""A variant of a model against its reference, over the same requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.analysis.run_groups import RunGroup
from benchmark.analysis.scores import SHOWN, RequestScores, measure
from benchmark.statistics.multiple import holm
from benchmark.statistics.paired import by_unit
from benchmark.statistics.randomisation import randomisation_test

__all__ = ["JOINT", "Change", "change_of", "corrected"]

PROTOCOL = "full"
JOINT = ("rec", "search")
DRAWS = 9999
_AT_ONCE = 2**22


@dataclass(frozen=True)
class Change:
    """NDCG@10 (whole catalogue) of a variant against its reference, over the same requests.

    Attributes:
        reference: mean of the reference; ``None`` where it was not run.
        value: mean of the variant; likewise.
        change: ``value / reference - 1``; ``None`` where one is missing or the reference is 0.
        low: lower end of its 95% bootstrap interval, by user.
        high: its upper end.
        p: of Fisher's randomisation test between both.
        p_holm: after Holm's correction over one table.
        by_seed: the change of each seed that both were run with, in order of seeds. The test asks
            whether the difference holds for other requests; this shows whether it holds for other
            trainings.
    """

    reference: float | None
    value: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    by_seed: tuple[float, ...] = ()


class _Compared(Protocol):
    @property
    def rec(self) -> Change: ...

    @property
    def search(self) -> Change: ...


_Row = TypeVar("_Row", bound=_Compared)


def change_of(reference: RunGroup | None, variant: RunGroup, task: str) -> Change:
    """Return the change of one task; parts of it are missing where a group was not asked it."""
    before, after = (_measured(group, task) for group in (reference, variant))
    means = [None if m is None else float(m.scores(SHOWN[0]).mean()) for m in (before, after)]
    if before is None or after is None or not means[0]:
        return Change(means[0], means[1])
    assert means[1] is not None
    users = after.users
    units = [by_unit(m.scores(SHOWN[0]), users) for m in (before, after)]
    low, high = _ratio_interval(*units)
    p = randomisation_test(units[1] - units[0])
    change = means[1] / means[0] - 1
    return Change(means[0], means[1], change, low, high, p, by_seed=_by_seed(before, after))


def corrected(rows: list[_Row]) -> list[_Row]:
    """Correct by Holm over all comparisons of the rows of one table, which are dataclasses."""
    changes = [change for row in rows for change in (row.rec, row.search)]
    tested = [change.p for change in changes if change.p is not None]
    adjusted = iter(holm(tested))
    done = iter([c if c.p is None else replace(c, p_holm=next(adjusted)) for c in changes])
    found: list[Any] = [replace(row, rec=next(done), search=next(done)) for row in rows]  # type: ignore[type-var]
    return found


def _measured(group: RunGroup | None, task: str) -> RequestScores | None:
    if group is None or task not in group.tasks:
        return None
    entry = group.entry(task, PROTOCOL)
    return None if entry.lacking else measure(entry, task, PROTOCOL)


def _by_seed(before: RequestScores, after: RequestScores) -> tuple[float, ...]:
    means = [
        dict(zip(m.seeds, m.by_seed[SHOWN[0]].mean(axis=1).tolist(), strict=True))
        for m in (before, after)
    ]
    common = [seed for seed in means[0] if means[0][seed] and seed in means[1]]
    return tuple(means[1][seed] / means[0][seed] - 1 for seed in common)


def _ratio_interval(
    reference: NDArray[np.float64], variant: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Return the bootstrap interval of the relative change, both resampled by the same users."""
    if np.array_equal(reference, variant):
        return 0.0, 0.0
    found = stats.bootstrap(
        (reference, variant),
        lambda a, b, axis: b.sum(axis=axis) / np.maximum(a.sum(axis=axis), 1e-12) - 1,
        paired=True,
        vectorized=True,
        n_resamples=DRAWS,
        batch=max(1, _AT_ONCE // len(reference)),
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    if not np.isfinite([found.low, found.high]).all():
        return None, None
    return float(found.low), float(found.high)
