"""``list``: what can be named on the command line."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.api.listing import dataset_rows, metric_rows, model_rows, run_rows
from benchmark.api.model_page import model_page
from benchmark.cli.model_page import parts
from benchmark.cli.output import show_json, show_page, show_table
from benchmark.cli.pages import Entry, Heading
from benchmark.errors import InputError

__all__ = ["list_"]


class Listed(str, Enum):
    """What can be listed."""

    models = "models"
    datasets = "datasets"
    metrics = "metrics"
    runs = "runs"


def list_(
    what: Annotated[
        Listed, typer.Argument(metavar="WHAT", help="models, datasets, metrics or runs.")
    ] = Listed.models,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One model, with its settings.")
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List models, data sets, metrics, or stored runs with what they can be named by."""
    if name is not None:
        _show_model(what, name, as_json)
        return
    rows_of = {
        Listed.models: model_rows,
        Listed.datasets: dataset_rows,
        Listed.metrics: metric_rows,
        Listed.runs: lambda: run_rows(results),
    }
    rows = rows_of[what]()
    if as_json:
        show_json(rows)
        return
    table = Table()
    if what is Listed.runs:  # whoever needs the folder, takes the id or --json
        rows = [{k: v for k, v in _to_the_minute(row).items() if k != "folder"} for row in rows]
    for column in rows[0] if rows else ():
        table.add_column(column, no_wrap=column == "id")
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    show_table(table)
    if what is Listed.models and (barred := _barred()):
        show_page([Heading("Cannot run here"), *(Entry("-", line, 2) for line in barred)])
    if what is Listed.models and (forms := _forms()):
        show_page([Heading("Made by their names"), *(Entry("-", line, 2) for line in forms)])


def _show_model(what: Listed, name: str, as_json: bool) -> None:
    if what is not Listed.models:
        raise InputError(f"{what.value} {name}: only models are shown one at a time")
    model = model_page(name)
    if as_json:
        show_json(model)
    else:
        show_page(parts(model))


def _to_the_minute(row: dict[str, object]) -> dict[str, object]:
    return row | {"finished": str(row["finished"])[:16].replace("T", " ")}


def _barred() -> list[str]:
    from benchmark.registry import known

    return [f"{m.name}: {m.obstacle}" for m in known().values() if m.obstacle]


def _forms() -> list[str]:
    from benchmark.registry import families

    return [f"{f.form} ({', '.join(f.tasks)}): {f.summary}" for f in families().values()]
