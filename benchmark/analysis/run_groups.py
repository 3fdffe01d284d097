"""Runs that differ in their seed only make one entry of a leaderboard."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from benchmark.given import Given
from benchmark.results.record import RunRecord

__all__ = ["Entry", "RunGroup", "group_runs", "labelled", "ran"]


@dataclass(frozen=True)
class Entry:
    """The runs of one model with the same settings and tasks, one for each seed.

    ``trials`` is the size of the search that chose the settings, 0 where none did; ``lacking`` of
    the runs were not asked by the protocol of the table.
    """

    label: str
    preset: str
    trials: int
    runs: tuple[RunRecord, ...]
    lacking: int = 0

    @property
    def fit_seconds(self) -> float | None:
        """Mean time to train; ``None`` for what was trained elsewhere."""
        times = [p["seconds"] for r in self.runs for p in r.info["phases"] if p["name"] == "fit"]
        return float(np.mean(times)) if times else None

    @property
    def capped(self) -> bool:
        """Whether the cap of the budget ended a training, so that it might have gone on to rise."""
        return any(t["stopped_by"] == "cap" for run in self.runs for t in _trainings(run))

    @property
    def last_doubling(self) -> float | None:
        """By what share the last doubling of a training's steps had raised its validation.

        The mean over seeds, of each the training that was rising most; ``None`` where no record
        tells.
        """
        each = (
            [t["last_doubling"] for t in _trainings(run) if t["last_doubling"] is not None]
            for run in self.runs
        )
        rises = [max(found) for found in each if found]
        return float(np.mean(rises)) if rises else None

    @property
    def uses_seed(self) -> bool:
        """Whether another seed may give another model; else one run says what any would."""
        return any(run.info.get("uses_seed", True) for run in self.runs)

    @property
    def given(self) -> Given | None:
        """What the model reads; ``None`` where it does not declare it."""
        told = self.runs[0].info.get("given")
        return None if told is None else Given(**told)

    @property
    def parameters(self) -> int | None:
        """Number of weights; ``None`` where it is not known."""
        parameters: int | None = self.runs[0].info["parameters"]
        return parameters


def _trainings(run: RunRecord) -> list[dict[str, Any]]:
    """Return what a record tells of its trainings; those before there was a budget tell nothing."""
    return [*run.info["facts"].get("trainings", {}).values()]


@dataclass(frozen=True)
class RunGroup:
    """All runs of one model with the same settings and tasks, by seed, the best to use last.

    Attributes:
        label: model, and what sets it apart from other groups of the model.
        model: name of the model.
        preset: what the settings were filled from.
        settings: all settings as JSON.
        tasks: what it was trained for.
        changed: the settings that differ from the preset's.
        trials: of the search that chose the settings, 0 where none did.
        ablation: the name of the part that the model was trained without, ``None`` for a whole one.
        full: the settings that the ablation changed, as the full model has them.
        runs: by seed, oldest first.
    """

    label: str
    model: str
    preset: str
    settings: str
    tasks: tuple[str, ...]
    changed: dict[str, object]
    trials: int
    ablation: str | None
    full: dict[str, object]
    runs: dict[int, list[RunRecord]]

    @property
    def full_model(self) -> tuple[object, ...]:
        """What the group and the model that it is an ablation of have in common, tasks last."""
        settings = json.loads(self.settings) | self.full
        whole = json.dumps(settings, sort_keys=True)
        return self.model, self.preset, whole, bool(self.trials), self.tasks

    def entry(self, task: str, protocol: str) -> Entry:
        """Take each seed's last run that was asked by the protocol, else its last run."""
        runs, lacking = [], 0
        for seed in sorted(self.runs):
            able = [run for run in self.runs[seed] if ran(run, task, protocol)]
            lacking += not able
            runs.append((able or self.runs[seed])[-1])
        return Entry(self.label, self.preset, self.trials, tuple(runs), lacking)


def ran(run: RunRecord, task: str, protocol: str) -> bool:
    """Return whether the run was asked so."""
    return protocol in run.info["metrics"].get(task, {})


def group_runs(records: Iterable[RunRecord]) -> list[RunGroup]:
    """Group runs that differ in their seed only; the label of each is still its model alone.

    Of several runs of a request, with several versions of the code, what finished last comes last.
    """
    groups: dict[_Request, dict[int, list[RunRecord]]] = defaultdict(dict)
    for record in sorted(records, key=_age):
        groups[_request(record.info)].setdefault(record.info["seed"], []).append(record)
    unlabelled = []
    for request in sorted(groups, key=str):
        runs = groups[request]
        last = next(iter(runs.values()))[-1].info
        unlabelled.append(
            RunGroup(
                request.model,
                request.model,
                request.preset,
                request.settings,
                tuple(request.tasks.split(",")),
                last["changed"],
                _trials(last),
                last["ablation"]["name"] if request.ablation else None,
                last["ablation"]["full"] if request.ablation else {},
                runs,
            )
        )
    return unlabelled


class _Request(NamedTuple):
    """What runs of one group have in common; settings and ablation as JSON."""

    model: str
    preset: str
    settings: str
    tasks: str
    tuned: str
    ablation: str | None


def _request(info: dict[str, Any]) -> _Request:
    return _Request(
        info["model"],
        info["preset"],
        json.dumps(info["settings"], sort_keys=True),
        ",".join(info["tasks"]),
        "tuned" if _trials(info) else "",
        json.dumps(info["ablation"], sort_keys=True) if info.get("ablation") else None,
    )


def _age(record: RunRecord) -> tuple[str, str]:
    return record.info["finished"], record.info["run"]


def _trials(info: dict[str, Any]) -> int:
    """Return the number of trials that chose a run's settings."""
    return info["tuning"]["trials"] if info.get("tuning") else 0


def labelled(groups: list[RunGroup]) -> list[RunGroup]:
    """Name the groups by model and whatever sets them apart from others of it; sort by that."""
    unique = [replace(group, label=_label(group, groups)) for group in groups]
    return sorted(unique, key=lambda group: group.label)


def _label(group: RunGroup, groups: list[RunGroup]) -> str:
    same = [other for other in groups if other.model == group.model]
    parts = []
    if len({other.preset for other in same}) > 1:
        parts.append(group.preset)
    tuned = bool(group.trials)
    siblings = [
        _written(other.settings)
        for other in same
        if (other.preset, bool(other.trials)) == (group.preset, tuned)
    ]
    parts += [
        f"{name}={value}"
        for name, value in sorted(_written(group.settings).items())
        if any(sibling.get(name) != value for sibling in siblings)
    ]
    if len({other.tasks for other in same}) > 1:
        tasks = group.tasks
        parts.append(f"{tasks[0]} only" if len(tasks) == 1 else "joint")
    if len({bool(other.trials) for other in same}) > 1:
        parts.append("tuned" if tuned else "as preset")
    return f"{group.model} ({', '.join(parts)})" if parts else group.model


def _written(settings: str) -> dict[str, str]:
    """Return each value as JSON writes it, so that 1 and 1.0, or null and no such field, differ."""
    values = json.loads(settings)
    return {n: v if isinstance(v, str) else json.dumps(v) for n, v in values.items()}
