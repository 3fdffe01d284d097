"""YAML that anybody may have written, read as plain data: small, flat, nothing said twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmark.data.recognise import HEAD, foreign_text, recognise
from benchmark.errors import InputError
from benchmark.files import open_regular
from benchmark.plain_text import plain

__all__ = ["Lines", "read_mapping"]

Lines = dict[tuple[str | int, ...], int]
"""The line of the file, from 1, where each value is named."""

_LARGEST = 2**20
_MOST_NODES = 10_000
_DEEPEST = 16


def read_mapping(path: Path, place: str, what: str = "a card") -> tuple[dict[Any, Any], Lines]:
    """Return what a YAML file maps, and the lines of its keys.

    Args:
        path: the file.
        place: what it is called in an error.
        what: what such a file is.

    Raises:
        InputError: it is missing, unreadable, no regular file, larger than 1 MiB, not UTF-8, no
            YAML, nested too deeply, or no mapping; it has a key twice, tags, anchors or aliases.
    """
    text = _text(path, place)
    try:
        _check(text)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: Lines = {}
        if not isinstance(node, yaml.MappingNode):
            raise _FaultError(None, f"{what} is a mapping of field names to values")
        _walk(node, (), lines)
        return loader.construct_document(node), lines
    except _FaultError as fault:
        raise InputError(f"{place}{fault.line}: {fault}") from None
    except yaml.reader.ReaderError as error:
        line = f":{text[: error.position].count(chr(10)) + 1}"
        raise InputError(
            f"{place}{line}: a character that YAML does not allow; remove it"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = plain(" ".join(str(error.problem or error.context).split()), 120)
        raise InputError(f"{place}{line}: it is not YAML: {problem}") from None
    except (ValueError, OverflowError, yaml.YAMLError):
        raise InputError(f"{place}: a date or number that there is not; quote it") from None


class _FaultError(Exception):
    """What is wrong with a node."""

    def __init__(self, mark: Any, text: str) -> None:
        super().__init__(text)
        self.line = f":{mark.line + 1}" if mark else ""


def _text(path: Path, place: str) -> str:
    try:
        with open_regular(path) as file:
            raw = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise InputError(f"{place}: no such file") from None
    except OSError as error:
        raise InputError(f"{place}: cannot be read: {error.strerror}") from None
    if len(raw) > _LARGEST:
        raise InputError(f"{place}: the file is larger than 1 MiB; shorten it")
    if (what := recognise(raw[:HEAD], "YAML text")) is not None:
        raise InputError(f"{place}: {what}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n")
        text = foreign_text(raw.split(b"\n")[line])
        raise InputError(f"{place}:{line + 1}: the line is {text}") from None


def _check(text: str) -> None:
    """Refuse what would take much time or memory, before anything is built."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if not isinstance(event, yaml.NodeEvent):
            continue
        nodes += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        if event.anchor is not None:
            raise _FaultError(
                event.start_mark, "anchors and aliases are not read; repeat the value"
            )
        if getattr(event, "tag", None) is not None:
            raise _FaultError(event.start_mark, "tags (!) are not read; put the value in quotes")
        if depth > _DEEPEST:
            raise _FaultError(event.start_mark, f"nested more than {_DEEPEST} deep")
        if nodes > _MOST_NODES:
            raise _FaultError(event.start_mark, f"more than {_MOST_NODES:,} values")


def _walk(node: yaml.Node, place: tuple[str | int, ...], lines: Lines) -> None:
    """Note the lines of all keys, and refuse a key that stands twice or is no word."""
    if isinstance(node, yaml.SequenceNode):
        for number, each in enumerate(node.value):
            here = (*place, number)
            lines[here] = each.start_mark.line + 1
            _walk(each, here, lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                raise _FaultError(key.start_mark, "a field's name must be a word")
            here = (*place, key.value)
            if here in lines:
                name, line = plain(key.value, 40), lines[here]
                raise _FaultError(
                    key.start_mark, f"field '{name}' is already on line {line}; keep one of the two"
                )
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines)
