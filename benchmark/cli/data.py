"""``data``: prepare, describe and audit a data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from benchmark.cli.data_new import new
from benchmark.cli.data_synthetic import synthetic
from benchmark.cli.output import remark, remarks, show_json, show_page, show_table
from benchmark.cli.pictures import picture_target
from benchmark.errors import CheckFailedError, InputError

if TYPE_CHECKING:
    from benchmark.data.dataset import Dataset

__all__ = ["app"]

app = typer.Typer(help="Prepare, describe and audit data sets.", no_args_is_help=True)
app.command()(new)
app.command()(synthetic)

NameOrPath = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME_OR_PATH",
        show_default=False,
        help="A card's name, a folder with a card, or a folder of atomic files.",
    ),
]
DatasetOption = Annotated[
    str | None,
    typer.Option("--dataset", help="The same by an option, as other commands have it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


AcceptLicence = Annotated[
    bool,
    typer.Option("--accept-licence", help="Download missing files, under the licence of the card."),
]


@app.command()
def prepare(
    name: NameOrPath = None,
    dataset: DatasetOption = None,
    accept_licence: AcceptLicence = False,
    as_json: AsJson = False,
) -> None:
    """Read, split and freeze a data set, and keep the result in the cache."""
    chosen = _one(name, dataset)
    if accept_licence:
        from benchmark.data.obtain import obtain

        obtain(chosen)
    data = _load(chosen)
    row = {
        "name": data.name,
        "digest": data.digest,
        "candidates_digest": data.candidates_digest,
        "events": len(data.log),
    }
    if as_json:
        show_json(row)
        return
    table = Table("", "", show_header=False)
    for key, value in row.items():
        table.add_row(key, str(value))
    show_table(table)


@app.command()
def describe(
    name: NameOrPath = None,
    dataset: DatasetOption = None,
    picture: Annotated[
        Path | None, typer.Option(help="SVG or PNG file to draw the histograms into.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a data set holds and how it was made."""
    from benchmark.cli.data_pages import description_page, histograms
    from benchmark.data.describe import describe as description

    place, target = _one(name, dataset), None if picture is None else picture_target(picture)
    found = description(_load(place, shown=not as_json))
    if target is not None:
        from benchmark.report.data_picture import Chart, draw

        draw(found["name"], [Chart(each.title, each.rows) for each in histograms(found)], target)
    if as_json:
        show_json(found)
    else:
        show_page(description_page(found))


@app.command()
def audit(name: NameOrPath = None, dataset: DatasetOption = None, as_json: AsJson = False) -> None:
    """Look for leaks, and tell what needs no model; exit status 1 where safe data leak."""
    from benchmark.cli.audit_page import audit_page
    from benchmark.data.audit import audit as audited
    from benchmark.data.easy import easy
    from benchmark.data.verdicts import checks, verdict

    data = _load(_one(name, dataset))
    report, tasks = audited(data), easy(data)
    if as_json:
        found = {
            "easy": {task: each.to_dict() for task, each in tasks.items()},
            "checks": [each.to_dict() for each in checks(report)],
            "verdict": verdict(report),
        }
        show_json(report.to_dict() | found)
    else:
        show_page(audit_page(report, tasks))
    if not report.ok:
        raise CheckFailedError(f"{report.dataset}: {'; '.join(report.problems)}")


def _one(name: str | None, dataset: str | None) -> str:
    """Return the data set that was named, by either way.

    Raises:
        InputError: none was, or two.
    """
    if name is not None and dataset is not None:
        raise InputError(f"--dataset {dataset}: '{name}' is named already; drop one of them")
    found = name if dataset is None else dataset
    if found is None:
        raise InputError("name the data set: a card's name or a folder, as in `data describe NAME`")
    return found


def _load(name: str, shown: bool = False) -> Dataset:
    """Load a data set; with ``shown``, its notes are not told twice in one terminal."""
    from benchmark.data.load import load_dataset

    if not (shown and sys.stdout.isatty()):
        with remarks() as notify:
            return load_dataset(name, notify=notify)
    lines: list[str] = []
    data = load_dataset(name, notify=lines.append)
    notes = {f"{data.name}: {note}" for note in data.about.notes}
    for line in lines:
        if line not in notes:
            remark(line)
    return data
