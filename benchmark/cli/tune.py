"""``tune``: search the settings of models, the same way for each, on validation only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    load_planned,
    model_names,
    plan_models,
)
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.tuning.study import Study

__all__ = ["tune"]


def tune(
    model: ModelOption,
    dataset: DatasetOption = "ml-100k",
    tasks: TasksOption = None,
    trials: Annotated[int, typer.Option(help="Trials for each model, stored ones included.")] = 20,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of search and training.")
    ] = 1,
    pruning: Annotated[
        bool, typer.Option(help="End trials early that fall behind others of the same training.")
    ] = True,
    preset: PresetOption = "standard",
    set_: SetOption = None,
    device: DeviceOption = Device.auto,
    seen: SeenOption = Seen.exclude,
    results: Annotated[Path, typer.Option(help="Folder of the searches.")] = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Search settings on validation requests; `run --tuned` then takes the best."""
    if trials < 1:
        raise InputError(f"--trials {trials}: make it 1 or more")
    plans = plan_models(model_names(model), tasks, preset, set_ or [])
    check_writable(results)
    data, plans = load_planned(plans, dataset, seen, device)

    from benchmark.tuning.pruning import HALVING
    from benchmark.tuning.study import SearchOptions
    from benchmark.tuning.study import tune as search

    options = SearchOptions(trials, seed, device.value, HALVING if pruning else None)
    done: list[Study] = []
    try:
        for study in search(plans, data, options, results, progress):
            # A search that was longer once is shown as far as it was asked for.
            done += [study.up_to(trials)]
    finally:
        if done:
            _show(done, as_json)


def _show(done: list[Study], as_json: bool) -> None:
    if as_json:
        show_json([study.chosen().summary | {"model": study.model} for study in done])
    else:
        show_table(_table(done))


def _table(done: list[Study]) -> Table:
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
    return table


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
