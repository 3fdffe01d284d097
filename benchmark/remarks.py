"""Remarks: single lines on stderr, which never end what they tell of."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from benchmark.plain_text import plain

__all__ = ["remark"]


_RED, _NORMAL = "\x1b[1;31m", "\x1b[0m"


def remark(line: str, alarm: str = "") -> None:
    """Write one line to stderr; one that is closed, full or that nobody reads takes nothing.

    Args:
        line: what to say.
        alarm: a word of ours to begin with, in red where stderr is a terminal that takes colours.
    """
    with suppress(OSError, ValueError, AttributeError):
        head = f"{_RED}{alarm}{_NORMAL}" if alarm and _has_colours() else alarm
        sys.stderr.write(f"{head} {plain(line)}\n" if alarm else f"{plain(line)}\n")
        sys.stderr.flush()


def _has_colours() -> bool:
    """Return whether stderr takes colours, and nobody asked for none (https://no-color.org)."""
    return (
        sys.stderr.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )
