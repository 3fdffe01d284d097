"""Sweep files: which models are run on which data, with which settings and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from benchmark.data.card_faults import faults
from benchmark.data.card_fields import Strict
from benchmark.data.terms import Protocol, Seen, TaskName
from benchmark.data.yaml_text import Lines, read_mapping
from benchmark.errors import InputError
from benchmark.plain_text import plain

__all__ = ["Block", "SweepFile", "read_sweep"]

_Name = Annotated[str, Field(min_length=1)]
_Seed = Annotated[int, Field(ge=0, lt=2**31)]
_Preset = Literal["quick", "standard", "thorough", "paper"]
_T = TypeVar("_T")


def _some(values: tuple[_T, ...]) -> tuple[_T, ...]:
    if not values:
        raise ValueError("name at least one")
    return values


def _value(value: Any) -> Any:
    parts = value if isinstance(value, list) else [value]
    if not all(part is None or isinstance(part, (bool, int, float, str)) for part in parts):
        raise ValueError("is no number, word, true, false, null, or list of these")
    return value


_Some = AfterValidator(_some)
_Value = Annotated[Any, AfterValidator(_value)]


class Block(Strict):
    """Runs of every model on every data set with every preset and seed.

    Attributes:
        models: names.
        datasets: names of cards, or folders.
        presets: that settings are filled from.
        seeds: of training.
        set: settings by name, as ``epochs``, or ``MODEL.epochs`` for one of the models.
        tasks: to train for; all that a model serves and the data have if not named.
        protocols: to ask by; those of the card, or ``full`` and ``sampled``, if not named.
        seen: whether the whole catalogue is ranked without the items of the history.
        device: where to compute.
        tuned: take the settings that ``tune`` found for the model on the data set.
        ablations: run each model without each of its parts, too.
    """

    models: Annotated[tuple[_Name, ...], _Some]
    datasets: Annotated[tuple[_Name, ...], _Some] = ("ml-100k",)
    presets: Annotated[tuple[_Preset, ...], _Some] = ("standard",)
    seeds: Annotated[tuple[_Seed, ...], _Some] = (1,)
    set: dict[str, _Value] = Field(default_factory=dict)
    tasks: Annotated[tuple[TaskName, ...], _Some] = ("rec", "search")
    protocols: Annotated[tuple[Protocol, ...], _Some] | None = None
    seen: Seen = "exclude"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    tuned: bool = False
    ablations: bool = False

    def assignments(self) -> list[str]:
        """Return the settings as ``--set`` of ``run`` takes them."""
        return [f"{name}={_text(value)}" for name, value in self.set.items()]


class SweepFile(Strict):
    """A sweep.

    Attributes:
        description: what it is for.
        runs: blocks of runs; what two of them have in common is run once.
    """

    description: str = ""
    runs: Annotated[tuple[Block, ...], _Some]


def read_sweep(path: Path) -> tuple[SweepFile, Lines]:
    """Read and validate a sweep file; return it with the lines of its fields.

    Raises:
        InputError: no such file, no YAML, an unknown or missing field, or a wrong value; all such
            fields at once.
    """
    place = plain(str(path), 200)
    values, lines = read_mapping(path, place, "a sweep file")
    try:
        return SweepFile.model_validate(values), lines
    except ValidationError as error:
        raise InputError(f"{place}{faults(error, SweepFile, lines)}") from None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
