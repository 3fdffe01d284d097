"""Writing results to stdout, and remarks to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["progress", "remark", "remarks", "show_json", "show_table"]


def show_json(value: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def show_table(table: Table) -> None:
    """Write a table; lines are neither cut nor wrapped where stdout is no terminal."""
    width = None if sys.stdout.isatty() else 10_000
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    console.print(table)


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
