"""What a joint model gains or loses by serving both tasks."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.relative_change import JOINT, Change, change_of, corrected
from benchmark.analysis.run_groups import RunGroup

__all__ = ["TradeOff", "trade_offs"]


@dataclass(frozen=True)
class TradeOff:
    """A joint model against itself trained for one task alone (the reference).

    ``harmonic`` is the harmonic mean of both NDCG@10 of the joint model.
    """

    label: str
    rec: Change
    search: Change
    harmonic: float | None


def trade_offs(groups: list[RunGroup]) -> list[TradeOff]:
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
            changes.append(change_of(single[0] if single else None, joint, task))
        values = [change.value for change in changes]
        found.append(TradeOff(joint.label, changes[0], changes[1], _harmonic(values)))
    return corrected(found)


def _harmonic(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return 2 * known[0] * known[1] / (known[0] + known[1]) if sum(known) else 0.0
