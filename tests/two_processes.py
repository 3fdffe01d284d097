"""Is a run that two processes make together as good as that of one, on real data?

``python -m tests.two_processes`` makes runs of both kinds with the same settings and seeds, prints
how their validation and test measures differ, seed by seed, and ends with status 1 where the
difference is more than what another seed makes, or a request was not answered once. With one seed
only the latter can be told.

With the preset ``quick`` on ml-100k, three seeds of sasrec and gensar take two idle cores about
ten minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tabulate import tabulate

from benchmark.results.record import RunRecord, read_run
from tests.processes import free_port, launched

__all__ = ["Compared", "compare", "make"]

METRIC = "ndcg@10"


@dataclass(frozen=True)
class Compared:
    """Runs of one model by one process and by two, with the same seeds, in one task.

    Attributes:
        model: its name.
        task: what was asked.
        protocol: how.
        requests: how many were asked.
        one: the measure of each seed, by one process.
        two: by two.
        once: whether two processes answered every request that one did, each once.
    """

    model: str
    task: str
    protocol: str
    requests: int
    one: NDArray[np.float64]
    two: NDArray[np.float64]
    once: bool

    @property
    def noise(self) -> float:
        """The standard deviation over seeds, of both kinds of runs together; NaN for one seed."""
        if len(self.one) < 2:
            return float("nan")
        return float(np.sqrt((self.one.var(ddof=1) + self.two.var(ddof=1)) / 2))

    @property
    def p_value(self) -> float:
        """That of Student's test of two samples; NaN where it says nothing.

        Seeds pair nothing: a second process makes of a seed what another seed would.
        """
        if not self.noise > 0:
            return float("nan")
        return float(stats.ttest_ind(self.two, self.one).pvalue)

    @property
    def holds(self) -> bool:
        """Whether the difference is one that seeds make."""
        if len(self.one) < 2:
            return self.once
        alike = self.p_value >= 0.05 if self.noise > 0 else bool((self.one == self.two).all())
        return self.once and alike


def make(model: str, seeds: str, processes: int, results: Path, *more: str) -> None:
    """Make runs of a model, by so many processes on the CPU.

    Raises:
        RuntimeError: one of them failed.
    """
    command = [sys.executable, "-m", "benchmark", "run", "--model", model, "--seeds", seeds]
    command += ["--device", "cpu", "--results", str(results), *more]
    port = free_port()
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, **launched(rank, processes, port)},
            stdout=subprocess.DEVNULL,
        )
        for rank in range(processes)
    ]
    statuses = [process.wait() for process in started]
    if any(statuses):
        raise RuntimeError(f"{model}: a run by {processes} processes failed")


def compare(one: Path, two: Path) -> Iterator[Compared]:
    """Compare the runs in two results folders, which are of the same models and seeds."""
    for folder in sorted({file.parents[1] for file in one.glob("runs/*/*/*/run.json")}):
        alone, shared = (
            [read_run(run) for run in sorted((root / folder.relative_to(one)).glob("[!.]*"))]
            for root in (one, two)
        )
        first = alone[0].info["metrics"]
        for task, protocol in ((t, p) for t, protocols in first.items() for p in protocols):
            yield Compared(
                alone[0].info["model"],
                task,
                protocol,
                first[task][protocol]["requests"],
                *(
                    np.array([run.info["metrics"][task][protocol][METRIC] for run in runs])
                    for runs in (alone, shared)
                ),
                once=[_asked(run) for run in alone] == [_asked(run) for run in shared],
            )


def _asked(run: RunRecord) -> tuple[int, object]:
    """Return a run's seed, and the requests with a row of counts each, in their order."""
    tables = run.tables()
    rows = tables.counts.select(["task", "protocol"]).to_pydict()
    return run.info["seed"], (rows, tables.shared.to_pydict())


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the runs, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="sasrec,gensar")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--results", type=Path, help="keep the runs here, and take those there are")
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        root = told.results or Path(folder)
        more = ("--dataset", told.dataset, "--preset", told.preset)
        for model in told.models.split(","):
            for processes in (1, 2):
                make(model, told.seeds, processes, root / f"{processes}", *more)
        compared = list(compare(root / "1", root / "2"))
    header = ["model", "task", "protocol", "requests", "one", "two", "two - one", "sd of seeds"]
    rows = [
        [
            *(c.model, c.task, c.protocol, c.requests, c.one.mean(), c.two.mean()),
            *((c.two - c.one).mean(), c.noise, c.p_value, "yes" if c.holds else "NO"),
        ]
        for c in compared
    ]
    print(tabulate(rows, [*header, "p", "holds"], floatfmt=".4f"))
    return 0 if all(each.holds for each in compared) else 1


if __name__ == "__main__":
    sys.exit(main())
