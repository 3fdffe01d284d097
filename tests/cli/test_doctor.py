"""``doctor`` tells what there is, what is missing, and fails where nothing could run."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys

import pytest

from benchmark.cli import doctor
from benchmark.cli.app import SCRIPT
from benchmark.version import __version__

from .conftest import Command


def test_everything_that_a_run_needs_is_there(command: Command) -> None:
    found = {each["what"]: each for each in command("doctor", "--json").json}
    assert found["search-rec-benchmark"]["found"] == __version__
    assert all(found[name]["state"] == "ok" for name in doctor.NEEDED)
    assert "ml-100k" in found["data sets here"]["found"]
    assert float(found["speed"]["found"].split()[0]) > 0
    shown = command("doctor").out
    assert all(name in shown for name in (*doctor.NEEDED, *doctor.WANTED))


def test_what_is_missing_is_told_with_what_to_do(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.metadata.version

    def without(name: str) -> str:
        if name in ("recbole", "pyarrow"):
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", without)
    done = command("doctor", "--json")
    found = {each["what"]: each for each in done.json}
    assert (found["recbole"]["state"], found["pyarrow"]["state"]) == ("missing", "wrong")
    assert "--no-deps recbole" in found["recbole"]["help"]
    assert done.status == 1
    assert "pyarrow" in done.err


def test_the_version_is_told_by_command_and_script(command: Command) -> None:
    assert command("--version").out == f"{__version__}\n"
    assert importlib.metadata.version("search-rec-benchmark") == __version__


def test_a_shell_can_complete_the_script() -> None:
    code = f"import sys; sys.argv = ['{SCRIPT}']\nfrom benchmark.__main__ import main\nmain()\n"
    asked = {
        "_SR_BENCHMARK_COMPLETE": "complete_bash",
        "COMP_WORDS": f"{SCRIPT} lea",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["leaderboard"]
