from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main


@dataclass(frozen=True)
class Done:
    """A finished command: anything but a clean exit has failed the test already."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(shared_cache))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``python -m benchmark`` with the arguments, in this process."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        told = capsys.readouterr()
        return Done(int(caught.value.code or 0), told.out, told.err)

    return call


@pytest.fixture
def popularity(command: Command, tiny_folder: Path) -> Command:
    """Run ``popularity`` on the tiny data set with further arguments."""

    def call(*arguments: object) -> Done:
        return command("run", "--model", "popularity", "--dataset", tiny_folder, *arguments)

    return call


def assert_refused(done: Done) -> None:
    """Bad usage or input: status 2, nothing on stdout, one line on stderr."""
    assert done.status == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("\n")


def assert_stopped(done: Done) -> None:
    """As :func:`assert_refused`, behind remarks on the data."""
    assert done.status == 2
    assert done.out == ""
    *remarks, error = done.err.splitlines()
    assert error.startswith("error: ")
    assert not any(line.startswith(("error", "Traceback", " ")) for line in remarks)
