"""What a command line asks to be trained, checked before anything runs."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import remarks
from benchmark.data.terms import Task
from benchmark.errors import InputError, did_you_mean
from benchmark.settings import PRESETS

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset
    from benchmark.running.plan import Experiment

__all__ = [
    "DatasetOption",
    "Device",
    "DeviceOption",
    "JsonOption",
    "ModelOption",
    "PresetOption",
    "RunDatasetOption",
    "Seen",
    "SeenOption",
    "SetOption",
    "TasksOption",
    "check_writable",
    "choices",
    "load_planned",
    "model_names",
    "plan_models",
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


ModelOption = Annotated[str, typer.Option("--model", help="Names, separated by commas.")]
DatasetOption = Annotated[str, typer.Option(help="A card's name or a folder.")]
RunDatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset", help="A card's name or a folder; where the run's data lay, if not given."
    ),
]
TasksOption = Annotated[
    str | None, typer.Option(help="rec, search or both; all that a model serves if not given.")
]
PresetOption = Annotated[str, typer.Option(help=", ".join(PRESETS))]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE or MODEL.NAME=VALUE; may be repeated."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to compute.")]
SeenOption = Annotated[Seen, typer.Option(help="Whether seen items are ranked for rec (full).")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]


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
    """Return the names in a text such as "one,another", each once.

    Raises:
        InputError: there is none.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError("--model: name at least one model; see `python -m benchmark list models`")
    return names


def plan_models(
    names: list[str], tasks: str | None, preset: str, assignments: list[str]
) -> list[Experiment]:
    """Check models, tasks and settings before anything runs."""
    from benchmark.registry import find
    from benchmark.running.plan_rules import plan_experiments

    known = tuple(map(str, Task))
    wanted = known if tasks is None else choices("--tasks", tasks, known)
    return plan_experiments([find(name) for name in names], wanted, preset, assignments)


def load_planned(
    plans: list[Experiment],
    dataset: str,
    seen: Seen,
    device: Device,
    searches: Path | None = None,
    ablations: bool = False,
) -> tuple[Dataset, list[Experiment]]:
    """Load a data set, and return it with the plans restricted to tasks that it has.

    With ``searches``, a results folder, each plan's settings become those that its search chose;
    with ``ablations``, each plan is followed by those without one of its parts.

    Raises:
        InputError: there is no such data set, it has none of a model's tasks, a model cannot be
            trained on it or not on that device, or there was no search.
    """
    from benchmark.api.making import planned_on
    from benchmark.data.load import load_dataset
    from benchmark.progress_lines import ProgressLines

    with remarks() as notify, ProgressLines().step(f"loading {dataset}"):
        data = load_dataset(dataset, seen=seen.value, notify=notify, remind=False)
        return data, planned_on(plans, data, device.value, notify, searches, ablations)


def check_writable(results: Path) -> None:
    """Refuse, before anything runs, a folder that could not take the records."""
    folder = results.absolute()
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"--results {results}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--results {results}: {folder} cannot be written to")
