"""Sweep, and kill workers and whole sweeps at random: nothing is lost, nothing made twice.

``python -m tests.sweep_kills`` does what the suite does for a tiny data set with 6 models, 2 data
sets and 3 seeds at preset quick, on 2 workers of one thread each: first every run one by one by
``run``, then a sweep, then one of which 20 times a process is killed by SIGKILL, then one that is
killed as a whole and started again until it is done. It wants an idle machine and the better part
of an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Sweeps", "faults_of"]

_WORKS = ("benchmark.engine.nursery", "spawn_main")
"""What the processes are called that do works, or hold those that do."""


@dataclass
class Sweeps:
    """Sweeps of the same runs, each into results of its own.

    Attributes:
        place: where everything is written.
        block: of the sweep file.
        workers: of each sweep.
        random: says when and whom to kill.
        environment: variables beside those of this process.
        pause: seconds between two kills, about.
    """

    place: Path
    block: dict[str, Any]
    workers: int = 2
    random: random.Random = field(default_factory=lambda: random.Random(0))
    environment: dict[str, str] = field(default_factory=lambda: {"OMP_NUM_THREADS": "1"})
    pause: float = 2.0

    def one_by_one(self) -> dict[str, str]:
        """Make all runs one after another by ``run``; return what came of them."""
        models, seeds = ",".join(self.block["models"]), ",".join(map(str, self.block["seeds"]))
        for dataset in self.block["datasets"]:
            chosen = ("--model", models, "--dataset", dataset, "--seeds", seeds)
            fixed = ("--preset", self.block["presets"][0], "--results", "alone")
            more = [f"--set={name}={value}" for name, value in self.block.get("set", {}).items()]
            self._run("run", *chosen, *fixed, *more)
        return answers(self.place / "alone")

    def sweep(self, name: str, kills: int = 0) -> dict[str, Any]:
        """Sweep once, killing so many processes; return the JSON document, and what is wrong.

        Raises:
            AssertionError: a run that was stored after a kill, or later, has changed.
        """
        process = self._start(name)
        killed, stored = self._kill_works(name, process, kills) if kills else (0, {})
        out: bytes | None = None
        while out is None:
            with suppress(subprocess.TimeoutExpired):
                out, _ = process.communicate(timeout=0.5)
            stored = _finished(self.place / name) | stored  # as it was told first
        assert stored.items() <= _finished(self.place / name).items(), "made again"
        document: dict[str, Any] = json.loads(out) if out.strip() else {}
        return {**document, "status": process.returncode, "killed": killed}

    def sweep_in_pieces(self, name: str, times: int, longest: float) -> tuple[int, dict[str, Any]]:
        """Kill a whole sweep so many times; return how often, and what the last one says.

        Raises:
            AssertionError: a run that was stored has changed.
        """
        killed, stored = 0, dict[str, str]()
        for _ in range(times):
            process = self._start(name)
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.random.uniform(0.2, 1.0) * longest)
            if process.poll() is not None:
                break
            process.kill()
            process.communicate()
            killed += 1
            assert stored.items() <= _finished(self.place / name).items(), "made again"
            stored = _finished(self.place / name)
        last = self.sweep(name)
        assert stored.items() <= _finished(self.place / name).items(), "made again"
        return killed, last

    def log(self, name: str) -> str:
        """Return what a sweep said on stderr, all times."""
        return (self.place / f"{name}.err").read_text()

    def _kill_works(
        self, name: str, process: subprocess.Popen[bytes], kills: int
    ) -> tuple[int, dict[str, str]]:
        """Kill processes below a sweep until so many are killed, or it has ended.

        Return how many, and when each run was finished that was stored at one of the kills.
        """
        killed, stored = 0, dict[str, str]()
        while "started on" not in self.log(name) and process.poll() is None:
            time.sleep(0.1)
        while killed < kills and process.poll() is None:
            time.sleep(self.random.uniform(0.5, 1.5) * self.pause)
            victims = list(_below(process.pid))
            if victims and process.poll() is None:
                with suppress(psutil.Error):
                    self.random.choice(victims).kill()
                    killed += 1
                    stored = _finished(self.place / name) | stored  # as it was told first
        return killed, stored

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        file = self.place / f"{name}.yaml"
        file.write_text(json.dumps({"runs": [self.block]}))  # which is YAML, too
        more = ("--workers", str(self.workers), "--retries", "30", "--results", name, "--json")
        with (self.place / f"{name}.err").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "benchmark", "sweep", str(file), *more],
                cwd=self.place,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def _run(self, *arguments: str) -> None:
        with (self.place / "alone.err").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "benchmark", *arguments],
                cwd=self.place,
                env=self._environment(),
                stdout=log,
                stderr=log,
                check=True,
            )

    def _environment(self) -> dict[str, str]:
        paths = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": paths, **self.environment}

    @property
    def expected(self) -> int:
        """How many runs there are."""
        return len(self.block["models"]) * len(self.block["datasets"]) * len(self.block["seeds"])


def _below(pid: int) -> Iterator[psutil.Process]:
    with suppress(psutil.Error):
        for each in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if any(name in " ".join(each.cmdline()) for name in _WORKS):
                    yield each


def answers(results: Path) -> dict[str, str]:
    """Return a digest of the answers of each run, by its folder below ``runs/``."""
    files = sorted(results.glob("runs/*/*/[!.]*/requests.parquet"))
    return {
        str(file.parent.relative_to(results)): sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def _finished(results: Path) -> dict[str, str]:
    """Return when each run was finished, by its folder."""
    return {
        str(file.parent): str(json.loads(file.read_text())["finished"])
        for file in results.glob("runs/*/*/[!.]*/run.json")
    }


def faults_of(name: str, sweeps: Sweeps, told: dict[str, Any], wanted: dict[str, str]) -> list[str]:
    """Return what is wrong with a sweep that has ended."""
    faults = []
    if told["status"] != 0:
        faults.append(f"{name}: exit status {told['status']}")
    found = answers(sweeps.place / name)
    if len(found) != sweeps.expected:
        faults.append(f"{name}: {len(found)} runs are stored, not {sweeps.expected}")
    faults += [f"{name}: {run} differs" for run in sorted(wanted) if found.get(run) != wanted[run]]
    lost = [run["title"] for run in told.get("runs", ()) if run["state"] == "failed"]
    faults += [f"{name}: {title} failed" for title in lost]
    twice = [step for step in told.get("shared", ()) if step["made"] != 1]
    faults += [f"{name}: {each['step']} was made {each['made']} times" for each in twice]
    if (left := sweeps.place / name / "checkpoints").exists():
        faults.append(f"{name}: {left} is left")
    return faults


def _report(name: str, begun: float, told: dict[str, Any], faults: Sequence[str]) -> int:
    states = [run["state"] for run in told.get("runs", ())]
    counted = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    steps = [step for step in told.get("shared", ()) if step["used"]]
    shared = "; ".join(f"{s['step']} of {s['dataset']} used {s['used']} times" for s in steps)
    print(
        f"{name}: {counted or 'no run'} in {time.monotonic() - begun:.0f} s; {shared}", flush=True
    )
    for fault in faults:
        print(f"  {fault}", flush=True)
    return len(faults)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="popularity,bm25,item-knn,sasrec,tiger,gensar")
    parser.add_argument("--datasets", default="ml-100k,amazon-office")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--whole", type=int, default=5, help="times that a whole sweep is killed")
    parser.add_argument("--pause", type=float, default=15, help="seconds between kills, about")
    parser.add_argument("--place", type=Path, help="folder to work in; what is there is used")
    asked = parser.parse_args()
    place = asked.place or Path(tempfile.mkdtemp(prefix="sweep-kills-"))
    place.mkdir(parents=True, exist_ok=True)
    block = {
        "models": asked.models.split(","),
        "datasets": asked.datasets.split(","),
        "seeds": [int(seed) for seed in asked.seeds.split(",")],
        "presets": [asked.preset],
    }
    sweeps = Sweeps(place.absolute(), block, pause=asked.pause)
    print(f"in {place}", flush=True)
    begun = time.monotonic()
    wanted = sweeps.one_by_one()
    print(f"one by one: {len(wanted)} runs in {time.monotonic() - begun:.0f} s", flush=True)
    faults = 0 if len(wanted) == sweeps.expected else 1

    begun = time.monotonic()
    told = sweeps.sweep("plain")
    faults += _report("plain", begun, told, faults_of("plain", sweeps, told, wanted))
    begun = time.monotonic()
    again = sweeps.sweep("plain")
    faults += _report("plain again", begun, again, faults_of("plain", sweeps, again, wanted))
    faults += any(run["state"] != "stored" for run in again["runs"])

    begun = time.monotonic()
    told = sweeps.sweep("killed", asked.kills)
    print(f"killed: {told['killed']} processes", flush=True)
    faults += _report("killed", begun, told, faults_of("killed", sweeps, told, wanted))

    longest = (time.monotonic() - begun) / 2
    begun = time.monotonic()
    killed, told = sweeps.sweep_in_pieces("pieces", asked.whole, longest)
    print(f"pieces: the whole sweep was killed {killed} times", flush=True)
    faults += _report("pieces", begun, told, faults_of("pieces", sweeps, told, wanted))
    return min(faults, 1)


if __name__ == "__main__":
    sys.exit(_main())
