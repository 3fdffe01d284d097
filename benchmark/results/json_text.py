"""JSON that is short and can still be read."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["json_text"]

_WIDTH = 100


def json_text(value: Any) -> str:
    """Return JSON with a line's end: whatever fits into a line stands in one.

    Raises:
        ValueError: a number is not finite.
    """
    return _written(json.loads(json.dumps(value, allow_nan=False)), 0) + "\n"


def _written(value: Any, depth: int) -> str:
    line = json.dumps(value)
    if len(line) + depth <= _WIDTH or not isinstance(value, (dict, list)):
        return line
    inner, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_written(value[key], depth + 1)}" for key in value]
        return "{" + inner + f",{inner}".join(parts) + end + "}"
    return "[" + inner + f",{inner}".join(_written(each, depth + 1) for each in value) + end + "]"
