"""``run``: train, evaluate and record models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from benchmark.api.failure import Failure
from benchmark.cli.estimates import show_estimates
from benchmark.cli.launched import launched_together
from benchmark.cli.output import progress, show_error, show_json, show_table
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
from benchmark.cli.run_tables import as_json_value, run_tables
from benchmark.errors import BenchmarkError, InputError

if TYPE_CHECKING:
    from benchmark.running.runner import RunResult

__all__ = ["run"]


def run(
    model: ModelOption,
    dataset: DatasetOption = "ml-100k",
    tasks: TasksOption = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="full, sampled, given: of the data itself. Those that the card names, or the first"
            " two."
        ),
    ] = None,
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
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only tell what memory and time it would take.")
    ] = False,
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    track: Annotated[
        list[str] | None,
        typer.Option(help="Tell a tracker: tensorboard, mlflow, wandb, codecarbon, MODULE:CLASS."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run even what is stored.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train, evaluate and record models; a run that is stored already is only shown."""
    from benchmark.api.making import default_protocols
    from benchmark.data.dataset import Protocol
    from benchmark.running.plan_rules import check_ablations, check_protocols
    from benchmark.tracking import find_trackers

    protocols: Any = protocol and choices("--protocol", protocol, get_args(Protocol))
    numbers = _seeds(seed, seeds)
    plans = plan_models(model_names(model), tasks, preset, set_ or [])
    if ablations:
        check_ablations(plans, set_ or [])
    check_writable(results)
    trackers = find_trackers(track or [])
    with launched_together(device.value) as processes:
        data, plans = processes.first_of_machine(
            lambda: load_planned(
                plans, dataset, seen, device, results if tuned else None, ablations
            )
        )
        protocols = protocols or default_protocols(data)
        check_protocols(protocols, data)
        if estimate:
            show_estimates(plans, data, device.value, results, len(numbers), as_json)
            return

        from benchmark.api.making import How, make_runs

        done = make_runs(
            plans,
            numbers,
            data,
            How(protocols, device.value, results, fresh, ablations, trackers),
            tell=progress,
            failed=show_error,
            processes=processes,
        )
        _show(done, as_json)


def _show(done: Sequence[RunResult | Failure], as_json: bool) -> None:
    """Show what came out; exit status 2 if anything failed."""
    failures = sum(isinstance(one, Failure) for one in done)
    if failures < len(done) and as_json:
        show_json([as_json_value(one) for one in done])
    elif failures < len(done):
        for table in run_tables(done):
            show_table(table)
    if failures:
        raise typer.Exit(BenchmarkError.exit_status)


def _seeds(seed: int | None, seeds: str | None) -> list[int]:
    from benchmark.api.making import check_seeds

    if seeds is None:
        chosen = [1 if seed is None else seed]
    elif seed is not None:
        raise InputError("give either --seed or --seeds")
    elif not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", seeds):
        raise InputError(f"--seeds {seeds}: write whole numbers separated by commas, as in 1,2,3")
    else:
        chosen = [int(part) for part in seeds.split(",")]
    return check_seeds(chosen)
