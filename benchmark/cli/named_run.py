"""``RUN``: a stored run, named by its folder, its id or its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import remark

if TYPE_CHECKING:
    from benchmark.results.record import RunRecord

__all__ = ["HELP", "FromOption", "RunArgument", "named_run"]

HELP = "Folder of the run, its id or the beginning of its digits, or a model: its newest run."
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help=HELP)]
FromOption = Annotated[
    Path, typer.Option("--results", help="Folder of the run records that an id or model is of.")
]


def named_run(named: str, results: Path) -> RunRecord:
    """Read the run that is meant, and tell which it is where the name is not its folder's.

    Raises:
        InputError: there is none, or several may be meant.
        BenchmarkError: it is damaged.
    """
    from benchmark.results.find_run import find_run
    from benchmark.results.record import read_run

    folder = find_run(named, results)
    if folder != Path(named):
        remark(f"{named}: {folder}")
    return read_run(folder)
