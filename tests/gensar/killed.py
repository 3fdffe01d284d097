"""Kill runs at random moments, resume them, and compare what they leave.

``python -m tests.gensar.killed`` does so with preset ``quick`` on ``ml-100k``, which takes long.
The suite does so a few times with a small model on a small data set.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

__all__ = ["digests", "killed_and_resumed"]


def _run(arguments: list[str], small: bool) -> None:
    """Run ``python -m benchmark run`` in this process, which is a child."""
    from benchmark.cli import main
    from tests.gensar.support import without_text_encoder

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.argv = ["benchmark", "run", *arguments]
    with without_text_encoder() if small else nullcontext():
        main()


def _context() -> multiprocessing.context.ForkServerContext:
    """Children are forked from a process that has imported everything and computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gensar.model", "benchmark.cli", "tests.gensar.support"])
    return context


def _whole(arguments: list[str], small: bool) -> float:
    """Run to the end and return the seconds it took."""
    child = _context().Process(target=_run, args=(arguments, small))
    begin = time.perf_counter()
    child.start()
    child.join()
    assert child.exitcode == 0, child.exitcode
    return time.perf_counter() - begin


def killed_and_resumed(
    arguments: list[str], results: Path, times: int, seed: int, small: bool
) -> tuple[dict[str, str], list[tuple[float, dict[str, str]]]]:
    """Kill the same run at ``times`` random moments, each time in a folder of its own.

    Args:
        arguments: of ``run``, without ``--results``.
        results: an empty folder.
        times: number of runs that are killed.
        seed: of the moments.
        small: whether a bag of words stands in for the text encoder.

    Returns:
        :func:`digests` of the run left alone; for each killed one the share of the time after which
        it was killed, and the digests after it was resumed.
    """
    _whole([*arguments, "--results", str(results / "first")], small)  # prepares the data
    alone = results / "alone"
    duration = _whole([*arguments, "--results", str(alone)], small)
    found = []
    for number, share in enumerate(np.random.default_rng(seed).random(times).tolist()):
        own = results / str(number)
        child = _context().Process(target=_run, args=([*arguments, "--results", str(own)], small))
        child.start()
        child.join(share * duration)
        child.kill()
        child.join()
        _whole([*arguments, "--results", str(own)], small)
        found.append((share, digests(own)))
        shutil.rmtree(own)
    return digests(alone), found


def digests(results: Path) -> dict[str, str]:
    """Return the SHA-256 of answers and weights of the only run below ``results``.

    Raises:
        ValueError: there is not exactly one whole run.
    """
    from benchmark.results.scan import scan_runs

    damaged: list[str] = []
    (run,) = scan_runs(results, damaged.append)
    if damaged:
        raise ValueError(damaged[0])
    names = ("requests.parquet", "model.safetensors")
    return {n: hashlib.sha256((run.folder / n).read_bytes()).hexdigest() for n in names}


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    arguments = ["--model", "gensar", "--preset", "quick"]
    with tempfile.TemporaryDirectory() as results:
        alone, found = killed_and_resumed(
            arguments, Path(results), asked.times, asked.seed, small=False
        )
    same = [after == alone for _, after in found]
    for (share, _), equal in zip(found, same, strict=True):
        print(f"killed after {share:.0%}: {'the same bytes' if equal else 'DIFFERENT'}")
    print(f"{sum(same)} of {len(same)} the same")
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(_main())
