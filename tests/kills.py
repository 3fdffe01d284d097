"""Kill commands before each of their file operations, and at random moments.

``python -m tests.kills`` does so for every command that writes, which takes a while; the suite does
so for a few operations of each. After a kill every record that was stored reads whole and the same;
then the same command ends well, leaves what it leaves undisturbed, and nothing else but what
``clean`` knows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmark.results.scan import scan_runs
from tests.commands import COMMANDS, Command, Kill, finished, home_of, litter_in, start, state

__all__ = ["Trials"]


class Trials:
    """A command, its home before it, and what it leaves undisturbed.

    Attributes:
        operations: a letter for each file operation, ``o`` where a file is opened to be written.
        seconds: that it takes.
    """

    def __init__(self, command: Command, place: Path) -> None:
        self._command, self._place = command, place
        self._before = home_of(command, place / "before")
        for _ in range(2):  # the first starts the server that all are forked from
            home = self._home()
            begun = time.perf_counter()
            if finished(start(home, command.arguments, Kill(0))) != 0:
                raise RuntimeError(self._log())
            self.seconds = time.perf_counter() - begun
        self.operations = (place / "operations").read_text()
        self._wanted = state(home)
        self._stored = _stored(self._before, [])

    def _home(self) -> Path:
        home = self._place / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self._before, home)
        return home

    def _log(self) -> str:
        return (self._place / "log").read_text()

    def kills(self) -> Iterator[Kill]:
        """Yield a kill before each file operation, and one amid each file that is written."""
        for number, letter in enumerate(self.operations, 1):
            yield Kill(number)
            if letter == "o":
                yield Kill(number, half=True)

    def before(self, kill: Kill) -> list[str]:
        """Kill the command as told, and return what was not as it should be."""
        home = self._home()
        if finished(start(home, self._command.arguments, kill)) != -9:
            return [f"was not killed: {self._log()}"]
        return self._faults(home)

    def at(self, seconds: float) -> list[str]:
        """Kill the command after so many seconds, and return what was not as it should be."""
        home = self._home()
        process = start(home, self._command.arguments)
        process.join(seconds)
        process.kill()
        process.join()
        return self._faults(home)

    def _faults(self, home: Path) -> list[str]:
        faults: list[str] = []
        lost = self._stored - _stored(home, faults)
        faults += [f"lost: {each}" for each in sorted(lost)]
        before = state(self._before)
        for name, digest in state(home, "board.md", "out/*").items():
            if digest not in (before.get(name), self._wanted.get(name)):
                faults.append(f"{name} is half written")
        left = _copy(home)
        reasons = [*litter_in(left)]
        if state(left) != self._wanted:  # else it had done all
            if finished(start(home, self._command.arguments)) != 0:
                return [*faults, f"fails afterwards: {self._log()}"]
            reasons = [*litter_in(home)]
            faults += self._differing(state(home), reasons)
        return faults

    def _differing(self, found: dict[str, str], reasons: list[str]) -> list[str]:
        names = sorted(found.keys() | self._wanted.keys())
        differing = [name for name in names if found.get(name) != self._wanted.get(name)]
        return [f"{name} differs afterwards; clean took {reasons}" for name in differing]


def _copy(home: Path) -> Path:
    copy = home.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(home, copy))


def _stored(home: Path, faults: list[str]) -> set[str]:
    """Return what stored runs were asked; those that cannot be read are faults."""
    return {
        f"{results}: {run.info['model']}, seed {run.info['seed']}, {task}, {protocol}"
        for results in ("results", "results/kept")
        for run in scan_runs(home / results, faults.append)
        for task, protocol in set(run.requests()[["task", "protocol"]].itertuples(False, None))
    }


def _report(name: str, trials: Trials, times: int, rng: np.random.Generator) -> int:
    """Kill a command, print what came of it, and return the number of kills with a fault."""
    outcomes = [(str(kill), trials.before(kill)) for kill in trials.kills()]
    survived = sum(not faults for _, faults in outcomes)
    print(f"{name}: {len(trials.operations)} operations, {survived} of {len(outcomes)} survived")
    moments = (rng.random(times) * trials.seconds * 1.1).tolist()
    later = [(f"{moment:.3f} s", trials.at(moment)) for moment in moments]
    survived = sum(not faults for _, faults in later)
    print(f"{name}: {survived} of {len(later)} at random moments of {trials.seconds:.2f} s")
    faulty = [(kill, faults) for kill, faults in (*outcomes, *later) if faults]
    for kill, faults in faulty:
        print(f"  {kill}: {'; '.join(faults)}")
    return len(faulty)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=25, help="random moments for each command")
    parser.add_argument("--only", help="name of a command")
    asked = parser.parse_args()
    faulty, rng = 0, np.random.default_rng(0)
    for name, command in COMMANDS.items():
        if asked.only in (None, name):
            with tempfile.TemporaryDirectory() as place:
                faulty += _report(name, Trials(command, Path(place)), asked.times, rng)
    return min(faulty, 1)


if __name__ == "__main__":
    sys.exit(_main())
