"""Writing results to stdout, and remarks to stderr; whatever is shown does nothing there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from benchmark.errors import InputError
from benchmark.plain_text import plain, plain_json

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "progress",
    "remark",
    "remarks",
    "show",
    "show_json",
    "show_lines",
    "show_table",
    "terminal_width",
]


def show(text: str) -> None:
    """Write lines to stdout; a reader that has closed it, such as ``head``, is no error.

    What a terminal would act on, and characters that its encoding lacks, are written as escapes.

    Raises:
        InputError: stdout cannot be written to.
    """
    lines = "\n".join(map(plain, text.split("\n")))
    encoding = _encoding()
    try:
        sys.stdout.write(lines.encode(encoding, "backslashreplace").decode(encoding))
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


def show_lines(lines: Iterable[str]) -> None:
    """Write each text in a line of its own, whatever characters it has."""
    show("".join(f"{plain(line)}\n" for line in lines))


def show_json(value: Any) -> None:
    """Write one JSON document."""
    show(plain_json(value, _encoding()))


def show_table(table: Table) -> None:
    """Write a table in whatever layout the terminal has room for; nothing is cut."""
    from benchmark.cli.tables import drawn

    show(drawn(table, terminal_width()))


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, ``None`` where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


def remark(line: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(plain(line) + "\n")


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
