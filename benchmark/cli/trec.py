"""``export`` and ``import``: TREC files of a stored run, and a run record of such a file."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli.named_run import FromOption, RunArgument, named_run
from benchmark.cli.output import remarks, show_json, show_lines, show_table
from benchmark.cli.plan import RunDatasetOption, Seen

__all__ = ["export", "import_"]


class Format(str, Enum):
    """How answers are written."""

    trec = "trec"


class AskedTask(str, Enum):
    """What was ranked for."""

    rec = "rec"
    search = "search"


class AskedProtocol(str, Enum):
    """Which candidates were ranked."""

    full = "full"
    sampled = "sampled"
    given = "given"


def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="Folder to write; it must not be there yet.")],
    format_: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.trec,
    dataset: RunDatasetOption = None,
    depth: Annotated[
        int, typer.Option(min=1, help="Items listed of each request over the whole catalogue.")
    ] = 1000,
    results: FromOption = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Ask the model of a stored run again, and write its answers as TREC files."""
    from benchmark.exchange.export import export_run, stored_model
    from benchmark.running.dataset_of import dataset_of

    record = named_run(run, results)
    model = stored_model(record)
    with remarks() as notify:
        data = dataset_of(record, dataset, notify)
        files = export_run(record, data, model, out, depth, notify)
    if as_json:
        show_json({"folder": str(out), "files": files})
    else:
        show_lines(str(out / name) for name in files)


def import_(
    file: Annotated[Path, typer.Argument(metavar="RUNFILE", help="A TREC run file.")],
    name: Annotated[str, typer.Option(help="What the system is called in tables.")],
    dataset: Annotated[str, typer.Option(help="A card's name or a folder.")],
    task: Annotated[AskedTask, typer.Option(help="What it was asked for.")],
    protocol: Annotated[AskedProtocol, typer.Option(help="Which candidates it ranked.")],
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of its training.")] = 1,
    seen: Annotated[
        Seen, typer.Option(help="Whether seen items are ranked for rec (full).")
    ] = Seen.exclude,
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Make a run record of the answers of a system outside this repository."""
    from benchmark.data.load import load_dataset
    from benchmark.data.requests import Task
    from benchmark.exchange.import_run import check_name, import_run

    check_name(name)
    with remarks() as notify:
        data = load_dataset(dataset, seen=seen.value, notify=notify, remind=False)
        found = import_run(file, name, data, Task(task.value), protocol.value, seed, results)
        for remark in found.remarks:
            notify(f"{file}: {remark}")
        if found.unanswered:
            notify(
                f"{found.unanswered} of {found.requests} requests are not answered; they score as"
                " if nothing was produced"
            )
        if found.not_candidates:
            notify(
                f"{found.not_candidates} of {found.listed} listed items are no candidates of their"
                " request and do not count"
            )
    info = found.record.info
    if as_json:
        counts = {"unanswered": found.unanswered, "not_candidates": found.not_candidates}
        show_json({**counts, **info})
        return
    means = info["metrics"][task.value][protocol.value]
    shown = ("ndcg@10", "hr@10", "mrr@10")
    table = Table("model", "seed", "task", "protocol", *shown, "requests")
    table.add_column("record", no_wrap=True)
    values = [f"{means[metric]:.4f}" for metric in shown]
    row = (name, str(seed), task.value, protocol.value, *values, str(found.requests))
    table.add_row(*row, str(found.record.folder))
    show_table(table)
