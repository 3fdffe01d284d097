"""``python -m perf NAME``: run a measurement and print it."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from perf.measurement import Measurement

app = typer.Typer(add_completion=False, help="Side-by-side measurements against named peers.")


@app.callback()
def _group() -> None:
    """Keep the name of a measurement a command of its own even where there is one only."""


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def sasrec(
    as_json: AsJson = False,
    budget: Annotated[float, typer.Option(min=1.0, help="Seconds given to the peer.")] = 400.0,
) -> None:
    """Training SASRec to the same validation NDCG@10, against RecBole's trainer."""
    from perf.sasrec import measure

    _show(measure(budget), as_json)


def _show(found: Measurement, as_json: bool) -> None:
    values = found.to_dict()
    if as_json:
        print(json.dumps(values, indent=1))
    else:
        table = Table("", "", title=found.name, show_header=False)
        for name, value in values.items():
            table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
        Console().print(table)
    if not found.agree:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
