"""What a joint model gains or loses by serving both tasks, and what its parts are worth."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.evaluation.multiple import holm
from benchmark.evaluation.paired import by_unit
from benchmark.evaluation.randomisation import randomisation_test
from benchmark.report.entries import Group
from benchmark.report.measured import SHOWN, Measured, measure

__all__ = ["Ablation", "Change", "TradeOff", "ablations", "trade_offs"]

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
    """

    reference: float | None
    value: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class TradeOff:
    """A joint model against itself trained for one task alone (the reference).

    ``harmonic`` is the harmonic mean of both NDCG@10 of the joint model.
    """

    label: str
    rec: Change
    search: Change
    harmonic: float | None


@dataclass(frozen=True)
class Ablation:
    """A model with some settings changed against the same preset without (the reference)."""

    model: str
    preset: str
    setting: str
    rec: Change
    search: Change


def trade_offs(groups: list[Group]) -> list[TradeOff]:
    """Compare each joint group with the groups of one task that are like it in all else."""
    found = []
    for joint in (group for group in groups if set(group.tasks) == set(JOINT)):
        changes = []
        for task in JOINT:
            single = [
                g
                for g in groups
                if g.tasks == (task,)
                and (g.model, g.preset, g.settings) == (joint.model, joint.preset, joint.settings)
            ]
            changes.append(_change(single[0] if single else None, joint, task))
        values = [change.value for change in changes]
        found.append(TradeOff(joint.label, changes[0], changes[1], _harmonic(values)))
    return _corrected(found)


def ablations(groups: list[Group]) -> tuple[list[Ablation], list[Group]]:
    """Split off the groups with changed settings that stand beside the same preset unchanged.

    Settings that a search chose are no ablation.

    Returns:
        the ablations, and the groups that remain.
    """
    found, main = [], []
    for group in groups:
        reference = [
            g
            for g in groups
            if not (g.changed or g.trials)
            and (g.model, g.preset, g.tasks) == (group.model, group.preset, group.tasks)
        ]
        if not group.changed or group.trials or not reference:
            main.append(group)
            continue
        setting = ", ".join(f"{k}={_plain(v)}" for k, v in sorted(group.changed.items()))
        changes = [_change(reference[0], group, task) for task in JOINT]
        found.append(Ablation(group.model, group.preset, setting, changes[0], changes[1]))
    return _corrected(found), main


_Compared = TypeVar("_Compared", TradeOff, Ablation)


def _corrected(found: list[_Compared]) -> list[_Compared]:
    """Correct by Holm over all comparisons of one table."""
    changes = [change for each in found for change in (each.rec, each.search)]
    tested = [change.p for change in changes if change.p is not None]
    adjusted = iter(holm(tested))
    done = iter([c if c.p is None else replace(c, p_holm=next(adjusted)) for c in changes])
    return [replace(each, rec=next(done), search=next(done)) for each in found]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _harmonic(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return 2 * known[0] * known[1] / (known[0] + known[1]) if sum(known) else 0.0


def _change(reference: Group | None, variant: Group, task: str) -> Change:
    before, after = (_measured(group, task) for group in (reference, variant))
    means = [None if m is None else float(m.scores(SHOWN[0]).mean()) for m in (before, after)]
    if before is None or after is None or not means[0]:
        return Change(means[0], means[1])
    assert means[1] is not None
    users = after.users
    units = [by_unit(m.scores(SHOWN[0]), users) for m in (before, after)]
    low, high = _ratio_interval(*units)
    p = randomisation_test(units[1] - units[0])
    return Change(means[0], means[1], means[1] / means[0] - 1, low, high, p)


def _measured(group: Group | None, task: str) -> Measured | None:
    if group is None or task not in group.tasks:
        return None
    entry = group.entry(task, PROTOCOL)
    return None if entry.lacking else measure(entry, task, PROTOCOL)


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
