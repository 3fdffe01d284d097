"""What the parts of a model are worth: ablations, and runs with changed settings."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field

from benchmark.analysis.relative_change import JOINT, Change, changes_of, corrected
from benchmark.analysis.run_groups import RunGroup
from benchmark.analysis.scores import ScoreReader

__all__ = ["AblationTable", "ChangedSettings", "Part", "ablation_tables", "changed_settings"]


@dataclass(frozen=True)
class Part:
    """The full model (the reference) without one of its parts.

    Attributes:
        name: of the ablation, as the model calls it; ``rec only`` for a single task.
        seeds: number of its runs.
        rec: change of recommendation.
        search: change of search.
    """

    name: str
    seeds: int
    rec: Change
    search: Change


@dataclass(frozen=True)
class AblationTable:
    """A full model and its ablations.

    Attributes:
        model: its name.
        preset: of all its runs.
        changed: settings in which the full model differs from the preset, as text.
        seeds: number of runs of the full model, 0 where it was not run.
        rec: mean NDCG@10 (whole catalogue) of the full model; ``None`` where it was not run.
        search: likewise.
        parts: the ablations by name, then each task alone.
    """

    model: str
    preset: str
    changed: str
    seeds: int
    rec: float | None
    search: float | None
    parts: tuple[Part, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class ChangedSettings:
    """A model with some settings changed against the same preset without (the reference)."""

    model: str
    preset: str
    setting: str
    rec: Change
    search: Change


def ablation_tables(
    groups: list[RunGroup], reader: ScoreReader
) -> tuple[list[AblationTable], list[RunGroup]]:
    """Split off the runs that are an ablation of a model, by what they are an ablation of.

    A full model of both tasks also stands against itself trained for one of them. Those runs
    remain, as they are models of their own.

    Returns:
        the tables, and the groups that remain.
    """
    studies: dict[tuple[object, ...], list[RunGroup]] = defaultdict(list)
    main = [group for group in groups if group.ablation is None]
    for group in groups:
        if group.ablation is not None:
            studies[group.full_model].append(group)
    return [_table(parts, main, reader) for parts in studies.values()], main


def _table(parts: list[RunGroup], main: list[RunGroup], reader: ScoreReader) -> AblationTable:
    first = parts[0]
    full = next((g for g in main if g.full_model == first.full_model), None)
    alone = [
        g
        for g in main
        if len(g.tasks) < len(first.tasks) and g.full_model[:-1] == first.full_model[:-1]
    ]
    variants = [*parts, *alone]
    # The full model stands against nothing, so of itself there is a mean and no change.
    pairs = [(None, full), *((full, group) for group in variants)]
    (rec_mean, *rec), (search_mean, *search) = corrected(
        [changes_of(pairs, task, reader) for task in JOINT]
    )
    rows = [
        Part(group.ablation or f"{group.tasks[0]} only", len(group.runs), *changes)
        for group, *changes in zip(variants, rec, search, strict=True)
    ]
    return AblationTable(
        first.model,
        first.preset,
        _assignments(full.changed if full else {}),
        len(full.runs) if full else 0,
        rec_mean.value,
        search_mean.value,
        tuple(rows),
    )


def changed_settings(
    groups: list[RunGroup], reader: ScoreReader
) -> tuple[list[ChangedSettings], list[RunGroup]]:
    """Split off the groups with changed settings that stand beside the same preset unchanged.

    Settings that a search chose do not count as changed.

    Returns:
        what was split off, and the groups that remain.
    """
    plain = {
        (g.model, g.preset, g.tasks): g for g in reversed(groups) if not (g.changed or g.trials)
    }
    pairs, main = [], []
    for group in groups:
        reference = plain.get((group.model, group.preset, group.tasks))
        if not group.changed or group.trials or not reference:
            main.append(group)
        else:
            pairs.append((reference, group))
    rec, search = corrected([changes_of(pairs, task, reader) for task in JOINT])
    rows = [
        ChangedSettings(group.model, group.preset, _assignments(group.changed), *changes)
        for (_, group), *changes in zip(pairs, rec, search, strict=True)
    ]
    return rows, main


def _assignments(changed: dict[str, object]) -> str:
    return ", ".join(f"{name}={_plain(value)}" for name, value in sorted(changed.items()))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
