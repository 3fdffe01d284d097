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
    # Most of a literal: texts in single quotation marks that hold nothing odd, and what parts them.
    r"""(?P<run>(?:'[^'"\\\x00-\x1f]*'[\s,:\[\]{}0-9.]*)+)"""
    r"""|(?P<json>"[^"\\\x00-\x1f]*")"""
    r"""|(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
    r"""|\b(?P<name>None|True|False)\b|[()'"]"""
)
_ESCAPE = re.compile(r"""\\(?:[\\nrt"']|x[0-9a-fA-F]{2})|\\|"|[\x00-\x1f]""")
_ESCAPES = {"\\'": "'", '"': '\\"'} | {each: each for each in (r"\\", r"\n", r"\r", r"\t", r"\"")}
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
    match piece.lastgroup:
        case "run":
            return whole.replace("'", '"')
        case "json":
            return whole
        case "text":
            with suppress(KeyError):
                return f'"{_ESCAPE.sub(_escape, whole[1:-1])}"'
            # One quoted text at a time: without brackets and operators there is nothing to nest.
            return json.dumps(ast.literal_eval(whole))
    return _WORDS[whole]


def _escape(piece: re.Match[str]) -> str:
    """Return an escape of Python's as one of JSON.

    Raises:
        KeyError: it is a rare one.
    """
    whole = piece.group()
    return f"\\u00{whole[2:]}" if whole.startswith("\\x") else _ESCAPES[whole]
