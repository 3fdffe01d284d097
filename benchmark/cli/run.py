"""``run``: train, evaluate and record models."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table

from benchmark.cli.output import progress, remarks, show_json, show_table
from benchmark.errors import InputError, did_you_mean
from benchmark.settings import PRESETS, build_settings, parse_assignment

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset
    from benchmark.data.requests import Task
    from benchmark.registry import ModelEntry
    from benchmark.runner import RunResult

__all__ = ["run"]


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
class _Planned:
    entry: ModelEntry
    settings: Any
    tasks: tuple[Task, ...]


def run(
    model: Annotated[str, typer.Option("--model", help="Names, separated by commas.")],
    dataset: Annotated[str, typer.Option(help="A card's name or a folder.")] = "ml-100k",
    tasks: Annotated[
        str | None, typer.Option(help="rec, search or both; all that a model serves if not given.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="full, sampled or both.")] = "full,sampled",
    seed: Annotated[int | None, typer.Option(help="Seed of training, 1 if not given.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Several seeds: 1,2,3.")] = None,
    preset: Annotated[str, typer.Option(help=", ".join(PRESETS))] = "standard",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE or MODEL.NAME=VALUE; may be repeated."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.auto,
    seen: Annotated[
        Seen, typer.Option(help="Whether seen items are ranked for rec (full).")
    ] = Seen.exclude,
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Run even what is stored.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Train, evaluate and record models; a run that is stored already is only shown."""
    from benchmark.evaluation.evaluate import Protocol

    wanted = None if tasks is None else _choices("--tasks", tasks, ("rec", "search"))
    protocols = _choices("--protocol", protocol, get_args(Protocol))
    numbers = _seeds(seed, seeds)
    names = _names(model)
    planned = _plan(names, wanted, preset, set_ or [])
    _check_writable(results)

    from benchmark.data.load import load_dataset
    from benchmark.runner import run_model

    with remarks() as notify:
        data = load_dataset(dataset, seen=seen.value, notify=notify)
        planned = [_restricted(plan, data) for plan in planned]
    done: list[RunResult] = []
    for plan in planned:
        for number in numbers:
            progress(f"{plan.entry.name} on {data.name}, seed {number}, preset {preset}")
            result = run_model(
                plan.entry,
                plan.settings,
                preset,
                data,
                plan.tasks,
                protocols,  # type: ignore[arg-type]
                number,
                device.value,
                results,
                fresh,
            )
            if result.reused:
                progress(f"stored already, not run again (--fresh runs it): {result.record.folder}")
            done.append(result)
    _show(done, as_json)


def _show(done: list[RunResult], as_json: bool) -> None:
    if as_json:
        show_json([{"reused": r.reused, **r.record.info} for r in done])
        return
    for table in _tables(done):
        show_table(table)


def _check_writable(results: Path) -> None:
    """Refuse, before anything runs, a folder that could not take the records."""
    folder = results.absolute()
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"--results {results}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--results {results}: {folder} cannot be written to")


def _restricted(plan: _Planned, data: Dataset) -> _Planned:
    """Return the plan with the tasks that the data set has requests for."""
    tasks = tuple(t for t in plan.tasks if ("test", t) in data.evaluation)
    if not tasks:
        served = " or ".join(map(str, plan.tasks))
        raise InputError(f"{data.name} has no {served} requests for model {plan.entry.name}")
    return replace(plan, tasks=tasks)


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError("--model: name at least one model; see `python -m benchmark list models`")
    return names


def _choices(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = {part.strip() for part in text.split(",") if part.strip()}
    for part in sorted(chosen):
        if part not in known:
            raise InputError(f"{option}: unknown '{part}'{did_you_mean(part, known)}")
    if not chosen:
        raise InputError(f"{option}: name at least one of {', '.join(known)}")
    return tuple(part for part in known if part in chosen)


def _seeds(seed: int | None, seeds: str | None) -> list[int]:
    if seeds is None:
        chosen = [1 if seed is None else seed]
    elif seed is not None:
        raise InputError("give either --seed or --seeds")
    elif not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", seeds):
        raise InputError(f"--seeds {seeds}: write whole numbers separated by commas, as in 1,2,3")
    else:
        chosen = list(dict.fromkeys(int(part) for part in seeds.split(",")))
    for number in chosen:
        if not 0 <= number < 2**31:
            raise InputError(f"seed {number}: choose one from 0 to {2**31 - 1}")
    return chosen


def _plan(
    names: list[str], wanted: tuple[str, ...] | None, preset: str, assignments: list[str]
) -> list[_Planned]:
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
        plans.append(_Planned(entry, settings, tasks))
    return plans


def _tables(done: Iterable[RunResult]) -> list[Table]:
    """Return a table of metrics and a table of costs."""
    shown = ("ndcg@10", "hr@10", "mrr@10")
    quality = Table("model", "seed", "task", "protocol", *shown, "requests")
    costs = Table("model", "seed", "time by phase", "peak memory", "parameters", "record")
    for result in done:
        info = result.record.info
        for task, protocols in info["metrics"].items():
            for protocol, means in protocols.items():
                values = [f"{means[name]:.4f}" for name in shown]
                quality.add_row(
                    info["model"],
                    str(info["seed"]),
                    task,
                    protocol,
                    *values,
                    str(means["requests"]),
                )
        phases = ", ".join(f"{p['name']} {p['seconds']:.1f} s" for p in info["phases"])
        costs.add_row(
            info["model"],
            str(info["seed"]),
            phases,
            f"{info['peak_memory_mib']:.0f} MiB",
            f"{info['parameters']:,}",
            str(result.record.folder) + (" (stored)" if result.reused else ""),
        )
    return [quality, costs]
