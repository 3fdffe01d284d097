"""Kill a search on several workers, its workers and itself, and look whether anything was lost.

``python -m tests.tune_kills`` kills a search by ``sasrec`` on ml-100k ten times at random moments,
by SIGKILL: now a process that a trial is in or that serves one, now the command, which is then
started again. The suite does so a few times on small data. Afterwards every trial is there once,
with the settings that it was planned with and, once it had ended, with the value that it had then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmark.errors import BenchmarkError
from benchmark.tuning.open_study import trials_in
from benchmark.tuning.stored import read_study
from benchmark.tuning.trials import Trial
from tests.commands import litter_in

__all__ = ["Killed", "faults_of"]


@dataclass
class Killed:
    """A search that is killed again and again.

    Attributes:
        home: where the command runs; its results are in ``results``.
        arguments: of ``python -m benchmark tune``.
        trials: that it is to come to.
        kills: what was killed, in words.
        faults: what was not as it should be.
        seen: the latest of each trial, by number.
    """

    home: Path
    arguments: Sequence[str]
    trials: int
    kills: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seen: dict[int, Trial] = field(default_factory=dict)

    def run(self, times: int, every: float, rng: np.random.Generator, within: float) -> list[str]:
        """Kill ``times`` times, then let the search end, and return all faults.

        Args:
            times: how often.
            every: most seconds before a kill, from the moment that a process is there for a trial.
            rng: draws moments and victims.
            within: seconds that the end may take.
        """
        command = self._started()
        while len(self.kills) < times:
            if command.poll() is not None:
                self.faults.append(f"ended with {command.returncode} after {self.kills}")
                return self.faults
            time.sleep(0.05)
            if not (self._at_work() and self._helpers(command.pid, "engine.nursery")):
                continue
            time.sleep(float(rng.uniform(0, every)))
            victims = self._helpers(command.pid)
            if not victims or rng.random() < 0.4:
                command.kill()
                command.wait()
                self.kills.append("the command")
                self._look()
                command = self._started()
            else:
                victim = victims[int(rng.integers(len(victims)))]
                with suppress(psutil.Error):
                    name = " ".join(victim.cmdline()[1:4])
                    victim.kill()
                    self.kills.append(name)
                self._look()
        try:
            status = command.wait(within)
        except subprocess.TimeoutExpired:
            command.kill()
            status = command.wait()
        if status != 0:
            self.faults.append(f"ended with {status} at last: {self._log()[-2000:]}")
        self._look()
        self._check_end()
        return self.faults

    def _started(self) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "benchmark", "tune", *self.arguments],
                cwd=self.home,
                stdout=log,
                stderr=log,
            )

    def _log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    @property
    def _folder(self) -> Path | None:
        """The study's folder, once there is one."""
        found = {f.parent.parent for f in self.home.glob("results/tuning/*/*/*/trials/*.json")}
        found |= {file.parent for file in self.home.glob("results/tuning/*/*/*/study.json")}
        return min(found, default=None)

    def _at_work(self) -> bool:
        return any(self.home.glob("results/tuning/*/*/*/trials/[1-9]*.json"))

    def _helpers(self, command: int, named: str = "") -> list[psutil.Process]:
        """Return the processes that the command has started, and what these have."""
        with suppress(psutil.Error):
            below = psutil.Process(command).children(recursive=True)
            lines = {each: " ".join(each.cmdline()) for each in below}
            return [p for p, line in lines.items() if named in line and "tracker" not in line]
        return []

    def _look(self) -> None:
        """Compare the trials on the disk with those that were there before."""
        folder = self._folder
        if folder is None:
            return
        try:
            now = trials_in(folder)
        except BenchmarkError as error:
            self.faults.append(f"after {self.kills[-1:]}: {error}")
            return
        for number, before in self.seen.items():
            trial = now.get(number)
            if trial is None:
                self.faults.append(f"trial {number} is lost after {self.kills[-1:]}")
            elif trial.settings != before.settings:
                self.faults.append(f"trial {number} has other settings after {self.kills[-1:]}")
            elif before.state != "open" and trial != before:
                self.faults.append(f"trial {number} was made again after {self.kills[-1:]}")
        self.seen |= now

    def _check_end(self) -> None:
        folder = self._folder
        study = None if folder is None else read_study(folder)
        if folder is None or study is None:
            self.faults.append("there is no study")
            return
        numbers = [trial.number for trial in study.trials]
        if numbers != [*range(1, self.trials + 1)]:
            self.faults.append(f"the study has trials {numbers}, not {self.trials}")
        for why in litter_in(self.home):
            known = ("half written by a process that has ended", "the lock of a process that has")
            if not why.startswith(known):
                self.faults.append(f"litter: {why}")
        left = [f for f in folder.rglob("*") if f.is_file() and f.name != "study.json"]
        self.faults += [f"left behind: {file}" for file in left]


def faults_of(
    home: Path, arguments: Sequence[str], trials: int, times: int, every: float, seed: int
) -> Killed:
    """Search with two workers and kill; the faults are in what is returned.

    Args:
        home: an empty folder, or one with what the arguments name.
        arguments: of ``tune``, without trials and workers.
        trials: how many.
        times: how often something is killed.
        every: most seconds between two kills.
        seed: of moments and victims.
    """
    more = "--trials", str(trials), "--workers", "2"
    killed = Killed(home, [*arguments, *more], trials)
    killed.run(times, every, np.random.default_rng(seed), 3600)
    return killed


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="sasrec")
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--set", action="append", default=[], help="NAME=VALUE")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--every", type=float, default=10.0, help="most seconds between kills")
    parser.add_argument("--seed", type=int, default=1)
    asked: Any = parser.parse_args()
    arguments = ["--model", asked.model, "--dataset", asked.dataset, "--preset", asked.preset]
    arguments += [f"--set={each}" for each in asked.set]
    with tempfile.TemporaryDirectory() as home:
        killed = faults_of(
            Path(home), arguments, asked.trials, asked.times, asked.every, asked.seed
        )
        print(f"{len(killed.kills)} killed: {', '.join(killed.kills)}")
        for number, trial in sorted(killed.seen.items()):
            print(f"trial {number}: {trial.told()}")
        for fault in killed.faults:
            print(f"fault: {fault}")
        if killed.faults:
            print(killed._log()[-3000:])
        print(f"{len(killed.faults)} faults")
    return min(len(killed.faults), 1)


if __name__ == "__main__":
    sys.exit(_main())
