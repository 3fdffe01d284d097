"""``publish``: copy runs without their weights to where they are committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.output import remark, show_lines

__all__ = ["publish"]


def publish(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    to: Annotated[Path, typer.Option(help="Results folder, such as that of a baseline.")],
) -> None:
    """Copy run records without weights; older runs of the same request there are replaced."""
    from benchmark.results.publish import publish as store
    from benchmark.results.record import read_run

    stored = store([read_run(run) for run in runs], to, remark)
    show_lines(str(run.folder) for run in stored)
