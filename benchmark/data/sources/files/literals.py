"""Python literals in data files, one a line, read as data.

A literal as Python prints it is brought into JSON, text by text, and read as that: nothing that is
no dict, list, text, number or constant has a meaning there, so nothing can be run.
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from typing import Any

__all__ = ["literal"]

_PIECE = re.compile(
    r"""(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|\b(?P<name>None|True|False)\b|[()'"]"""
)
_WORDS = {"None": "null", "True": "true", "False": "false", "(": "[", ")": "]"}


def literal(text: str) -> Any:
    """Return the value of a literal made of dicts, lists, tuples, strings, numbers and constants.

    Tuples become lists. Keys of dicts are strings.

    Args:
        text: one line, as long as a line may be.

    Raises:
        ValueError: it is no such literal.
    """
    if '"' not in text and "\\" not in text:
        with suppress(ValueError, RecursionError):  # as most lines are; five times as fast
            return json.loads(text.replace("'", '"'))
    try:
        return json.loads(_PIECE.sub(_in_json, text))
    except (ValueError, SyntaxError, RecursionError):
        raise ValueError("no literal of dicts, lists, texts and numbers") from None


def _in_json(piece: re.Match[str]) -> str:
    whole = piece.group()
    if whole in ("'", '"'):
        raise ValueError("a quotation mark is not closed")
    if piece.lastgroup != "text":
        return _WORDS[whole]
    inner = whole[1:-1]
    if "\\" not in inner and '"' not in inner and inner.isprintable():
        return f'"{inner}"'
    # One quoted text at a time: without brackets and operators there is nothing to nest.
    return json.dumps(ast.literal_eval(whole))
