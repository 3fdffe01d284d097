"""What a command stands on before it begins: standard streams and a working folder."""

from __future__ import annotations

import io
import os
import sys

from benchmark.errors import InputError

__all__ = ["check_surroundings"]


def check_surroundings() -> None:
    """Make the standard streams fit for use, and refuse to begin where results would be lost.

    A closed stdin or stderr becomes the null device, so that no file that is opened takes its
    number and gets what is meant for it. What an encoding lacks is written as an escape.

    Raises:
        InputError: stdout is closed, or the working folder has gone.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # it takes the lowest number that is free
    os.close(number)
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), write_through=True)
    if sys.stdout is None:
        raise InputError("stdout is closed, so results would be lost; send it to a file, at least")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        raise InputError("the working folder is no longer there; change to one that is") from error
