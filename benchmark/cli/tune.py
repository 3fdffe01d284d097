"""``tune``: search the settings of models, the same way for each, on validation only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from benchmark.cli.output import progress, remarks, show_json, show_table
from benchmark.cli.plan import (
    Device,
    Seen,
    check_writable,
    choices,
    model_names,
    plan_models,
    restricted,
)
from benchmark.errors import InputError
from benchmark.settings import PRESETS

if TYPE_CHECKING:
    from benchmark.tuning.study import Study

__all__ = ["tune"]


def tune(
    model: Annotated[str, typer.Option("--model", help="Names, separated by commas.")],
    dataset: Annotated[str, typer.Option(help="A card's name or a folder.")] = "ml-100k",
    tasks: Annotated[
        str | None, typer.Option(help="rec, search or both; all that a model serves if not given.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials for each model, stored ones included.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search and of training.")] = 1,
    preset: Annotated[str, typer.Option(help=", ".join(PRESETS))] = "standard",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE or MODEL.NAME=VALUE; where the search starts."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.auto,
    seen: Annotated[
        Seen, typer.Option(help="Whether seen items are ranked for rec.")
    ] = Seen.exclude,
    results: Annotated[Path, typer.Option(help="Folder that holds the searches.")] = Path(
        "results"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Search settings on validation requests; `run --tuned` then takes the best."""
    if trials < 1:
        raise InputError(f"--trials {trials}: make it 1 or more")
    wanted = None if tasks is None else choices("--tasks", tasks, ("rec", "search"))
    planned = plan_models(model_names(model), wanted, preset, set_ or [])
    check_writable(results)

    from benchmark.data.load import load_dataset
    from benchmark.runner import resolve_device
    from benchmark.tuning.study import tune as search

    with remarks() as notify:
        data = load_dataset(dataset, seen=seen.value, notify=notify)
        planned = [restricted(plan, data) for plan in planned]
    done: list[Study] = []
    for plan in planned:
        where = resolve_device(device.value, plan.entry.load()(plan.settings))
        study = search(
            plan.entry,
            plan.settings,
            preset,
            data,
            plan.tasks,
            trials,
            seed,
            where,
            results,
            progress,
        )
        done.append(replace(study, trials=study.trials[:trials]))
    if as_json:
        show_json([study.summary() | {"model": study.model} for study in done])
        return
    table = Table("model", "trials", "first", "best", "chosen", "seconds")
    for study in done:
        first, best = study.trials[0].value, study.best
        table.add_row(
            study.model,
            str(len(study.trials)),
            "failed" if first is None else f"{first:.4f}",
            f"{best.value:.4f}",
            ", ".join(f"{n}={_short(v)}" for n, v in best.settings.items()) or "nothing to choose",
            f"{sum(t.seconds for t in study.trials):.1f}",
        )
    show_table(table)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
