"""``list``: what can be named on the command line."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer
from rich.table import Table

from benchmark.api.listing import dataset_rows, metric_rows, model_rows
from benchmark.cli.output import show_json, show_lines, show_table

__all__ = ["list_"]


class Listed(str, Enum):
    """What can be listed."""

    models = "models"
    datasets = "datasets"
    metrics = "metrics"


def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")] = Listed.models,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List models, data sets or metrics."""
    rows_of = {
        Listed.models: model_rows,
        Listed.datasets: dataset_rows,
        Listed.metrics: metric_rows,
    }
    rows = rows_of[what]()
    if as_json:
        show_json(rows)
        return
    table = Table(*(rows[0].keys() if rows else ()))
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    show_table(table)
    if what is Listed.models and (barred := _barred()):
        show_lines(["Cannot run here:", *(f"  {line}" for line in barred)])
    if what is Listed.models and (forms := _forms()):
        show_lines(["Made by their names:", *(f"  {line}" for line in forms)])


def _barred() -> list[str]:
    from benchmark.registry import known

    return [f"{m.name}: {m.obstacle}" for m in known().values() if m.obstacle]


def _forms() -> list[str]:
    from benchmark.registry import families

    return [f"{f.form} ({', '.join(f.tasks)}): {f.summary}" for f in families().values()]
