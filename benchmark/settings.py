"""Settings of a model: defaults, then a preset, then ``--set NAME=VALUE``, each checked by type."""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from benchmark.errors import InputError, did_you_mean
from benchmark.type_faults import first_fault

__all__ = [
    "IMPORTED",
    "PRESETS",
    "build_settings",
    "check_heads",
    "parse_assignment",
    "setting",
    "settings_from_json",
]

PRESETS = ("quick", "standard", "thorough", "paper")
IMPORTED = "imported"
"""What stands for the preset of answers of outside systems, of which less is known."""


def setting(default: Any, text: str, low: float = 0, high: float = math.inf) -> Any:
    """Return a field of a settings class.

    Args:
        default: its value where nothing else is said.
        text: what a person has to know of it.
        low: the least that a number may be (each of several).
        high: the most.
    """
    return field(default=default, metadata={"doc": text, "low": low, "high": high})


def build_settings(
    kind: type,
    presets: Mapping[str, Mapping[str, Any]],
    preset: str,
    assignments: Iterable[tuple[str, str]] = (),
) -> Any:
    """Return an instance of the settings dataclass ``kind``.

    Args:
        kind: a frozen dataclass whose fields are int, float, bool, str, a ``Literal``, a tuple
            of one of these, or one of these or ``None``.
        presets: by preset name, the fields that differ from the defaults.
        preset: one of :data:`PRESETS`; a preset that the model does not list is its defaults.
        assignments: ``(field, text)`` pairs, applied last.

    Raises:
        InputError: an unknown preset or field, or a text that fits neither the field's type nor its
            bounds.
    """
    if preset not in PRESETS:
        raise InputError(f"unknown preset '{preset}'{did_you_mean(preset, PRESETS)}")
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    about = {f.name: f.metadata for f in fields(kind)}
    names = list(about)
    values: dict[str, Any] = dict(presets.get(preset, {}))
    for name, text in assignments:
        if name not in names:
            if not names:
                raise InputError(f"unknown setting '{name}': this model has no settings")
            raise InputError(f"unknown setting '{name}'{did_you_mean(name, names)}")
        values[name] = _convert(name, text, hints[name])
        _check_bounds(name, values[name], about[name])
    try:
        return kind(**values)
    except ValueError as error:
        raise InputError(str(error)) from error


def check_heads(width: int, heads: int) -> None:
    """Refuse a width that attention heads cannot share out evenly.

    Raises:
        ValueError: which :func:`build_settings` tells the user.
    """
    if width % heads:
        raise ValueError(f"setting 'width': {width} is no multiple of {heads} heads")


def settings_from_json(kind: type, values: Mapping[str, Any]) -> Any:
    """Return an instance of ``kind`` from values that went through JSON, which has no tuples.

    Raises:
        InputError: a name that it has not, or a value that fits neither its type nor its bounds.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    hints, about = get_type_hints(kind), {f.name: f.metadata for f in fields(kind)}
    strict = ConfigDict(strict=True, allow_inf_nan=False)
    found = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    for name, value in found.items():
        if name not in about:
            raise InputError(f"unknown setting {ascii(name)[:80]}")
        try:
            TypeAdapter(hints[name], config=strict).validate_python(value)
        except ValidationError as error:
            raise InputError(f"setting '{name}': {first_fault(error)}") from error
        _check_bounds(name, value, about[name])
    try:
        return kind(**found)
    except ValueError as error:
        raise InputError(str(error)) from error


def parse_assignment(text: str) -> tuple[str | None, str, str]:
    """Split ``MODEL.NAME=VALUE`` or ``NAME=VALUE`` into (model or None, name, value)."""
    key, sign, value = text.partition("=")
    model, dot, name = (part.strip() for part in key.rpartition("."))
    if not sign or not name or (dot and not model):
        raise InputError(f"--set {text}: write it as NAME=VALUE or MODEL.NAME=VALUE")
    return (model if dot else None), name, value.strip()


def _check_bounds(name: str, value: Any, about: Mapping[str, Any]) -> None:
    low, high = about.get("low", -math.inf), about.get("high", math.inf)
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, (int, float)) and not low <= each <= high:
            wanted = f"at least {low}" if high == math.inf else f"from {low} to {high}"
            raise InputError(f"setting '{name}': {each} is not {wanted}")


def _convert(name: str, text: str, hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if text.lower() in ("none", "null") and type(None) in args:
            return None
        return _convert(name, text, next(a for a in args if a is not type(None)))
    if origin is Literal:
        if text not in [str(a) for a in args]:
            raise InputError(f"setting '{name}': '{text}'{did_you_mean(text, map(str, args))}")
        return next(a for a in args if str(a) == text)
    if origin is tuple:
        return tuple(_convert(name, part.strip(), args[0]) for part in text.split(",") if part)
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise InputError(f"setting '{name}': '{text}' is neither true nor false")
        return text.lower() == "true"
    try:
        value = hint(text)
        if hint is float and not math.isfinite(value):
            raise ValueError
        return value
    except ValueError as error:
        wanted = {int: "a whole number", float: "a finite number"}.get(hint, hint.__name__)
        raise InputError(f"setting '{name}': '{text}' is not {wanted}") from error
