"""The settings that all RecBole models share, and what they become in RecBole's configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from benchmark.budget import Budget, budgeted
from benchmark.errors import InputError, did_you_mean
from benchmark.settings import setting

__all__ = [
    "PAIRED_PRESETS",
    "PRESETS",
    "SHORT",
    "SHORT_PRESETS",
    "RecBoleSettings",
    "model_values",
    "own_values",
    "unknown_to",
]


@dataclass(frozen=True)
class RecBoleSettings(Budget):
    """Settings of every RecBole model; the defaults are those of ``standard``.

    Sizes that are ``none`` stay as RecBole's own file for the model has them.
    """

    width: int | None = setting(None, "embedding_size; a hidden_size keeps its ratio to it", low=1)
    layers: int | None = setting(None, "n_layers or num_layers", low=1)
    heads: int | None = setting(None, "n_heads", low=1)
    inner: int | None = setting(None, "inner_size, the width of the feed-forward layers", low=1)
    dropout: float | None = setting(None, "all dropout probabilities of RecBole's file", high=1)
    options: str = setting("", "more of RecBole's names, as name=value;name=value")
    max_history: int = setting(50, "events of the history that are read", low=1)
    history: Literal["all", "rec"] = setting(
        "all", "read and predict all events, or recommendation events only"
    )
    batch_size: int = setting(128, "samples in a batch", low=1)
    learning_rate: float = setting(2e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.0, "weight decay")
    samples: int = setting(
        0, "training events predicted in an epoch, 0 for all; the next one goes on with others"
    )

    def __post_init__(self) -> None:
        if self.max_history < 2:
            raise ValueError("setting 'max_history': RecBole's models need at least 2")


PRESETS = budgeted(
    {
        "quick": {"max_history": 10},
        "paper": {
            "max_history": 50,
            "batch_size": 2048,
            "learning_rate": 1e-3,
            "epochs": 300,
            "validation_requests": 0,
            "patience": 10,
        },
    }
)
"""``paper`` holds the training settings of RecBole itself, as no paper speaks for all models."""


def _but_paper(changed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: values if name == "paper" else {**values, **changed}
        for name, values in PRESETS.items()
    }


PAIRED_PRESETS = _but_paper({"options": "mlp_hidden_size=[64,32]", "max_history": 10})
"""For models that read the whole history anew for each item that they score: smaller networks."""

SHORT_PRESETS = _but_paper({"max_history": 10})
"""For models that a long window does not suit; see ``SHORT``."""

SHORT = ("Caser", "SINE")
"""SINE's attention takes padding for events, so that a long window drowns short histories in it.
On ml-100k, preset ``thorough``, seed 1, it had a validation NDCG@10 of 0.063 with a window of 50,
of 0.068 with 20, of 0.084 with 10. Caser has a convolution for each height up to the window, so
that its cost grows with the square; its paper reads at most 9 events."""

_WIDTHS = ("embedding_size", "hidden_size")
_NAMES = {
    "layers": ("n_layers", "num_layers"),
    "heads": ("n_heads",),
    "inner": ("inner_size",),
    "dropout": ("dropout_prob", "dropout_probs", "hidden_dropout_prob", "attn_dropout_prob"),
}
"""Our setting to RecBole's names."""
_UNWRITTEN: dict[str, dict[str, Any]] = {"FEARec": {"contrast": "none", "tau": 1.0, "sim": "dot"}}
"""What a model reads although its file does not name it, with a value of the right type."""


@lru_cache(maxsize=64)
def own_values(model: str) -> dict[str, Any]:
    """Return what RecBole's file for the model holds."""
    spec = find_spec("recbole")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "properties" / "model"
    read = yaml.safe_load((folder / f"{model}.yaml").read_text(encoding="utf-8"))
    return {name: _number(value) for name, value in read.items()}


def unknown_to(model: str) -> tuple[str, ...]:
    """Return which of the settings ``width`` and ``dropout`` the model has nothing of."""
    own = own_values(model)
    names = {"width": _WIDTHS, "dropout": _NAMES["dropout"]}
    return tuple(ours for ours, theirs in names.items() if not any(n in own for n in theirs))


def model_values(model: str, settings: RecBoleSettings) -> dict[str, Any]:
    """Return RecBole's names and values for what the settings change of the model's file.

    Raises:
        InputError: the model has nothing of the kind, or a value does not fit.
    """
    own = own_values(model)
    values: dict[str, Any] = {}
    if settings.width is not None:
        values |= _widths(own, settings.width)
    for own_name, names in _NAMES.items():
        value = getattr(settings, own_name)
        if value is None:
            continue
        changed = {
            n: [value] * len(own[n]) if n == "dropout_probs" else value for n in names if n in own
        }
        if not changed:
            raise InputError(
                f"recbole:{model} has no setting '{own_name}': RecBole's file names none"
            )
        values |= changed
    return values | _options(model, {**own, **_UNWRITTEN.get(model, {})}, settings.options)


def _widths(own: dict[str, Any], width: int) -> dict[str, Any]:
    names = [name for name in _WIDTHS if name in own]
    return {name: width * own[name] // own[names[0]] for name in names}


def _options(model: str, known: dict[str, Any], text: str) -> dict[str, Any]:
    found = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign:
            raise InputError(f"options: '{part}': write it as name=value;name=value")
        if name not in known:
            raise InputError(f"options: recbole:{model} has no '{name}'{did_you_mean(name, known)}")
        found[name] = _checked(name, value, known[name])
    return found


def _checked(name: str, text: str, like: Any) -> Any:
    """Return the value of ``text`` where it has the type of ``like``.

    RecBole evaluates texts as Python, so nothing but a word may come through.
    """
    try:
        value = _number(yaml.safe_load(text))
    except yaml.YAMLError:
        value = None
    if isinstance(like, str):
        fits = re.fullmatch(r"[A-Za-z_]\w*", text) is not None
        value = text
    elif isinstance(like, bool):
        fits = isinstance(value, bool)
    elif isinstance(like, list):
        fits = isinstance(value, list) and all(isinstance(v, (int, float)) for v in value)
    else:
        # RecBole's files write 1 where 0.5 is meant to be possible too.
        fits = type(value) in (int, float)
    if not fits:
        kind = {str: "word", bool: "true or false", list: "list of numbers"}.get(
            type(like), "number"
        )
        raise InputError(f"options: {name}: '{text}' is no {kind}, as RecBole's {like!r} is")
    return value


def _number(value: Any) -> Any:
    """Return numbers such as ``1e-4``, which YAML 1.1 takes for texts, as what they are."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return [_number(each) for each in value] if isinstance(value, list) else value
