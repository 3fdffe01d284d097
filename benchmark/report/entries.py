"""Runs that differ in their seed only make one entry of a leaderboard."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.results.record import RunRecord

__all__ = ["Entry", "Group", "group_runs", "ran"]


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
    def parameters(self) -> int | None:
        """Number of weights; ``None`` where it is not known."""
        found: int | None = self.runs[0].info["parameters"]
        return found


@dataclass(frozen=True)
class Group:
    """All runs of one model with the same settings and tasks, by seed, the best to use last.

    Attributes:
        label: model, and what sets it apart from other groups of the model.
        model: name of the model.
        preset: what the settings were filled from.
        settings: all settings as JSON.
        tasks: what it was trained for.
        changed: the settings that differ from the preset's.
        trials: of the search that chose the settings, 0 where none did.
        runs: by seed, oldest first.
    """

    label: str
    model: str
    preset: str
    settings: str
    tasks: tuple[str, ...]
    changed: dict[str, object]
    trials: int
    runs: dict[int, list[RunRecord]]

    def entry(self, task: str, protocol: str) -> Entry:
        """Take each seed's last run that was asked by the protocol, else its last run."""
        chosen, lacking = [], 0
        for seed in sorted(self.runs):
            able = [run for run in self.runs[seed] if ran(run, task, protocol)]
            lacking += not able
            chosen.append((able or self.runs[seed])[-1])
        return Entry(self.label, self.preset, self.trials, tuple(chosen), lacking)


def ran(run: RunRecord, task: str, protocol: str) -> bool:
    """Return whether the run was asked so."""
    return protocol in run.info["metrics"].get(task, {})


def group_runs(records: Iterable[RunRecord]) -> list[Group]:
    """Group runs that differ in their seed only, and name the groups apart.

    Of several runs of a request, with several versions of the code, what finished last comes last.
    """
    groups: dict[tuple[str, ...], dict[int, list[RunRecord]]] = defaultdict(dict)
    for record in sorted(records, key=_age):
        info = record.info
        settings = json.dumps(info["settings"], sort_keys=True)
        tuned = "tuned" if _trials(info) else ""
        key = (info["model"], info["preset"], settings, ",".join(info["tasks"]), tuned)
        groups[key].setdefault(info["seed"], []).append(record)
    labels = _labels(list(groups))
    found = []
    for request, runs in groups.items():
        model, preset, settings, tasks, _ = request
        last = next(iter(runs.values()))[-1].info
        parted = tuple(tasks.split(","))
        trials = _trials(last)
        found.append(
            Group(labels[request], model, preset, settings, parted, last["changed"], trials, runs)
        )
    return sorted(found, key=lambda g: g.label)


def _age(record: RunRecord) -> tuple[str, str]:
    return record.info["finished"], record.info["run"]


def _trials(info: dict[str, Any]) -> int:
    """Return the number of trials that chose a run's settings."""
    return info["tuning"]["trials"] if info.get("tuning") else 0


def _labels(keys: list[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Name each group by its model and by whatever sets it apart from others of that model."""
    labels = {}
    for key in keys:
        model, preset, settings, tasks, tuned = key
        same = [other for other in keys if other[0] == model]
        parts = []
        if len({other[1] for other in same}) > 1:
            parts.append(preset)
        own = _written(settings)
        siblings = [_written(o[2]) for o in same if (o[1], o[4]) == (preset, tuned)]
        parts += [
            f"{name}={value}"
            for name, value in sorted(own.items())
            if any(sibling.get(name) != value for sibling in siblings)
        ]
        if len({other[3] for other in same}) > 1:
            parts.append(f"{tasks.replace(',', '+')} only" if "," not in tasks else "joint")
        if len({other[4] for other in same}) > 1:
            parts.append(tuned or "as preset")
        labels[key] = f"{model} ({', '.join(parts)})" if parts else model
    return labels


def _written(settings: str) -> dict[str, str]:
    """Return each value as JSON writes it, so that 1 and 1.0, or null and no such field, differ."""
    values = json.loads(settings)
    return {n: v if isinstance(v, str) else json.dumps(v) for n, v in values.items()}
