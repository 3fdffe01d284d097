"""``tune``: search the settings of models, the same way for each, on validation only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
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
from benchmark.cli.sweep import SchedulerOption
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.engine.engine import News
    from benchmark.running.plan import Experiment
    from benchmark.tuning.study import Crew, Study

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
    workers: Annotated[
        int | None,
        typer.Option(
            help="Trials at a time, in processes that share this machine's cores. One after the"
            " other in this process, if not given."
        ),
    ] = None,
    scheduler: SchedulerOption = None,
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
    with _crew(results, _wherever(dataset), seen, workers, scheduler) as crew:
        try:
            for study in search(plans, data, options, results, progress, crew):
                # A search that was longer once is shown as far as it was asked for.
                done += [study.up_to(trials)]
        finally:
            if done:
                _show(_in_order(done, plans), as_json)


def _wherever(dataset: str) -> str:
    """Return the name of a card, or a folder as a process elsewhere finds it."""
    from benchmark.data.locate import card_names

    return dataset if dataset in card_names() else str(Path(dataset).expanduser().absolute())


@contextmanager
def _crew(
    results: Path, dataset: str, seen: Seen, workers: int | None, scheduler: str | None
) -> Iterator[Crew | None]:
    """Give the processes that were asked for, ``None`` where none were."""
    if workers is None and scheduler is None:
        yield None
        return
    from benchmark.data.load import load_dataset
    from benchmark.engine.choose import engine_for
    from benchmark.folders import prune
    from benchmark.tuning.study import Crew

    logs = results / "tuning" / "logs"
    try:
        with engine_for(logs, workers, scheduler, watch=_hear, tell=progress) as engine:
            yield Crew(engine, partial(load_dataset, dataset, seen=seen.value))
    finally:
        prune(logs, results)


def _hear(news: News) -> None:
    """Tell news of a trial that has not ended."""
    if news.state == "started":
        progress(f"{news.key}: started on {news.text}")
    else:
        again = "is begun again" if news.state == "killed" else "waits and is begun again"
        progress(f"{news.key}: {news.text}; it {again}")


def _in_order(done: list[Study], plans: list[Experiment]) -> list[Study]:
    names = [plan.entry.name for plan in plans]
    return sorted(done, key=lambda study: names.index(study.model))


def _show(done: list[Study], as_json: bool) -> None:
    if as_json:
        show_json([study.chosen().summary | {"model": study.model} for study in done])
    else:
        show_table(_table(done))


def _table(done: list[Study]) -> Table:
    table = Table("model", "trials", "pruned", "first", "best", "chosen", "seconds", "saved")
    for study in done:
        first, best, told = study.trials[0].value, study.best, study.chosen().summary
        table.add_row(
            study.model,
            str(len(study.trials)),
            str(len(told["pruned"])),
            "failed" if first is None else f"{first:.4f}",
            f"{best.value:.4f}",
            best.chosen() or "nothing to choose",
            f"{told['seconds']:.1f}",
            f"{told['seconds_saved']:.1f}",
        )
    return table
