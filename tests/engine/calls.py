"""What works of the tests call, in processes of their own."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from benchmark.errors import InputError
from benchmark.locks import BusyError, locked
from benchmark.running.environment import peak_memory_mib


def add(*numbers: int) -> int:
    print("adding")
    print("carefully", file=sys.stderr)
    return sum(numbers)


def refuse(reason: str) -> None:
    raise InputError(reason)


def stumble() -> None:
    raise KeyError("a fault")


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def die_at_first(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def hold_much(mebibytes: int) -> float:
    """Return the peak memory of this process, in MiB, after it has held so much."""
    np.ones(mebibytes * 2**17)
    return peak_memory_mib()


def give_what_cannot_be_sent() -> object:
    return lambda: None


def wait_for(place: Path) -> str:
    with locked(place, wait=0):
        return "had it"


def hold(place: Path, seconds: float) -> None:
    with locked(place, wait=0):
        time.sleep(seconds)


def append(file: Path, passes: Path, seconds: float) -> None:
    """Work for a while, then put a line into a file, alone with it, unless that was done.

    As a run does: a worker that dies after its work and before it tells leaves that to be found.
    Each pass that gets to its end leaves a line in ``passes``, whether it found that or not.
    """
    with locked(file, wait=60):
        if not file.exists():
            time.sleep(seconds)
            with file.open("a") as stream:
                stream.write(f"{os.getpid()}\n")
        with passes.open("a") as stream:
            stream.write(f"{file.name}\n")


def named(variable: str) -> str | None:
    return os.environ.get(variable)


def threads() -> int:
    """Return on how many threads torch computes."""
    import torch

    return torch.get_num_threads()


def leave_in_order(mark: Path) -> None:
    """Wait for good; when interrupted, say so."""
    mark.with_suffix(".begun").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        mark.touch()
        raise


def busy(reason: str) -> None:
    raise BusyError(reason)
