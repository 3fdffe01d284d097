"""Remarks: single lines on stderr, which never end what they tell of."""

from __future__ import annotations

import sys
from contextlib import suppress

from benchmark.plain_text import plain

__all__ = ["remark"]


def remark(line: str) -> None:
    """Write one line to stderr; one that is closed, full or that nobody reads takes nothing."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(plain(line) + "\n")
        sys.stderr.flush()
