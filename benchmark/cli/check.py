"""``check``: fail where fresh runs are worse than a stored baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from benchmark.cli.output import remark, show_json, show_table
from benchmark.errors import CheckFailedError, InputError

if TYPE_CHECKING:
    from benchmark.analysis.regression import Checked, Outcome
    from benchmark.results.record import RunRecord

__all__ = ["check"]


def check(
    baseline: Annotated[Path, typer.Option(help="Folder of the baseline's run records.")],
    results: Annotated[Path, typer.Option(help="Folder of the fresh run records.")] = Path(
        "results"
    ),
    margin: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The drop of a metric that is accepted.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Fail if a metric is worse than the baseline's, beyond noise and the margin."""
    from benchmark.analysis import regression
    from benchmark.results.scan import scan

    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    if math.isnan(margin):
        raise InputError("--margin nan: write a number from 0 to 1")
    fresh = scan(results)
    outcome = regression.check(_stored(baseline), fresh.runs, margin, fresh.left_out)
    if outcome.unknown and not (outcome.checked or outcome.problems):
        raise InputError("; ".join(outcome.unknown))
    for each in fresh.left_out:
        remark(f"left out: {each.told}")
    if as_json:
        checked = [asdict(each) for each in outcome.checked]
        problems = [*outcome.problems, *outcome.unknown]
        show_json({"passed": outcome.passed, "checked": checked, "problems": problems})
    else:
        for table in _tables(outcome.checked):
            show_table(table)
    if outcome.failed:
        raise CheckFailedError(_summary(outcome))
    if outcome.unknown:
        raise InputError("; ".join(outcome.unknown))


def _stored(folder: Path) -> tuple[RunRecord, ...]:
    """Read the baseline; a damaged run there is an error, since it would go unchecked."""
    from benchmark.results.scan import scan

    found = scan(folder)
    if found.left_out:
        raise InputError(f"--baseline {folder}: {found.left_out[0].told}")
    if not found.runs:
        raise InputError(
            f"--baseline {folder}: holds no runs; put some there by `python -m benchmark publish`"
        )
    return found.runs


def _summary(outcome: Outcome) -> str:
    said = [*outcome.problems, *outcome.unknown]
    worse = [each for each in outcome.checked if not each.test.passed]
    if worse:
        first = max(worse, key=lambda each: each.baseline - each.fresh)
        said.append(
            f"{len(worse)} of {len(outcome.checked)} metrics are worse than the baseline's; the"
            f" largest drop is {-first.test.difference:.4f} of {first.metric}, {first.task}"
            f" {first.protocol}, {first.run} (p = {first.test.p:.2g}; a drop of"
            f" {first.test.detectable:.4f} would be found with a power of 80%)"
        )
    return "; ".join(said)


def _tables(checked: tuple[Checked, ...]) -> Iterator[Table]:
    """Yield a table for each run of the baseline."""
    figures = ("baseline", "now", "change", "at most", "p", "detectable drop")
    for run, found in groupby(checked, key=lambda each: each.run):
        table = Table("task", "protocol", "metric", "", *figures, title=run)
        for each in found:
            test = each.test
            table.add_row(
                each.task,
                each.protocol,
                each.metric,
                "ok" if test.passed else "WORSE",
                f"{each.baseline:.4f}",
                f"{each.fresh:.4f}",
                f"{test.difference:+.4f}",
                f"{test.bound:+.4f}",
                f"{test.p:.2g}",
                f"{test.detectable:.4f}",
            )
        yield table
