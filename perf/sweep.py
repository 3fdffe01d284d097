"""A sweep on two workers against one, at equal threads in all: how many runs an hour gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.data.load import load_dataset
from perf.measurement import Measurement, import_peer

__all__ = ["measure"]


def measure(
    models: Sequence[str], seeds: int, dataset: str, preset: str, threads: int
) -> Measurement:
    """Time both; the one worker gets all threads, as it would without a thought.

    Args:
        models: names.
        seeds: runs of each model.
        dataset: name of a data set, which is prepared before.
        preset: of the settings.
        threads: in all; an even number.
    """
    dask = import_peer("distributed")
    load_dataset(dataset)
    block = {
        "models": list(models),
        "datasets": [dataset],
        "presets": [preset],
        "seeds": list(range(1, seeds + 1)),
    }
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "perf.yaml")
        file.write_text(json.dumps({"runs": [block]}))
        one_s, one = _timed(file, 1, threads)
        two_s, two = _timed(file, 2, threads // 2)
    return Measurement(
        "runs of a sweep by two workers and by one",
        two_s,
        f"one worker with {threads} threads",
        one_s,
        one == two and len(one) == len(models) * seeds,
        {
            "runs": len(two),
            "runs_per_hour": 3600 * len(two) / two_s,
            "of_one_worker": 3600 * len(one) / one_s,
            "threads_of_each": threads // 2,
            "dask": dask.__version__,
        },
    )


def _timed(file: Path, workers: int, threads: int) -> tuple[float, set[str]]:
    """Sweep into an empty folder; return the seconds, and the runs that came of it."""
    results = file.with_name(f"results-{workers}")
    numbers = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    more = ("--workers", str(workers), "--results", str(results), "--json")
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", "sweep", str(file), *more],
        env={**os.environ, **numbers},
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - begun
    runs = json.loads(done.stdout)["runs"]
    return seconds, {run["run"] for run in runs if run["state"] == "done"}
