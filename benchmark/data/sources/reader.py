"""What a reader of a published format is: its files, the rules that a card may set, a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmark.data.sources.checksum import Scan, scan
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.source import Source

__all__ = ["Reader", "Rules", "Wanted", "files_of"]


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
        look: looks at the bytes of a file, or knows already what they are.
    """

    columns: tuple[str, ...] = ()
    grade: str | None = None
    cleaning: Cleaning = field(default_factory=Cleaning)
    look: Callable[[Path], Scan] = scan


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
        several: those that may lie in several files each, whose rows follow one another: a card
            names them ``notes``, ``notes-2``, ``notes-3`` and so on.
    """

    needed: tuple[str, ...]
    optional: tuple[str, ...]
    rules: type[Rules]
    read: Callable[[Mapping[str, Path], Any, Wanted], Source]
    archive: str | None = None
    several: tuple[str, ...] = ()

    def takes(self, kind: str, named: Container[str]) -> bool:
        """Return whether a card may name a file ``kind`` beside those of ``named``."""
        if kind in (*self.needed, *self.optional):
            return True
        what, _, number = kind.rpartition("-")
        if what not in self.several or not re.fullmatch("[1-9][0-9]{0,5}", number) or number == "1":
            return False
        return (what if number == "2" else f"{what}-{int(number) - 1}") in named


def files_of(files: Mapping[str, Path], what: str) -> list[Path]:
    """Return the files ``what``, ``what-2``, ``what-3`` and so on, as many as there are."""
    names = chain([what], (f"{what}-{number}" for number in count(2)))
    return [files[name] for name in takewhile(files.__contains__, names)]
