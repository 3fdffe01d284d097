"""The page of one model for a terminal: what it is, and what ``--set`` and ``tune`` can change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from benchmark.cli.pages import Entry, Heading, Part
from benchmark.settings import PRESETS

__all__ = ["parts"]

_USUAL = "standard"


def parts(model: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the page of what :func:`benchmark.api.model_page.model_page` returns."""
    yield Heading(f"{model['name']} ({', '.join(model['tasks'])}): {model['summary']}")
    if model["reference"]:
        yield Entry("from", model["reference"])
    if not model["settings"]:
        yield Entry("settings", "none")
        return
    yield Heading("Settings, for --set NAME=VALUE")
    table = Table("setting", _USUAL, "other presets", "tune tries", "what it is")
    for each in model["settings"]:
        values = each["values"]
        others = [p for p in PRESETS if values[p] != values[_USUAL]]
        table.add_row(
            each["name"],
            _written(values[_USUAL]),
            ", ".join(f"{p} {_written(values[p])}" for p in others),
            _searched(each["searched"]),
            each["about"],
        )
    yield table


def _written(value: Any) -> str:
    """Return a value as ``--set`` takes it."""
    if isinstance(value, list):
        return ",".join(map(_written, value))
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _searched(space: Mapping[str, Any] | None) -> str:
    if space is None:
        return ""
    if "values" in space:
        return ", ".join(map(_written, space["values"]))
    return f"{_written(space['low'])} to {_written(space['high'])}"
