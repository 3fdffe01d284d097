"""``run``: train, evaluate and record models."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table

from benchmark.cli.output import progress, show_json, show_table
from benchmark.cli.plan import (
    DatasetOption,
    Device,
    DeviceOption,
    JsonOption,
    ModelOption,
    PresetOption,
    Seen,
    SeenOption,
    SetOption,
    TasksOption,
    check_writable,
    choices,
    load_planned,
    model_names,
    plan_models,
)
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.running.plan import Experiment
    from benchmark.running.runner import RunResult

__all__ = ["run"]


def run(
    model: ModelOption,
    dataset: DatasetOption = "ml-100k",
    tasks: TasksOption = None,
    protocol: Annotated[
        str, typer.Option(help="full, sampled, given: of the data itself.")
    ] = "full,sampled",
    seed: Annotated[int | None, typer.Option(help="Seed of training, 1 if not given.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Several seeds: 1,2,3.")] = None,
    preset: PresetOption = "standard",
    set_: SetOption = None,
    device: DeviceOption = Device.auto,
    seen: SeenOption = Seen.exclude,
    tuned: Annotated[
        bool, typer.Option("--tuned", help="Take the settings that `tune` found, --set its start.")
    ] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Run the full model, and without each of its parts.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Run even what is stored.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train, evaluate and record models; a run that is stored already is only shown."""
    from benchmark.data.dataset import Protocol
    from benchmark.running.plan_rules import check_ablations, check_protocols

    protocols = choices("--protocol", protocol, get_args(Protocol))
    numbers = _seeds(seed, seeds)
    plans = plan_models(model_names(model), tasks, preset, set_ or [])
    if ablations:
        check_ablations(plans, set_ or [])
    check_writable(results)
    data, plans = load_planned(plans, dataset, seen, results if tuned else None)
    check_protocols(protocols, data)
    if ablations:
        plans = [part for plan in plans for part in plan.with_ablations()]

    from benchmark.running.runner import run_model

    common = _common_folder(results, plans, numbers, data.digest) if ablations else None
    done: list[RunResult] = []
    with nullcontext() if common is None else _kept_until_done(common, fresh):
        for plan, number in itertools.product(plans, numbers):
            progress(f"{plan.title} on {data.name}, seed {number}, preset {preset}")
            asked: Any = protocols
            result = run_model(plan, data, asked, number, device.value, results, fresh, common)
            if result.reused:
                progress(f"stored already, not run again (--fresh runs it): {result.record.folder}")
            done.append(result)
    _show(done, as_json)


@contextmanager
def _kept_until_done(common: Path, fresh: bool) -> Iterator[None]:
    """Be alone with what runs of one command share, and remove it when all of them are done."""
    from benchmark.folders import discard, prune
    from benchmark.locks import locked

    with locked(common, wait=2):
        if fresh:
            discard(common)
        yield
        discard(common)
    prune(common.parent, common.parents[1])


def _common_folder(results: Path, plans: list[Experiment], seeds: list[int], data: str) -> Path:
    """Return where ablations keep the steps that they have in common until all are done."""
    from benchmark.running.identity import code_digest

    asked = [(p.entry.name, p.tasks, asdict(p.settings), code_digest(p.entry)) for p in plans]
    text = json.dumps([asked, seeds, data], sort_keys=True)
    return results / "checkpoints" / f"common-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _show(done: list[RunResult], as_json: bool) -> None:
    if as_json:
        show_json([{"reused": r.reused, **r.record.info} for r in done])
        return
    for table in _tables(done):
        show_table(table)


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


def _tables(done: Iterable[RunResult]) -> list[Table]:
    """Return a table of metrics and a table of costs.

    A model of both tasks that was run for one of them beside the joint run is marked so.
    """
    served: dict[str, set[str]] = defaultdict(set)
    for result in done:
        served[result.record.info["model"]].update(result.record.info["tasks"])
    shown = ("ndcg@10", "hr@10", "mrr@10")
    quality = Table("model", "seed", "task", "protocol", *shown, "requests")
    costs = Table("model", "seed", "time by phase", "peak memory", "parameters", "record")
    for result in done:
        info = result.record.info
        part = info.get("ablation")
        name = f"{info['model']} ({part['name']})" if part else info["model"]
        if len(info["tasks"]) < len(served[info["model"]]):
            name += f" ({info['tasks'][0]} only)"
        for task, protocols in info["metrics"].items():
            for protocol, means in protocols.items():
                values = [f"{means[name]:.4f}" for name in shown]
                quality.add_row(
                    name,
                    str(info["seed"]),
                    task,
                    protocol,
                    *values,
                    str(means["requests"]),
                )
        phases = ", ".join(f"{p['name']} {p['seconds']:.1f} s" for p in info["phases"])
        costs.add_row(
            name,
            str(info["seed"]),
            phases,
            f"{info['peak_memory_mib']:.0f} MiB",
            f"{info['parameters']:,}",
            str(result.record.folder) + (" (stored)" if result.reused else ""),
        )
    return [quality, costs]
