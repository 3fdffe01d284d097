"""``python -m tests.estimates``: what runs were estimated to take, beside what they took.

For each committed run: the estimated peak of memory over the measured one, and the seconds that the
runs of the same model on the *other* data sets led to over the measured ones. With ``--quick`` also
runs at that preset on ml-100k, each in a process of its own, as a peak is one of a process; what
``--run`` names is run first. ``perf/records/estimates.json`` and the tables of
``docs/estimates.md`` are written.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.needs import Sizes
from benchmark.registry import find
from benchmark.results.earlier import EarlierRun, earlier_runs
from benchmark.running.estimate import MIB, TOLERANCE, estimate
from benchmark.running.plan import Experiment

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE = ROOT / "perf" / "records" / "estimates.json", ROOT / "docs" / "estimates.md"
START, END = "<!-- estimates:start -->", "<!-- estimates:end -->"


@dataclass(frozen=True)
class Compared:
    """A stored run and its estimate.

    Attributes:
        kind: ``committed``, several of one command in a process, or ``quick``, each in its own.
        memory: estimated over measured peak.
        time: estimated over measured seconds, where other data sets have runs of the model.
    """

    kind: str
    dataset: str
    model: str
    seed: int
    measured_mib: float
    memory: float
    measured_s: float
    time: float | None


def compare(
    kind: str,
    run: EarlierRun,
    sizes: Sizes,
    others: Sequence[EarlierRun],
    sizes_of: dict[str, Sizes],
) -> Compared:
    """Hold a run against what was to be expected of it."""
    entry = find(run.model)
    settings = entry.load().Settings
    values = {n: tuple(v) if isinstance(v, list) else v for n, v in run.settings.items()}
    experiment = Experiment(entry, settings(**values), "", tuple(map(Task, run.tasks)))
    found = estimate(experiment, sizes, run.digest, run.device, others, sizes_of, run.machine)
    seconds = None if not others or found.total is None else found.total / max(run.total, 1e-9)
    return Compared(
        kind,
        run.dataset,
        run.model,
        run.seed,
        run.peak_memory_mib,
        found.host / MIB / run.peak_memory_mib,
        run.total,
        seconds,
    )


def main(
    quick: Annotated[Path | None, typer.Option(help="Results folder of the runs at quick.")] = None,
    run: Annotated[str, typer.Option(help="Models that are run into it first.")] = "",
) -> None:
    """Compare estimates with runs; write the record and the page."""
    folders = {"committed": ROOT / "results" / "published"}
    if quick is not None:
        folders["quick"] = quick
    for model in filter(None, run.split(",")):
        command = [sys.executable, "-m", "benchmark", "run", "--model", model, "--preset", "quick"]
        subprocess.run([*command, "--results", str(quick)], check=True, stdout=subprocess.DEVNULL)
    runs = [(kind, run) for kind, folder in folders.items() for run in earlier_runs([folder])]
    by_name = {name: Sizes.of(load_dataset(name)) for name in {run.dataset for _, run in runs}}
    sizes_of = {run.digest: by_name[run.dataset] for _, run in runs}
    rows = [
        compare(kind, run, by_name[run.dataset], others_of(kind, run, runs), sizes_of)
        for kind, run in runs
    ]
    record = {"tolerance": TOLERANCE, "runs": [asdict(row) for row in rows]}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), record), encoding="utf-8")
    print(tables(record))


def others_of(
    kind: str, run: EarlierRun, runs: Sequence[tuple[str, EarlierRun]]
) -> list[EarlierRun]:
    """Return the runs of the same model and kind on other data sets."""
    alike = [other for place, other in runs if place == kind and other.model == run.model]
    return [other for other in alike if other.dataset != run.dataset]


def tables(record: Mapping[str, Any]) -> str:
    """Return the tables of the page, from a record: the range of ratios by model and data set."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in record["runs"]:
        groups[row["kind"], row["dataset"], row["model"]].append(row)
    lines = [
        "| runs | data set | model | peak, MiB | estimated / measured | seconds"
        " | by runs on other data / measured |",
        "|---|---|---|---|---|---|---|",
    ]
    for (kind, dataset, model), own in sorted(groups.items()):
        peak = statistics.median(row["measured_mib"] for row in own)
        seconds = statistics.median(row["measured_s"] for row in own)
        lines.append(
            f"| {len(own)} {kind} | {dataset} | {model} | {peak:.0f}"
            f" | {_range([row['memory'] for row in own])} | {seconds:.1f}"
            f" | {_range([row['time'] for row in own if row['time'] is not None])} |"
        )
    lines.append("")
    for name, what in (("memory", "Peaks"), ("time", "Times")):
        found = [row[name] for row in record["runs"] if row[name] is not None]
        inside = sum(1 / record["tolerance"] <= value <= record["tolerance"] for value in found)
        twice = sum(0.5 <= value <= 2 for value in found)
        lines.append(
            f"{what}: {inside} of {len(found)} within a factor of {record['tolerance']}, {twice}"
            f" within 2, all from {_range(found)}."
        )
    return "\n".join(lines)


def written(page: str, record: Mapping[str, Any]) -> str:
    """Return the page with the tables of the record between its marks."""
    before, rest = page.split(START)
    return f"{before}{START}\n\n{tables(record)}\n\n{END}{rest.split(END)[1]}"


def _range(values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"


if __name__ == "__main__":
    typer.run(main)
