"""``sweep``: many runs from one file, several at a time; what is stored is not run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import remark, show_json, show_lines, show_table
from benchmark.cli.plan import JsonOption, check_writable
from benchmark.errors import BenchmarkError
from benchmark.names import as_name

if TYPE_CHECKING:
    from benchmark.sweeping.jobs import Wish
    from benchmark.sweeping.sweep import Line

__all__ = ["RetriesOption", "SchedulerOption", "WorkersOption", "sweep"]

WorkersOption = Annotated[
    int | None,
    typer.Option(
        help="Processes on this machine, which share its cores. One for each GPU, or each core that"
        " has 4 GB, if not given."
    ),
]
SchedulerOption = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler: tcp://HOST:8786.")
]
RetriesOption = Annotated[int, typer.Option(min=0, help="How often what is killed is begun again.")]


def sweep(
    file: Annotated[Path, typer.Argument(help="The sweep file; docs/many-runs.md describes it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be run, and how long it may take.")
    ] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    retries: RetriesOption = 3,
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    as_json: JsonOption = False,
) -> None:
    """Make all runs that a file asks for and that are not stored yet."""
    from benchmark.engine.choose import check_engine
    from benchmark.sweeping.jobs import wishes_of
    from benchmark.sweeping.sweep_file import read_sweep

    asked, lines = read_sweep(file)
    wishes = wishes_of(asked, lines, str(file))
    check_writable(results)
    _check_data(wishes)
    name = as_name(file.stem)
    if dry_run:
        check_engine(workers, scheduler)
        if scheduler is not None:
            remark("the plan takes its workers to have a GPU if this machine has one")
        _plan(name, wishes, results, workers, as_json)
        return
    done = _carry_out(name, wishes, results, workers, scheduler, retries, as_json)
    if any(line.failure is not None for line in done):
        raise typer.Exit(BenchmarkError.exit_status)


def _check_data(wishes: list[Wish]) -> None:
    """Refuse data sets that are not there, before anything is begun."""
    from benchmark.data.locate import resolve

    for dataset in dict.fromkeys(wish.source.dataset for wish in wishes):
        resolve(dataset, lambda line: None)


def _carry_out(
    name: str,
    wishes: list[Wish],
    results: Path,
    workers: int | None,
    scheduler: str | None,
    retries: int,
    as_json: bool,
) -> list[Line]:
    from benchmark.cli.sweep_progress import SweepProgress
    from benchmark.cli.sweep_tables import as_json_value, summary_tables
    from benchmark.engine.choose import engine_for
    from benchmark.sweeping.sweep import Sweep, folder_of

    logs = folder_of(results, name) / "logs"
    done: list[Line] = []
    with SweepProgress(logs) as shown:
        ask_gpu = scheduler is not None and any(
            wish.block.device != "cpu" and wish.experiment.entry.load().uses_gpu for wish in wishes
        )
        with (
            engine_for(logs, workers, scheduler, retries + 1, shown.hear, shown.tell) as engine,
            Sweep(name, wishes, engine, results, ask_gpu, shown.tell) as at_work,
        ):
            shown.follow(engine)
            for line in at_work.lines():
                done.append(line)
                shown.ended(line)
    if as_json:
        show_json(as_json_value(name, done, at_work.shared))
    else:
        for table in summary_tables(done, at_work.shared):
            show_table(table)
    return done


def _plan(name: str, wishes: list[Wish], results: Path, workers: int | None, as_json: bool) -> None:
    """Show what a sweep would do."""
    from benchmark.cli.sweep_tables import plan_as_json, plan_tables
    from benchmark.engine.choose import usual_workers
    from benchmark.sweeping.forecast import forecast

    told: list[str] = []
    plan = forecast(name, wishes, results, told.append)
    for line in told:
        remark(line)
    number = workers or usual_workers()
    if as_json:
        show_json(plan_as_json(name, plan, number))
        return
    for table in plan_tables(plan):
        show_table(table)
    show_lines([plan.in_words(number)])
