"""A shell for the documentation's commands, in a folder that holds its files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmark.cli.app import main

__all__ = ["Done", "Shell"]


@dataclass(frozen=True)
class Done:
    status: int
    stdout: str
    stderr: str


class Shell:
    """Runs commands in ``place``, where the documentation's package can be found."""

    def __init__(
        self, place: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.place, self._patch, self._capture = place, patch, capture

    def run(self, command: str) -> Done:
        """Run ``python -m benchmark …`` in this process."""
        arguments = [part for word in arguments_of(command) for part in self._expanded(word)]
        assert arguments[:2] == ["-m", "benchmark"], f"{command}: put it into CHECKED_OTHERWISE"
        self._patch.setattr(sys, "argv", arguments[1:])
        self._capture.readouterr()
        with pytest.raises(SystemExit) as finished:
            main()
        code = finished.value.code
        return Done(code if isinstance(code, int) else 0, *self._capture.readouterr())

    def _expanded(self, word: str) -> list[str]:
        """Expand a pattern as a shell does."""
        found = (
            sorted(p.relative_to(self.place) for p in self.place.glob(word)) if "*" in word else []
        )
        return [str(path) for path in found] or [word]

    def execute(self, script: str) -> str:
        """Execute Python and return what it prints."""
        self._capture.readouterr()
        exec(compile(script, "documentation", "exec"), {"__name__": "__main__"})
        return self._capture.readouterr().out

    def spawn(self, command: str) -> Done:
        """Run ``python …`` in a process of its own."""
        paths = [str(self.place / "tfidf" / "src"), os.environ.get("PYTHONPATH", "")]
        done = subprocess.run(
            [sys.executable, *arguments_of(command)],
            cwd=self.place,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def arguments_of(command: str) -> list[str]:
    first, *others = shlex.split(command)
    assert first == "python", f"{command}: say in CHECKED_OTHERWISE how this is to be checked"
    return others
