"""The rules of an experiment, held before anything runs: they cannot change what a run comes to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from typing import TYPE_CHECKING

from benchmark.data.evaluation_set import PROTOCOLS
from benchmark.data.too_few import why_none
from benchmark.errors import BenchmarkError, InputError, did_you_mean
from benchmark.failures import blaming
from benchmark.names import as_name
from benchmark.running.device import resolve_device
from benchmark.running.plan import Experiment
from benchmark.settings import PRESETS, build_settings, parse_assignment

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset
    from benchmark.data.requests import Task
    from benchmark.model import Model
    from benchmark.registry import ModelEntry

__all__ = [
    "check_ablations",
    "check_protocols",
    "check_runnable",
    "plan_experiments",
    "restricted",
]

MOST_SCORES = 10**13
"""Scores of one task over the whole catalogue; a core ranks about a thousand million a second."""


def plan_experiments(
    entries: Sequence[ModelEntry],
    tasks: Sequence[str],
    preset: str,
    assignments: Sequence[str],
) -> list[Experiment]:
    """Return an experiment for each model, checked before anything runs.

    Args:
        entries: the models.
        tasks: what to train for; each model takes those that it serves.
        preset: what settings are filled from.
        assignments: ``NAME=VALUE`` for all models that have the setting, ``MODEL.NAME=VALUE``.

    Raises:
        InputError: an unknown preset or setting, a value that a model refuses, or a model that
            serves none of the tasks.
    """
    if preset not in PRESETS:
        raise InputError(f"--preset: unknown '{preset}'{did_you_mean(preset, PRESETS)}")
    served = [_served(entry, tasks) for entry in entries]
    classes = [_loaded(entry) for entry in entries]
    parsed = [parse_assignment(text) for text in assignments]
    _check_names(parsed, entries, classes)
    experiments = []
    for entry, common, kind in zip(entries, served, classes, strict=True):
        known = _names(entry, kind)
        own = [
            (name, value)
            for owner, name, value in parsed
            if _means(owner, entry) or (owner is None and name in known)
        ]
        with blaming(f"model '{entry.name}' cannot be made"):
            given = [*own, *entry.settings]
            settings = build_settings(kind.Settings, kind.presets, preset, given)
            json.dumps(asdict(settings))  # as the record of a run will hold them
            kind(settings)  # a model may refuse what the types of its settings allow
        experiments.append(Experiment(entry, settings, preset, common))
    return experiments


def _loaded(entry: ModelEntry) -> type[Model]:
    kind = entry.load()
    if not is_dataclass(kind.Settings):
        raise BenchmarkError(f"model '{entry.name}': {entry.source}.Settings is no dataclass")
    return kind


def _served(entry: ModelEntry, tasks: Sequence[str]) -> tuple[Task, ...]:
    from benchmark.data.requests import Task

    common = tuple(Task(task) for task in entry.tasks if task in tasks)
    if not common:
        raise InputError(f"model {entry.name} serves {', '.join(entry.tasks)} only")
    return common


def _check_names(
    parsed: list[tuple[str | None, str, str]],
    entries: Sequence[ModelEntry],
    classes: list[type[Model]],
) -> None:
    names = [entry.name for entry in entries]
    for owner, name, _ in parsed:
        meant = [entry for entry in entries if _means(owner, entry)]
        if owner is not None and not meant:
            raise InputError(f"--set {owner}.…: {owner} is not run{did_you_mean(owner, names)}")
        if any(name in dict(entry.settings) for entry in meant):
            raise InputError(f"--set {owner}.{name}: the name of the model says it")
    everything = set().union(*map(_names, entries, classes))
    for owner, name, _ in parsed:
        if owner is None and name not in everything:
            hint = did_you_mean(name, everything) if everything else ": there are none"
            raise InputError(f"--set {name}: unknown setting{hint}")


def _means(owner: str | None, entry: ModelEntry) -> bool:
    """Return whether a setting's owner is this model, by the name that was asked for or its own."""
    return owner is not None and as_name(owner) == entry.name


def _names(entry: ModelEntry, kind: type[Model]) -> set[str]:
    return {field.name for field in fields(kind.Settings)} - dict(entry.settings).keys()


def check_ablations(experiments: Sequence[Experiment], assignments: Sequence[str]) -> None:
    """Refuse models without ablations, and settings that an ablation would change as well.

    Raises:
        InputError: there are such.
    """
    for experiment in experiments:
        name, offered = experiment.entry.name, experiment.entry.load().ablations
        if not offered:
            raise InputError(f"--ablations: model {name} offers none")
        changed = {setting for changes in offered.values() for setting in changes}
        for owner, setting, _ in map(parse_assignment, assignments):
            if setting in changed and owner in (None, name):
                raise InputError(f"--set {setting}: --ablations changes it; leave one of them out")


def check_protocols(protocols: Sequence[str], dataset: Dataset) -> None:
    """Refuse a protocol that no task has candidates for, and more scores than anybody waits for.

    Raises:
        InputError: there is one.
    """
    tests = [asked for (part, _), asked in dataset.evaluation.items() if part == "test"]
    for protocol in protocols:
        if not any(protocol in asked.protocols for asked in tests):
            names = [p for p in PROTOCOLS if any(p in asked.protocols for asked in tests)]
            raise InputError(
                f"--protocol {protocol}: {dataset.name} has no such candidates, but"
                f" {', '.join(names) or 'none at all'}"
            )
    most, items = max(map(len, tests), default=0), len(dataset.items)
    if "full" in protocols and most * items > MOST_SCORES:
        raise InputError(
            f"--protocol full: {most:,} requests over {items:,} items of {dataset.name} are"
            f" {most * items:.0e} scores, which takes hours for the fastest model; name"
            " --protocol given or sampled, or draw fewer requests by split.limit in the card"
        )


def restricted(experiment: Experiment, dataset: Dataset) -> Experiment:
    """Return the experiment with the tasks that the data set has requests for.

    Raises:
        InputError: there are none.
    """
    tasks = tuple(task for task in experiment.tasks if ("test", task) in dataset.evaluation)
    if not tasks:
        served, name = " or ".join(map(str, experiment.tasks)), experiment.entry.name
        why = why_none(dataset, experiment.tasks)
        raise InputError(f"{dataset.name} has no {served} requests for model {name}: {why}")
    return replace(experiment, tasks=tasks)


def check_runnable(experiments: Sequence[Experiment], dataset: Dataset, device: str) -> None:
    """Refuse, before anything is trained, what some model could not be trained on.

    Args:
        experiments: all that is to be trained.
        dataset: the data.
        device: as asked for.

    Raises:
        InputError: a model finds nothing in the data to learn from, or the device is not there.
        BenchmarkError: a model fails when it looks.
    """
    for experiment in experiments:
        kind, unable = experiment.entry.load(), f"model '{experiment.title}' cannot be "
        with blaming(f"{unable}made"):
            model = kind(experiment.settings)
        resolve_device(device, model)
        try:
            with blaming(f"{unable}asked whether it can run"):
                model.check(dataset.train, experiment.tasks)
        except InputError as error:
            raise InputError(f"model {experiment.title}: {error}") from error
