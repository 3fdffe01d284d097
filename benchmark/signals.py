"""Signals that end a command: one line, and the exit status 128 + the signal's number.

Before and after a command's work there is nothing to clean up, and a signal ends the process at
once. Within :func:`interruptible` it raises ``KeyboardInterrupt`` in the main thread, whatever the
signal, so that everything is left in order. What is imported here is there when Python starts:
this is the first module of all.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

__all__ = ["Interruption", "check", "interruptible", "leave", "listen", "parting"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 5.0
"""Seconds in which whatever was begun may be left in order; a signal after them ends at once."""

_listening: list[bool] = []
"""Whether :func:`listen` was called: this process is a command's and nobody else's."""

_heard: list[tuple[int, float]] = []
"""The first signal within :func:`interruptible`, and when it came; nothing before."""


def listen() -> None:
    """Let each signal end the process at once, with its line, until something is to be left whole.

    What was ignored before stays so, as ``nohup`` wants it; but Ctrl-C is meant even for a job in
    the background, which a shell starts deaf to it.
    """
    for number in _wanted():
        signal.signal(number, _end)
    _listening.append(True)


class Interruption(KeyboardInterrupt):
    """A signal ended what was done within :func:`interruptible`.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal raise ``KeyboardInterrupt`` inside, and ignore others from then on.

    Raises:
        Interruption: a signal came, whatever the code inside made of the exception: a library may
            swallow it, or fail with an error of its own.
    """
    before = {number: signal.signal(number, _stop) for number in _wanted()}
    try:
        yield
        check()
    except BaseException as error:
        if _heard:
            raise Interruption(_heard[0][0]) from error
        raise
    finally:
        for number, handler in before.items():
            ended = bool(_heard) and handler is _end
            signal.signal(number, signal.SIG_IGN if ended else handler)
        _heard.clear()


def check() -> None:
    """Raise ``KeyboardInterrupt`` if a signal came, in case that a library swallowed it."""
    if _heard:
        raise KeyboardInterrupt


def leave(number: int) -> None:
    """End the process of ``python -m benchmark``, once it has told which signal ended it.

    Python's own end would take time in which another signal kills it, and dies of SIGINT itself if
    it saw a ``KeyboardInterrupt`` leave ``exec``, as in the making of a dataclass.
    """
    if _listening:
        os._exit(128 + number)


def parting(number: int) -> str:
    """Return the line for a command that a signal ended."""
    name = signal.Signals(number).name
    return f"interrupted by {name}; the same command goes on from the last checkpoint"


def _wanted() -> list[signal.Signals]:
    return [
        number
        for number in _SIGNALS
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
    ]


def _stop(number: int, frame: FrameType | None) -> None:
    if not _heard:
        _heard.append((number, time.monotonic()))
        raise KeyboardInterrupt
    if time.monotonic() - _heard[0][1] > _GRACE:
        _end(number, frame)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    with suppress(OSError):  # nobody reads it
        os.write(2, f"error: {parting(number)}\n".encode())
    os._exit(128 + number)
