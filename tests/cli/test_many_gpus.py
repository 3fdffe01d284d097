"""The commands of ``docs/many-gpus.md`` that need no GPU, each by its own launcher."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.registry import available
from tests.processes import free_port
from tests.support import write_tiny

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/many-gpus.md").read_text(encoding="utf-8")
COMMANDS = [
    command.replace("\\\n", " ")
    for command in re.findall(r"^ {4}((?:.*\\\n)*.*)$", TEXT, flags=re.MULTILINE)
]
LAUNCHERS = {"accelerate": "accelerate.commands.launch", "torchrun": "torch.distributed.run"}
ON_CPU = [command for command in COMMANDS if "--preset quick" in command]
TINY = ["--dataset", "data/tiny", "--set=epochs=1", "--set=width=8", "--set=inner=8"]


def _started(command: str, home: Path, *more: str) -> subprocess.Popen[str]:
    name, *arguments = shlex.split(command)
    arguments = arguments[1:] if name == "accelerate" else arguments
    port = {"accelerate": "--main_process_port", "torchrun": "--master_port"}[name]
    if port not in arguments:
        arguments = [port, str(free_port()), *arguments]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCHMARK_CACHE": str(home / "cache"),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", LAUNCHERS[name], *arguments, *TINY, *more],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _processes(home: Path) -> int:
    (file,) = home.glob("results/runs/*/*/*/run.json")
    return int(json.loads(file.read_text())["environment"]["processes"])


@pytest.mark.parametrize("command", ON_CPU)
def test_the_documented_commands_run_on_the_cpu(command: str, tmp_path: Path) -> None:
    write_tiny(tmp_path / "data" / "tiny")
    process = _started(command, tmp_path)
    shown, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert shown.count("ndcg@10") == 1
    assert _processes(tmp_path) == 2


def test_two_machines_make_one_run(tmp_path: Path) -> None:
    """They are two folders of this one, of which only the first gets results."""
    (command,) = (c for c in COMMANDS if "--num_machines 2" in c)
    command = command.replace("10.0.0.1", "127.0.0.1").replace("29500", str(free_port()))
    command = command.replace("--num_processes 8", "--num_processes 2").replace("gensar", "sasrec")
    started = []
    for rank in (0, 1):
        home = tmp_path / f"machine{rank}"
        write_tiny(home / "data" / "tiny")
        own = command.replace("--machine_rank 0", f"--machine_rank {rank}")
        started.append(_started(own, home, "--preset", "quick"))
    ends = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], ends
    assert _processes(tmp_path / "machine0") == 2
    assert not (tmp_path / "machine1" / "results").exists()
    assert ends[1][0] == ""


def test_the_page_names_the_models_that_share_their_training() -> None:
    section = TEXT.partition("## Which models")[2].partition("share training")[0]
    sharing = {n for n, entry in available().items() if entry.load().shares_training}
    assert set(re.findall("`([^`]+)`", section)) == sharing
    assert len(ON_CPU) == 2
