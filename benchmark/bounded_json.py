"""JSON that somebody else wrote, read within bounds of size, depth and numbers."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from benchmark.files import open_regular
from benchmark.plain_text import plain

__all__ = ["parse_json", "read_bounded"]

_LARGEST = 2**63
"""Whole numbers from here on fit into no column and no other program's integers."""


def read_bounded(file: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: it is larger.
    """
    with open_regular(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise ValueError(f"{plain(file.name)} is larger than {limit / 2**20:g} MiB")
        return stream.read(size)


def parse_json(content: bytes) -> Any:
    """Return what a JSON document holds; its numbers are finite, whole ones below 2^63.

    Raises:
        ValueError: it is none, is nested more than 200 deep, or holds another number.
    """
    value = from_json(content, allow_inf_nan=False)
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif not _fits(each):
            raise ValueError("it holds a number that is too large")
    return value


def _fits(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -_LARGEST <= value < _LARGEST
