"""docs/many-runs.md is run: its sweep file, its commands, and a scheduler with workers by hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from benchmark.sweeping.sweep_file import Block

pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "many-runs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
FILE = next(text for kind, text in BLOCKS if kind == "yaml")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    paths = (str(ROOT), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    return tmp_path


def _started(command: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a command as a shell does that has this environment's programs."""
    words = shlex.split(command)
    settings = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    program, *arguments = words[len(settings) :]
    start = [sys.executable] if program == "python" else [sys.executable, "-m", program]
    with log.open("ab") as stream:
        return subprocess.Popen(
            [*start, *arguments], env={**os.environ, **settings}, stdout=stream, stderr=stream
        )


@contextmanager
def _at_work(command: str, log: Path) -> Iterator[int]:
    """Run a command inside, and give its process's number."""
    process = _started(command, log)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _has_worked(pid: int) -> bool:
    """Return whether below a worker there is a process that works were forked from."""
    below = psutil.Process(pid).children(recursive=True)
    return any("benchmark.engine.nursery" in each.cmdline() for each in below)


def _documented(start: str) -> str:
    (command,) = [line for line in COMMANDS if start in line]
    return command


def test_the_commands_run_and_a_scheduler_serves_a_sweep(place: Path) -> None:
    """One after another into the same results, so that little is trained: each takes seconds."""
    plan, local, served = (
        _documented(each) for each in ("--dry-run", "--workers", "sweep mine.yaml --scheduler")
    )
    log = place / "log"
    assert _started(plan, log).wait(120) == 0, log.read_text()
    assert "5 runs: 0 stored, 5 to be made" in log.read_text()
    port = str(20_000 + os.getpid() % 10_000)
    scheduler, worker, served = (
        command.replace("8786", port)
        for command in (_documented("dask scheduler"), _documented("dask worker"), served)
    )
    out = place / "out"
    with ExitStack() as stack:
        _, *workers = (
            stack.enter_context(_at_work(command, place / f"dask-{number}.log"))
            for number, command in enumerate((scheduler, worker, worker))
        )
        begun = time.monotonic()
        while not all("Registered to" in (place / f"dask-{n}.log").read_text() for n in (1, 2)):
            assert time.monotonic() - begun < 120
            time.sleep(0.2)
        assert _started(f"{served} --json", out).wait(300) == 0, out.read_text()
        assert all(_has_worked(pid) for pid in workers)
    text = out.read_text()
    told = json.loads(text[text.index("{\n") :])
    assert [run["state"] for run in told["runs"]] == ["done"] * 5
    assert _started(local, log).wait(120) == 0 and "│ stored │" in log.read_text()


def test_every_field_of_a_sweep_file_is_described() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"\w+", row)}
    assert described == set(Block.model_fields)


def test_recipes_are_python_that_sweeps_a_file_of_the_page() -> None:
    recipes = [text for kind, text in BLOCKS if kind == "python"]
    assert len(recipes) == 2 and yaml.safe_load(FILE)["runs"]
    for recipe in recipes:
        compile(recipe, "docs/many-runs.md", "exec")
        assert '"sweep"' in recipe and "mine.yaml" in recipe
