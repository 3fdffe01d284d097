"""Writing results to stdout, and remarks to stderr."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmark import signals
from benchmark.errors import BenchmarkError, InputError
from benchmark.failures import ForeignCodeError, described, is_of_the_machine
from benchmark.progress_lines import timed
from benchmark.remarks import remark

__all__ = [
    "discard_stdout",
    "progress",
    "remark",
    "remarks",
    "show",
    "show_error",
    "show_json",
    "show_table",
]


def show(text: str) -> None:
    """Write to stdout; a reader that has closed it, such as ``head``, is no error.

    Characters that the terminal's encoding lacks are written as escapes.

    Raises:
        InputError: stdout cannot be written to.
    """
    signals.check()
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()  # the command goes on, and ends with the status that it would have had
    except OSError as error:
        discard_stdout()
        raise InputError(f"stdout: {error.strerror}") from error


def discard_stdout() -> None:
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


def progress(line: str) -> None:
    """Write one line to stderr, with the time of day where that is a log and no terminal."""
    remark(line if sys.stderr.isatty() else timed(line))


def show_error(error: BaseException) -> None:
    """Tell an error in one line on stderr; ``--debug`` shows the traceback before it.

    One that nobody foresaw is a fault of this package, unless memory or a file failed.
    """
    if "--debug" in sys.argv[1:]:
        with suppress(OSError):
            traceback.print_exception(error)
    foreseen = isinstance(error, BenchmarkError) or is_of_the_machine(error)
    said = " ".join(str(error).split()) if isinstance(error, BenchmarkError) else described(error)
    cause = error.__cause__
    if isinstance(error, ForeignCodeError) and cause and not is_of_the_machine(cause):
        said += "; --debug shows the traceback"
    elif not foreseen:
        said = f"internal error: {said}; --debug shows the traceback; please report it"
    remark(f"error: {said}")


@contextmanager
def remarks() -> Iterator[Callable[[str], None]]:
    """Collect lines for stderr; they are dropped where an error says all that matters."""
    lines: list[str] = []
    yield lines.append
    for line in lines:
        remark(line)
