"""``data``: prepare, describe and audit a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from benchmark.cli.data_new import new
from benchmark.cli.data_synthetic import synthetic
from benchmark.cli.output import remarks, show_json, show_table
from benchmark.errors import CheckFailedError

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset

__all__ = ["app"]

app = typer.Typer(help="Prepare, describe and audit data sets.", no_args_is_help=True)
app.command()(new)
app.command()(synthetic)

NameOrPath = Annotated[
    str, typer.Argument(help="A card's name, a folder with a card, or a folder of atomic files.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


AcceptLicence = Annotated[
    bool,
    typer.Option("--accept-licence", help="Download missing files, under the licence of the card."),
]


@app.command()
def prepare(
    name: NameOrPath, accept_licence: AcceptLicence = False, as_json: AsJson = False
) -> None:
    """Read, split and freeze a data set, and keep the result in the cache."""
    if accept_licence:
        from benchmark.data.obtain import obtain

        obtain(name)
    dataset = _load(name)
    row = {
        "name": dataset.name,
        "digest": dataset.digest,
        "candidates_digest": dataset.candidates_digest,
        "events": len(dataset.log),
    }
    if as_json:
        show_json(row)
    else:
        show_table(_pairs(row))


@app.command()
def describe(name: NameOrPath, as_json: AsJson = False) -> None:
    """Show what a data set holds and how it was made."""
    from benchmark.data.describe import describe as description

    found = description(_load(name))
    if as_json:
        show_json(found)
    else:
        show_table(_pairs(found))


@app.command()
def audit(name: NameOrPath, as_json: AsJson = False) -> None:
    """Look for leaks, and tell what needs no model; exit status 1 where safe data leak."""
    from benchmark.data.audit import audit as audited
    from benchmark.data.easy import easy

    dataset = _load(name)
    report = audited(dataset)
    found = report.to_dict() | {"easy": {task: e.to_dict() for task, e in easy(dataset).items()}}
    if as_json:
        show_json(found)
    else:
        show_table(_pairs(found))
    if not report.ok:
        raise CheckFailedError(f"{report.dataset}: {'; '.join(report.problems)}")


def _load(name: str) -> Dataset:
    from benchmark.data.load import load_dataset

    with remarks() as notify:
        return load_dataset(name, notify=notify)


def _pairs(values: dict[str, Any]) -> Table:
    table = Table("", "", show_header=False)
    for name, value in _flat(values):
        table.add_row(name, value)
    return table


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Turn nested values into dotted names and text."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for number, part in enumerate(value):
                rows += _flat(part, f"{prefix}{name}.{number}.")
        elif isinstance(value, list | tuple):
            rows.append((prefix + name, ", ".join(map(str, value))))
        else:
            text = f"{value:.6g}" if isinstance(value, float) else str(value)
            rows.append((prefix + name, text))
    return rows
