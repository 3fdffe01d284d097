"""``check``: fail where fresh runs are worse than a stored baseline."""

from __future__ import annotations

import math
from dataclasses import asdict
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
    from benchmark.results.scan import scan_runs

    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    if math.isnan(margin):
        raise InputError("--margin nan: write a number from 0 to 1")
    left_out: list[str] = []
    fresh = list(scan_runs(results, left_out.append))
    outcome = regression.check(_stored(baseline), fresh, margin)
    for run in outcome.missing:
        _refuse_if_unreadable(run, results, left_out)
    for line in left_out:
        remark(line)
    if as_json:
        checked = [asdict(each) for each in outcome.checked]
        show_json(
            {"passed": outcome.passed, "checked": checked, "problems": list(outcome.problems)}
        )
    else:
        show_table(_table(outcome.checked))
    if not outcome.passed:
        raise CheckFailedError(_summary(outcome))


def _stored(folder: Path) -> list[RunRecord]:
    """Read the baseline; a damaged run there is an error, since it would go unchecked."""
    from benchmark.results.scan import scan_runs

    def refuse(line: str) -> None:
        raise InputError(f"--baseline {folder}: {line.removeprefix('left out: ')}")

    runs = list(scan_runs(folder, refuse))
    if not runs:
        raise InputError(
            f"--baseline {folder}: holds no runs; put some there by `python -m benchmark publish`"
        )
    return runs


def _refuse_if_unreadable(missing: RunRecord, results: Path, left_out: list[str]) -> None:
    """Name the record that may be the missing one, as nothing can be said of that."""
    from benchmark.analysis.regression import named
    from benchmark.results.record import run_folder

    about = (missing.info[name] for name in ("dataset", "model", "run"))
    place = f"{run_folder(results, *about).parent}/"
    for line in left_out:
        if place in line:
            reason = line.removeprefix("left out: ")
            raise InputError(f"{named(missing)}: cannot be checked: {reason}")


def _summary(outcome: Outcome) -> str:
    if outcome.problems:
        return "; ".join(outcome.problems)
    worse = [each for each in outcome.checked if not each.test.passed]
    first = max(worse, key=lambda each: each.baseline - each.fresh)
    return (
        f"{len(worse)} of {len(outcome.checked)} metrics are worse than the baseline's; the largest"
        f" drop is {-first.test.difference:.4f} of {first.metric}, {first.task} {first.protocol},"
        f" {first.run} (p = {first.test.p:.2g}; a drop of {first.test.detectable:.4f} would be"
        " found with a power of 80%)"
    )


def _table(checked: tuple[Checked, ...]) -> Table:
    figures = ("baseline", "now", "change", "at most", "p", "detectable drop")
    table = Table("run", "task", "protocol", "metric", *figures, "")
    for each in checked:
        test = each.test
        table.add_row(
            each.run,
            each.task,
            each.protocol,
            each.metric,
            f"{each.baseline:.4f}",
            f"{each.fresh:.4f}",
            f"{test.difference:+.4f}",
            f"{test.bound:+.4f}",
            f"{test.p:.2g}",
            f"{test.detectable:.4f}",
            "ok" if test.passed else "WORSE",
        )
    return table
