"""Which engine a command gets: as many workers as were asked for, or as fit the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmark import control_groups
from benchmark.engine.dask_engine import DaskEngine, check_address, cores, is_installed
from benchmark.engine.engine import ATTEMPTS, Engine, Watch
from benchmark.engine.one_by_one import OneByOne
from benchmark.errors import InputError

__all__ = ["check_engine", "engine_for", "gpus", "usual_workers"]

_MEMORY = 4 * 2**30
"""Bytes of memory for a worker; what this project ships runs in less."""


def gpus() -> tuple[str, ...]:
    """Return the GPUs of this machine, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(name.strip() for name in named.split(",") if name.strip() not in ("", "-1"))
    if (tool := shutil.which("nvidia-smi")) is None:
        return ()
    try:
        listed = subprocess.check_output([tool, "-L"], text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = [line for line in listed.splitlines() if line.startswith("GPU ")]
    return tuple(str(number) for number in range(len(lines)))


def usual_workers() -> int:
    """Return one worker for each GPU, else for each core that has 4 GiB; 1 without Dask."""
    if not is_installed():
        return 1
    if cards := len(gpus()):
        return cards
    limits = [limit for *_, limit in control_groups.memory_limits()]
    memory = min([psutil.virtual_memory().total, *limits])
    return max(1, min(cores(), int(memory // _MEMORY)))


def check_engine(workers: int | None, scheduler: str | None) -> None:
    """Refuse what no engine can be made of; see :func:`engine_for`.

    Raises:
        InputError: both are given, ``workers`` is less than 1, or the address is blank.
    """
    if scheduler is not None and workers is not None:
        raise InputError("give either --workers or --scheduler")
    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: make it 1 or more")
    check_address(scheduler)


def engine_for(
    logs: Path,
    workers: int | None,
    scheduler: str | None,
    attempts: int = ATTEMPTS,
    watch: Watch = lambda news: None,
    tell: Callable[[str], object] = lambda line: None,
) -> Engine:
    """Return the engine for ``--workers`` and ``--scheduler``.

    Args:
        logs: the folder of the works' logs.
        workers: on this machine; one does works one by one, and needs no Dask.
        scheduler: the address of a scheduler that runs already.
        attempts: see :class:`Engine`.
        watch: see :class:`Engine`.
        tell: takes a line that a person should know.

    Raises:
        InputError: both are given, ``workers`` is less than 1, Dask is not installed, or the
            address is blank or no scheduler answers there.
    """
    check_engine(workers, scheduler)
    if scheduler is not None:
        return DaskEngine(logs, scheduler=scheduler, attempts=attempts, watch=watch, tell=tell)
    number = usual_workers() if workers is None else workers
    if number == 1:
        return OneByOne(logs, attempts, watch)
    return DaskEngine(logs, number, gpus=gpus(), attempts=attempts, watch=watch, tell=tell)
