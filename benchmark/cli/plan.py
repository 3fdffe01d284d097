"""What a command line asks to be trained, checked before anything runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import InputError, did_you_mean
from benchmark.settings import PRESETS, build_settings, parse_assignment

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset
    from benchmark.data.requests import Task
    from benchmark.registry import ModelEntry
    from benchmark.tuning.study import Study

__all__ = [
    "Device",
    "Planned",
    "Seen",
    "check_writable",
    "choices",
    "model_names",
    "plan_models",
    "restricted",
]


class Device(str, Enum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Seen(str, Enum):
    """What happens to items of the history when the whole catalogue is ranked."""

    exclude = "exclude"
    keep = "keep"


@dataclass(frozen=True)
class Planned:
    """A model with its settings and tasks, and the search that chose the settings, if one did."""

    entry: ModelEntry
    settings: Any
    tasks: tuple[Task, ...]
    study: Study | None = None


def choices(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of a text such as "rec,search", in the order of ``known``.

    Raises:
        InputError: an unknown part, or none.
    """
    chosen = {part.strip() for part in text.split(",") if part.strip()}
    for part in sorted(chosen):
        if part not in known:
            raise InputError(f"{option}: unknown '{part}'{did_you_mean(part, known)}")
    if not chosen:
        raise InputError(f"{option}: name at least one of {', '.join(known)}")
    return tuple(part for part in known if part in chosen)


def model_names(text: str) -> list[str]:
    """Return the names in a text such as "sasrec,gensar", each once.

    Raises:
        InputError: there is none.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError("--model: name at least one model; see `python -m benchmark list models`")
    return names


def plan_models(
    names: list[str], wanted: tuple[str, ...] | None, preset: str, assignments: list[str]
) -> list[Planned]:
    """Check models, tasks and settings before anything runs."""
    from benchmark.data.requests import Task
    from benchmark.registry import find

    if preset not in PRESETS:
        raise InputError(f"--preset: unknown '{preset}'{did_you_mean(preset, PRESETS)}")
    entries = [find(name) for name in names]
    served = []
    for entry in entries:
        tasks = tuple(t for t in entry.tasks if wanted is None or t in wanted)
        if not tasks:
            raise InputError(f"model {entry.name} serves {', '.join(entry.tasks)} only")
        served.append(tuple(Task(t) for t in tasks))
    parsed = [parse_assignment(text) for text in assignments]
    for owner, _, _ in parsed:
        if owner is not None and owner not in names:
            raise InputError(f"--set {owner}.…: {owner} is not run{did_you_mean(owner, names)}")
    classes = [entry.load() for entry in entries]
    known = [{f.name for f in fields(c.Settings)} for c in classes]
    for owner, name, _ in parsed:
        if owner is None and not any(name in own for own in known):
            everything = set().union(*known)
            hint = did_you_mean(name, everything) if everything else ": there are none"
            raise InputError(f"--set {name}: unknown setting{hint}")
    plans = []
    for entry, tasks, kind, own in zip(entries, served, classes, known, strict=True):
        mine = [
            (name, value)
            for owner, name, value in parsed
            if owner == entry.name or (owner is None and name in own)
        ]
        settings = build_settings(kind.Settings, kind.presets, preset, mine)
        kind(settings)  # a model may refuse what the types of its settings allow
        plans.append(Planned(entry, settings, tasks))
    return plans


def restricted(plan: Planned, data: Dataset) -> Planned:
    """Return the plan with the tasks that the data set has requests for."""
    tasks = tuple(t for t in plan.tasks if ("test", t) in data.evaluation)
    if not tasks:
        served = " or ".join(map(str, plan.tasks))
        raise InputError(f"{data.name} has no {served} requests for model {plan.entry.name}")
    return replace(plan, tasks=tasks)


def check_writable(results: Path) -> None:
    """Refuse, before anything runs, a folder that could not take the records."""
    folder = results.absolute()
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"--results {results}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--results {results}: {folder} cannot be written to")
