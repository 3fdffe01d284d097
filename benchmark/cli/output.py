"""Writing results to stdout, and remarks to stderr; whatever is shown does nothing there."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark import signals
from benchmark.errors import BenchmarkError, InputError
from benchmark.failures import ForeignCodeError, OwnFaultError, described, is_of_the_machine
from benchmark.plain_text import plain, plain_json
from benchmark.progress_lines import timed
from benchmark.remarks import remark

if TYPE_CHECKING:
    from rich.table import Table

    from benchmark.cli.pages import Part

__all__ = [
    "discard_stdout",
    "page_text",
    "progress",
    "remark",
    "remarks",
    "show",
    "show_error",
    "show_json",
    "show_lines",
    "show_page",
    "show_table",
    "terminal_width",
]


def show(text: str) -> None:
    """Write lines to stdout; a reader that has closed it, such as ``head``, is no error.

    What a terminal would act on, and characters that its encoding lacks, are written as escapes.

    Raises:
        InputError: stdout cannot be written to.
    """
    signals.check()
    lines = "\n".join(map(plain, text.split("\n")))
    encoding = _encoding()
    try:
        sys.stdout.write(lines.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()  # the command goes on, and ends with the status that it would have had
    except OSError as error:
        discard_stdout()
        raise InputError(f"stdout: {error.strerror}") from error


def discard_stdout() -> None:
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

    show(drawn(table, terminal_width(), _encoding()))


def show_page(parts: Iterable[Part]) -> None:
    """Write headings, entries, tables and histograms in whatever layout there is room for."""
    show(page_text(parts))


def page_text(parts: Iterable[Part]) -> str:
    """Return what :func:`show_page` writes."""
    from benchmark.cli.pages import page

    return page(parts, terminal_width(), _encoding())


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, ``None`` where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


def progress(line: str) -> None:
    """Write one line to stderr, with the time of day where that is a log and no terminal."""
    remark(line if sys.stderr.isatty() else timed(line))


def show_error(error: BaseException) -> None:
    """Tell an error in one line on stderr; ``--debug`` shows the traceback before it.

    One that nobody foresaw is a fault of this package, unless memory or a file failed.
    """
    if "--debug" in sys.argv[1:]:
        for line in "".join(traceback.format_exception(error)).rstrip().split("\n"):
            remark(line)
    told = isinstance(error, BenchmarkError)
    said = " ".join(str(error).split()) if told else described(error)
    of_others, our_own = (isinstance(error, k) for k in (ForeignCodeError, OwnFaultError))
    cause = error.__cause__ if of_others or our_own else None
    if is_of_the_machine(cause or error):
        pass
    elif of_others:
        said += "; --debug shows the traceback"
    elif our_own or not told:
        said = f"internal error: {said}; --debug shows the traceback; please report it"
    remark(said, alarm="error:")


@contextmanager
def remarks() -> Iterator[Callable[[str], None]]:
    """Collect lines for stderr; they are dropped where an error says all that matters."""
    lines: list[str] = []
    yield lines.append
    for line in lines:
        remark(line)
