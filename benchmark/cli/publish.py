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
    """Copy run records without weights, and the searches that chose the settings of tuned ones.

    Older runs of the same request there are replaced.
    """
    from benchmark.results.publish import publish as store
    from benchmark.results.record import read_run
    from benchmark.tuning.published import publish_studies

    records = [read_run(run) for run in runs]
    searches = publish_studies(records, to, remark)
    stored = store(records, to, remark)
    show_lines(map(str, [*(run.folder for run in stored), *searches]))
