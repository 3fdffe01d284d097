"""``python -m tests.estimates``: what runs were estimated to take, beside what they took.

For each stored run: the estimated peak of memory over the measured one, and the seconds that the
runs of the same model on the *other* data sets led to over the measured ones. ``--run`` first runs
models at preset ``quick`` on ml-100k, each in a process of its own, as a peak is one of a process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.needs import Sizes
from benchmark.registry import find
from benchmark.results.earlier import EarlierRun, earlier_runs
from benchmark.running.environment import cpu_name
from benchmark.running.estimate import MIB, TOLERANCE, estimate
from benchmark.running.plan import Experiment

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Compared:
    """A stored run and its estimate.

    Attributes:
        folder: the results folder that it lies in.
        memory: estimated over measured peak.
        seconds: estimated over measured seconds, where other data sets have runs of the model.
    """

    folder: str
    dataset: str
    model: str
    seed: int
    measured_mib: float
    memory: float
    measured_s: float
    seconds: float | None


def compare(
    run: EarlierRun,
    folder: str,
    sizes: Sizes,
    others: Sequence[EarlierRun],
    sizes_of: dict[str, Sizes],
) -> Compared:
    """Hold a run against what was to be expected of it."""
    entry = find(run.model)
    kind = entry.load()
    values = {n: tuple(v) if isinstance(v, list) else v for n, v in run.settings.items()}
    experiment = Experiment(entry, kind.Settings(**values), "", tuple(map(Task, run.tasks)))
    found = estimate(experiment, sizes, run.digest, run.device, others, sizes_of, run.machine)
    seconds = None if not others or found.total is None else found.total / max(run.total, 1e-9)
    return Compared(
        folder,
        run.dataset,
        run.model,
        run.seed,
        run.peak_memory_mib,
        found.host / MIB / run.peak_memory_mib,
        run.total,
        seconds,
    )


def main(
    results: Annotated[list[Path] | None, typer.Option(help="Results folders.")] = None,
    run: Annotated[str, typer.Option(help="Models that are run first, into the last one.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write all of it, as JSON.")] = None,
) -> None:
    """Compare estimates with stored runs and print the ratios."""
    folders = results or [ROOT / "results" / "published"]
    for model in filter(None, run.split(",")):
        command = [sys.executable, "-m", "benchmark", "run", "--model", model, "--preset", "quick"]
        subprocess.run(
            [*command, "--results", str(folders[-1])], check=True, stdout=subprocess.DEVNULL
        )
    runs = [(folder, run) for folder in folders for run in earlier_runs([folder])]
    by_name = {name: Sizes.of(load_dataset(name)) for name in {run.dataset for _, run in runs}}
    sizes_of = {run.digest: by_name[run.dataset] for _, run in runs}
    rows = [
        compare(
            run,
            os.path.relpath(folder, ROOT),
            by_name[run.dataset],
            [
                other
                for place, other in runs
                if place == folder and other.dataset != run.dataset and run.model == other.model
            ],
            sizes_of,
        )
        for folder, run in runs
    ]
    show(rows)
    if out is not None:
        machine = {"cpu": cpu_name(), "tolerance": TOLERANCE}
        document = {**machine, "runs": [asdict(row) for row in rows]}
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def show(rows: Sequence[Compared]) -> None:
    """Print a line for each model and data set: the range of its ratios."""
    groups: dict[tuple[str, str, str], list[Compared]] = defaultdict(list)
    for row in rows:
        groups[row.folder, row.dataset, row.model].append(row)
    table = Table("results", "data set", "model", "runs", "peak MiB", "memory", "seconds", "time")
    for names, own in sorted(groups.items()):
        times = [row.seconds for row in own if row.seconds is not None]
        table.add_row(
            *names,
            str(len(own)),
            f"{statistics.median(row.measured_mib for row in own):.0f}",
            _range([row.memory for row in own]),
            f"{statistics.median(row.measured_s for row in own):.1f}",
            _range(times),
        )
    Console(width=140).print(table)
    for name in ("memory", "seconds"):
        found = [value for row in rows if (value := getattr(row, name)) is not None]
        inside = sum(1 / TOLERANCE <= value <= TOLERANCE for value in found)
        print(f"{name}: {inside} of {len(found)} within a factor of {TOLERANCE}, {_range(found)}")


def _range(values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"


if __name__ == "__main__":
    typer.run(main)
