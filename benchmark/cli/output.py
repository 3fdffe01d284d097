"""Writing results to stdout, and remarks to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from benchmark.errors import InputError

__all__ = ["progress", "remark", "remarks", "show", "show_json", "show_table"]


def show(text: str) -> None:
    """Write to stdout; a reader that has closed it, such as ``head``, is no error.

    Characters that the terminal's encoding lacks are written as escapes.

    Raises:
        InputError: stdout cannot be written to.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError as error:
        _discard_stdout()
        raise typer.Exit(0) from error
    except OSError as error:
        _discard_stdout()
        raise InputError(f"stdout: {error.strerror}") from error


def _discard_stdout() -> None:
    """Let what is still buffered go nowhere, or Python complains about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_json(value: Any) -> None:
    """Write one JSON document."""
    show(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def show_table(table: Table) -> None:
    """Write a table; lines are neither cut nor wrapped where stdout is no terminal."""
    terminal = sys.stdout.isatty()
    drawn = StringIO()
    console = Console(
        file=drawn,
        force_terminal=terminal,
        width=None if terminal else 10_000,
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(table)
    show(drawn.getvalue())


def remark(line: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(line + "\n")


def progress(line: str) -> None:
    """Write one line to stderr if a person watches it there."""
    if sys.stderr.isatty():
        remark(line)


@contextmanager
def remarks() -> Iterator[Callable[[str], None]]:
    """Collect lines for stderr; they are dropped where an error says all that matters."""
    lines: list[str] = []
    yield lines.append
    for line in lines:
        remark(line)
