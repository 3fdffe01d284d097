"""``python -m tests.determinism RESULTS``: what changes a result though command and seed are equal.

The same command is run once as it is and once for each of :data:`VARIANTS`, into folders of their
own below ``RESULTS``; what is stored there is not run again. The answers are then compared, and
``perf/records/determinism.json`` and the tables of ``docs/determinism.md`` are written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from safetensors.numpy import load_file

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import MAIN, compute
from benchmark.results.record import RunRecord, read_run
from benchmark.results.scan import scan_runs
from benchmark.results.stored_files import COUNTS_FILE

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE = ROOT / "perf" / "records" / "determinism.json", ROOT / "docs" / "determinism.md"
START, END = "<!-- determinism:start -->", "<!-- determinism:end -->"
MODELS = ("bm25", "sasrec", "unifiedssr", "gensar")
FIRST = "first"
USUAL = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Variant:
    """A way to run the same command otherwise: what is other, and by which variables."""

    what: str
    variables: Mapping[str, str]


VARIANTS = {
    "again": Variant("the same, a second time", {}),
    "threads-2": Variant("2 threads, not 1", {"OMP_NUM_THREADS": "2"}),
    "older-processor": Variant(
        "instructions of an older processor: SSE only, no AVX2 or AVX-512",
        {
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_CBWR": "COMPATIBLE",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "OPENBLAS_CORETYPE": "Nehalem",
        },
    ),
}


@dataclass(frozen=True)
class Change:
    """How one run's answers to one task differ from those of the first run.

    Attributes:
        model: its name.
        variant: of the run.
        task: ``rec`` or ``search``.
        requests: number of them, over the full catalogue.
        same_bytes: whether the files of counts are the same to the last byte, all tasks together.
        weights: the largest difference of a floating-point number in the files of weights.
        changed: share of the requests some of whose counts are others.
        ndcg: NDCG@10 of the first run.
        difference: that of the other run less it.
        largest: of the requests, the largest difference of NDCG@10.
    """

    model: str
    variant: str
    task: str
    requests: int
    same_bytes: bool
    weights: float
    changed: float
    ndcg: float
    difference: float
    largest: float


@dataclass(frozen=True)
class Noise:
    """How much the seed of training changes NDCG@10 of the committed runs of a model."""

    model: str
    task: str
    preset: str
    seeds: int
    sd: float


def changes(first: RunRecord, other: RunRecord, variant: str) -> Iterator[Change]:
    """Compare the counts of two runs of the same requests, over the full catalogue."""
    same = (first.folder / COUNTS_FILE).read_bytes() == (other.folder / COUNTS_FILE).read_bytes()
    weights = _distance(first, other)
    before, after = (run.requests().query("protocol == 'full'") for run in (first, other))
    for task in sorted(set(before["task"])):
        one, two = (
            table[table["task"] == task].reset_index(drop=True) for table in (before, after)
        )
        if not one[["request", "item"]].equals(two[["request", "item"]]):
            raise ValueError(f"{variant}: other requests than the first run was asked")
        other_counts = (one[["greater", "tied"]] != two[["greater", "tied"]]).any(axis=1)
        scores = [ndcg_of(table) for table in (one, two)]
        yield Change(
            model=first.info["model"],
            variant=variant,
            task=str(task),
            requests=len(scores[0]),
            same_bytes=same,
            weights=weights,
            changed=float(other_counts.groupby(one["request"]).any().mean()),
            ndcg=float(scores[0].mean()),
            difference=float(scores[1].mean() - scores[0].mean()),
            largest=float(np.abs(scores[1] - scores[0]).max()),
        )


def _distance(first: RunRecord, other: RunRecord) -> float:
    """Return how far apart the weights of two runs of one model are, at most."""
    one, two = (load_file(run.folder / "model.safetensors") for run in (first, other))
    if one.keys() != two.keys() or any(one[name].shape != two[name].shape for name in one):
        return float("inf")
    learned = [name for name in one if one[name].dtype.kind == "f"]
    apart = (np.abs(one[n].astype(np.float64) - two[n]).max(initial=0) for n in learned)
    return float(max(apart, default=0.0))


def ndcg_of(table: pd.DataFrame) -> Any:
    """Return NDCG@10 of each request of one task and protocol."""
    _, request = np.unique(table["request"], return_inverse=True)
    columns = {name: table[name].to_numpy() for name in ("gain", "greater", "tied", "candidates")}
    return compute(Counts(request=request, **columns), (MAIN,))[MAIN]


def noise(models: tuple[str, ...]) -> list[Noise]:
    """Return the standard deviation over the seeds of the committed runs on ml-100k."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for run in scan_runs(ROOT / "results" / "published", lambda line: None):
        info = run.info
        if info["dataset"] == "ml-100k" and info["model"] in models:
            for task, means in info["metrics"].items():
                key = (info["model"], task, info["preset"])
                found.setdefault(key, []).append(means["full"]["ndcg@10"])
    return [
        Noise(*key, len(values), float(np.std(values, ddof=1)))
        for key, values in sorted(found.items())
    ]


def tables(record: Mapping[str, Any]) -> str:
    """Return the tables of the page, from a record."""
    sd = {(n["model"], n["task"]): n["sd"] for n in record["noise"]}
    lines = [
        "| model | task | run | weights differ by | same bytes of counts"
        " | requests with other counts | NDCG@10 | change | largest of one request"
        " | sd over seeds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["changes"]:
        own = sd.get((row["model"], row["task"]))
        lines.append(
            f"| {row['model']} | {row['task']} | {row['variant']}"
            f" | {row['weights']:.1g} | {'yes' if row['same_bytes'] else 'no'}"
            f" | {row['changed']:.1%}"
            f" | {row['ndcg']:.4f} | {row['difference']:+.4f} | {row['largest']:.2f}"
            f" | {'-' if own is None else f'{own:.4f}'} |"
        )
    machine = record["environment"]
    lines += ["", f"On {machine['cpu']}, {machine['cpus']} cores, torch {machine['torch']}."]
    return "\n".join(lines)


def written(page: str, record: Mapping[str, Any]) -> str:
    """Return the page with the tables of the record between its marks."""
    before, rest = page.split(START)
    return f"{before}{START}\n\n{tables(record)}\n\n{END}{rest.split(END)[1]}"


def _run(results: Path, variables: Mapping[str, str], models: list[str]) -> None:
    command = [sys.executable, "-m", "benchmark", "run", "--preset", "quick", "--model"]
    subprocess.run(
        [*command, ",".join(models), "--results", str(results)],
        env={**os.environ, **USUAL, **variables},
        check=True,
        stdout=subprocess.DEVNULL,
    )


def main(
    results: Annotated[Path, typer.Argument(help="Where the runs lie, a folder for each way.")],
    model: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(MODELS),
    stored: Annotated[bool, typer.Option("--stored", help="Compare what is there.")] = False,
) -> None:
    """Run what is missing, compare, and write the record and the page."""
    models = model.split(",")
    for name, variables in ((FIRST, {}), *((n, v.variables) for n, v in VARIANTS.items())):
        if not stored:
            _run(results / name, variables, models)
    rows: list[Change] = []
    environment: dict[str, Any] = {}
    for name in models:
        (first,) = _runs(results / FIRST, name)
        machine = first.info["environment"]
        environment = {
            **{key: machine[key] for key in ("cpu", "cpus", "python", "platform")},
            "torch": machine["packages"]["torch"],
        }
        for variant in VARIANTS:
            for other in _runs(results / variant, name):
                rows += changes(first, other, variant)
    record = {
        "environment": environment,
        "dataset": "ml-100k",
        "preset": "quick",
        "variants": {name: asdict(variant) for name, variant in VARIANTS.items()},
        "changes": [asdict(row) for row in rows],
        "noise": [asdict(one) for one in noise(tuple(models))],
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), record), encoding="utf-8")
    print(tables(record))


def _runs(results: Path, model: str) -> list[RunRecord]:
    folder = results / "runs" / "ml-100k" / model
    return [read_run(each) for each in sorted(folder.glob("quick-s1-*"))]


if __name__ == "__main__":
    typer.run(main)
