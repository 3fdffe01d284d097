"""Functions and commands that several processes run together, on the CPU of this machine."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TypeVar

from tests.commands import context, finished

__all__ = ["Outcome", "command", "free_port", "launched", "together"]

T = TypeVar("T")


def launched(rank: int, count: int, port: int) -> dict[str, str]:
    """Return the environment variables by which a launcher tells a process who it is."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    told = {name: str(number) for name, number in numbers.items()}
    return told | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def together(
    function: Callable[..., T], *arguments: object, count: int = 2, within: float = 120
) -> list[T | str]:
    """Call a function with the processes and ``arguments`` in each of several processes.

    It is one of a module, as it has to be found by its name. The result is what it returns in each
    process; where it raised, what the exception says; where the process died, how.
    """
    port, started = free_port(), []
    for rank in range(count):
        here, there = context().Pipe(duplex=False)
        told = launched(rank, count, port), there, function, arguments
        started.append((context().Process(target=_call, args=told), here))
        started[-1][0].start()
        there.close()
    results = [_result(process, here, within) for process, here in started]
    for process, _ in started:
        process.join(10)
        process.kill()
    return results


def _result(process: ForkServerProcess, here: Connection, within: float) -> Any:
    try:
        return here.recv() if here.poll(within) else f"not done within {within:.0f} s"
    except EOFError:
        process.join()
        return f"exit status {process.exitcode}"


def _call(
    told: dict[str, str],
    result: Connection,
    function: Callable[..., T],
    arguments: tuple[object, ...],
) -> None:
    os.environ.update(told)
    import torch

    from benchmark import process_group

    torch.set_num_threads(1)
    process_group._LAST_WORD = 0.1
    processes = process_group.joined(cpu=True)
    try:
        value: object = function(processes, *arguments)
    except Exception as error:
        value = f"{type(error).__name__}: {error}"
    result.send(value)
    processes.leave()


@dataclass(frozen=True)
class Outcome:
    """How a command ended in one process: its exit status, and what it wrote to both streams."""

    status: int | None
    stdout: str
    stderr: str


def command(
    home: Path,
    *arguments: str,
    count: int = 2,
    sabotage: Callable[[int], None] | None = None,
    within: float = 120,
) -> list[Outcome]:
    """Give ``python -m benchmark`` in ``home`` to several processes, as a launcher does.

    ``sabotage`` is called in each with its number before.
    """
    port = free_port()
    streams = [home / f"{rank}" for rank in range(count)]
    started = [
        context().Process(
            target=_run, args=(launched(rank, count, port), stream, arguments, sabotage)
        )
        for rank, stream in enumerate(streams)
    ]
    for process in started:
        process.start()
    ends = [finished(process, within) for process in started]
    return [
        Outcome(end, *(stream.with_suffix(s).read_text() for s in (".out", ".err")))
        for end, stream in zip(ends, streams, strict=True)
    ]


def _run(
    told: dict[str, str],
    streams: Path,
    arguments: tuple[str, ...],
    sabotage: Callable[[int], None] | None,
) -> None:
    from benchmark.cli import main

    os.environ.update(told)
    os.environ["BENCHMARK_CACHE"] = str(streams.parent / "cache")
    os.chdir(streams.parent)
    for number, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(streams.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["benchmark", *arguments]
    if sabotage is not None:
        sabotage(int(told["RANK"]))
    main()
