"""Exceptions in one line: whose code failed, of what, and where."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import extract_tb

from benchmark import signals
from benchmark.errors import BenchmarkError, out_of_memory
from benchmark.plain_text import plain

__all__ = [
    "ForeignCodeError",
    "OwnFaultError",
    "blaming",
    "described",
    "is_of_the_machine",
    "owning",
]

_LONGEST = 300


class ForeignCodeError(BenchmarkError):
    """Code that is not this package's failed; the message says whose, and its cause how."""


class OwnFaultError(BenchmarkError):
    """This package's own code failed; the message says how, and so does its cause."""


@contextmanager
def blaming(whom: str) -> Iterator[None]:
    """Run code of somebody else: whatever it raises becomes one error, which names ``whom``.

    ``sys.exit`` counts as raised. What the code prints goes to stderr, as stdout is for results.

    Raises:
        ForeignCodeError: it raised; one of our own errors goes on as it is.
        KeyboardInterrupt: it was interrupted, whatever it made of that.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (BenchmarkError, KeyboardInterrupt):
        signals.check()
        raise
    except BaseException as error:
        signals.check()
        raise ForeignCodeError(f"{whom}: {described(error)}") from error


@contextmanager
def owning() -> Iterator[None]:
    """Run code of this package on behalf of others, who are not to be blamed for what it raises.

    Raises:
        OwnFaultError: it raised what it should not have; one of our own errors goes on as it is.
    """
    try:
        yield
    except BenchmarkError:
        raise
    except Exception as error:
        signals.check()
        raise OwnFaultError(described(error)) from error


def described(error: BaseException) -> str:
    """Return in one line what an exception says; of one that the machine is no cause of, where."""
    if out_of_memory(error):
        said = f" ({message})" if (message := _message(error)) else ""
        return f"memory ran out{said}; give it more, or take smaller data or batches"
    if isinstance(error, OSError) and error.strerror:
        files = [plain(str(f)) for f in (error.filename, error.filename2) if f is not None]
        return ": ".join([*files[:1], error.strerror])
    if isinstance(error, SystemExit):
        said = f"sys.exit({plain(repr(error.code), _LONGEST)}) was called"
    elif isinstance(error, RecursionError):
        said = "RecursionError: something is nested too deeply"
    else:
        said = f"{type(error).__name__}: {_message(error)}".rstrip(": ")
    return f"{said}{_place(error)}"


def is_of_the_machine(error: BaseException) -> bool:
    """Return whether memory, a file or a device failed, rather than the code that used it."""
    return out_of_memory(error) or (isinstance(error, OSError) and bool(error.strerror))


def _message(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an exception of somebody else, which may be anything
        return ""
    return plain(lines[0], _LONGEST) if lines else ""


def _place(error: BaseException) -> str:
    frames = extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f" ({plain(Path(frames[-1].filename).name)}:{frames[-1].lineno})"
