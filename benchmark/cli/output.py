"""Writing results to stdout, and remarks to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["remark", "show_json", "show_table"]


def show_json(value: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def show_table(table: Table) -> None:
    """Write a table; lines are never cut where stdout is no terminal."""
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def remark(line: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(line + "\n")
