"""``clean``: remove what serves nobody any more."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import filesize
from rich.table import Table

from benchmark.cli.output import remark, show_json, show_table
from benchmark.errors import InputError

if TYPE_CHECKING:
    from benchmark.cleaning import Litter

__all__ = ["clean"]


def clean(
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    older_than: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Days; take checkpoints and prepared data too that nobody touched since."
        ),
    ] = None,
    cache_limit: Annotated[
        float, typer.Option(min=0.0, help="GB of prepared data to keep, those used last.")
    ] = 20.0,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; else it is only listed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List what killed commands left and nobody needs any more, in results and prepared data."""
    from benchmark.cleaning import find, take_away
    from benchmark.data.cache import cache_folder

    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    for option, number in (("--older-than", older_than), ("--cache-limit", cache_limit)):
        if number is not None and math.isnan(number):
            raise InputError(f"{option} nan: write a number from 0")
    limit = cache_limit * 10**9
    found = [_Row.of(each) for each in find(results, cache_folder(None), older_than, limit)]
    rows = [replace(row, removed=yes and take_away(row.litter)) for row in found]
    if as_json:
        show_json([row.values() for row in rows])
        return
    if not rows:
        remark("nothing to remove")
        return
    table = Table()
    table.add_column("path", no_wrap=True)
    for name in ("size", "age", "why", "removed" if yes else ""):
        table.add_column(name)
    for row in rows:
        table.add_row(*row.cells())
    show_table(table)
    total = filesize.decimal(sum(row.size for row in rows))
    if not yes:
        remark(f"{len(rows)} of these, {total}; --yes removes them")


@dataclass(frozen=True)
class _Row:
    """A line of the list, measured before anything is removed."""

    litter: Litter
    size: int
    age: float
    removed: bool = False

    @classmethod
    def of(cls, litter: Litter) -> _Row:
        return cls(litter, litter.size, litter.age)

    def values(self) -> dict[str, Any]:
        return {
            "path": str(self.litter.path),
            "bytes": self.size,
            "seconds": round(self.age),
            "why": self.litter.why,
            "removed": self.removed,
        }

    def cells(self) -> tuple[str, ...]:
        age = str(timedelta(seconds=round(self.age)))
        removed = "yes" if self.removed else ""
        return str(self.litter.path), filesize.decimal(self.size), age, self.litter.why, removed
