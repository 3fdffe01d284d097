"""Everything that is wrong with a card's values, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from benchmark.data.yaml_text import Lines
from benchmark.errors import did_you_mean, nearest
from benchmark.plain_text import plain
from benchmark.type_faults import message_of

__all__ = ["faults"]

_MOST = 10
Place = tuple[str | int, ...]


def faults(error: ValidationError, model: type[BaseModel], lines: Lines) -> str:
    """Return a text for all faults, each with the line of its field, ``:4: …`` where it is one.

    Args:
        error: what pydantic found.
        model: what the values should have been.
        lines: of the fields in the file.
    """
    problems = error.errors(include_url=False)
    misspelt = {_meant(each, model) for each in problems}
    own = [each for each in problems if each["type"] != "missing" or each["loc"] not in misspelt]
    told = [(_line(each["loc"], lines), _text(each, model, len(own) == 1)) for each in own]
    if len(told) == 1:
        line, text = told[0]
        return f"{f':{line}' if line else ''}: {text}"
    parts = [f"line {line}: {text}" if line else text for line, text in told[:_MOST]]
    if len(told) > _MOST:
        parts.append(f"and {len(told) - _MOST} more")
    return f": {len(told)} faults: " + "; ".join(parts)


def _line(place: Place, lines: Lines) -> int | None:
    """Return the line of a field, or of the nearest that holds it."""
    for length in range(len(place), 0, -1):
        if (line := lines.get(place[:length])) is not None:
            return line
    return None


def _text(problem: ErrorDetails, model: type[BaseModel], alone: bool) -> str:
    place, message = problem["loc"], message_of(problem)
    if place and place[-1] == "[key]":
        place = place[:-1]
    name = plain(".".join(str(part) for part in place), 80)
    if problem["type"] == "extra_forbidden":
        known = _names(place[:-1], model) if alone or _meant(problem, model) else ()
        return f"unknown field '{name}'{did_you_mean(str(place[-1]), known)}"
    if problem["type"] == "missing":
        return f"field '{name}' is missing"
    if problem["type"] == "string_type" and not isinstance(problem["input"], dict | list | None):
        message += "; put it in quotes"
    text = plain(" ".join(message.split()), 200)
    return f"field '{name}': {text}" if name else text


def _meant(problem: ErrorDetails, model: type[BaseModel]) -> Place | None:
    """Return the place of the field that an unknown one is taken for."""
    if problem["type"] != "extra_forbidden":
        return None
    *parent, name = problem["loc"]
    meant = nearest(str(name), _names(tuple(parent), model))
    return None if meant is None else (*parent, meant)


def _names(place: Place, model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields of the model that stands at a place."""
    for part in place:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if str(part) in fields and (inner := next(_models(fields[str(part)].annotation), None)):
            model = inner
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation holds, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
