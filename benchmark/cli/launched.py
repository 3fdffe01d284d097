"""Commands that were started several times at once, by ``accelerate launch`` or ``torchrun``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from benchmark.cli.output import show_error
from benchmark.errors import BenchmarkError, InputError
from benchmark.processes import ALONE, Processes

__all__ = ["hush", "launched_together", "refuse_several"]

SHARING = ("run",)
"""The commands whose work several processes share."""


def refuse_several(command: str | None) -> None:
    """Refuse a command that several processes would each do in full.

    Raises:
        InputError: it is one.
    """
    if _launched() > 1 and command is not None and command not in SHARING:
        raise InputError(
            f"{command}: {_launched()} processes were started, and it needs one; only"
            f" {', '.join(SHARING)} shares its work among several"
        )


def hush() -> None:
    """Let one process of each machine say what is wrong before they have found each other."""
    if _launched() > 1 and os.environ.get("LOCAL_RANK", "0") != "0":
        _silence()


@contextmanager
def launched_together(device: str) -> Iterator[Processes]:
    """Give the processes that were started with this one, of which the first speaks for all.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        Exit: something failed; what it was is told.
    """
    if _launched() == 1:
        yield ALONE
        return
    from benchmark.process_group import joined

    processes = joined(cpu=device == "cpu")
    if not processes.first:
        _silence()
    try:
        with processes.together():
            yield processes
    except BenchmarkError as error:
        # Told before they part: a launcher that sees one of them end in failure ends them all.
        show_error(error)
        raise typer.Exit(error.exit_status) from error
    finally:
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
            processes.leave()


def _launched() -> int:
    number = os.environ.get("WORLD_SIZE", "1")
    return int(number) if number.isdecimal() else 1


def _silence() -> None:
    """Let nothing more be seen of this process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(nowhere, stream.fileno())
