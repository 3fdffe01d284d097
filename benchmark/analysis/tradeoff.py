"""What a joint model gains or loses by serving both tasks."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.analysis.relative_change import JOINT, Change, changes_of, corrected
from benchmark.analysis.run_groups import RunGroup
from benchmark.analysis.scores import ScoreReader

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


def trade_offs(groups: list[RunGroup], reader: ScoreReader) -> list[TradeOff]:
    """Compare each joint group with the groups of one task that are like it in all else."""
    joint = [group for group in groups if set(group.tasks) == set(JOINT)]
    single = {(g.tasks, g.model, g.preset, g.settings): g for g in reversed(groups)}
    changes = [
        changes_of(
            [(single.get(((task,), g.model, g.preset, g.settings)), g) for g in joint], task, reader
        )
        for task in JOINT
    ]
    rec, search = corrected(changes)
    return [
        TradeOff(group.label, of_rec, of_search, _harmonic([of_rec.value, of_search.value]))
        for group, of_rec, of_search in zip(joint, rec, search, strict=True)
    ]


def _harmonic(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return 2 * known[0] * known[1] / (known[0] + known[1]) if sum(known) else 0.0
