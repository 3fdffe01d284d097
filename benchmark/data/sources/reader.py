"""What a reader of a published format is: its files, the rules that a card may set, a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.source import Source

__all__ = ["Reader", "Rules", "Wanted"]


class Rules(BaseModel):
    """The rules of a reader that a card may set; each reader derives its own, with defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Wanted:
    """What a card asks of any reader.

    Attributes:
        columns: of items, that the card's title, text and query protocol name.
        grade: the column of events that grades them, where the format leaves that open.
        cleaning: is told what is cleaned, and refuses it where the card is strict.
    """

    columns: tuple[str, ...] = ()
    grade: str | None = None
    cleaning: Cleaning = field(default_factory=Cleaning)


@dataclass(frozen=True)
class Reader:
    """The reader of one format.

    Attributes:
        needed: what the files that it cannot do without hold, as a card's ``files`` names them.
        optional: the further files that it reads.
        archive: the name of a file that holds all the others, and is given in place of them.
        rules: what a card's ``rules`` may hold.
        read: from the files by name, and an instance of ``rules``, to the source; raises
            ``InputError`` for malformed files.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...]
    rules: type[Rules]
    read: Callable[[Mapping[str, Path], Any, Wanted], Source]
    archive: str | None = None
