"""Where data sets lay that were loaded from a folder, so that later commands find them again.

A file for each data set lies in the cache, named by the data set's digest. It is this machine's own
memory: run records hold no path, so that one from elsewhere cannot say what is read here.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from benchmark.errors import InputError
from benchmark.files import writing
from benchmark.names import below

__all__ = ["place_of", "remember"]


def remember(cache: Path, digest: str, folder: Path) -> None:
    """Write down that a data set lies in a folder; a cache that cannot be written takes nothing."""
    place = folder.absolute()
    if place_of(cache, digest) == place:
        return
    with suppress(InputError), writing(_file(cache, digest)) as unfinished:
        unfinished.write_text(json.dumps({"folder": str(place)}) + "\n", encoding="utf-8")


def place_of(cache: Path, digest: str) -> Path | None:
    """Return the folder that a data set was loaded from, ``None`` where none is known."""
    try:
        told = json.loads(_file(cache, digest).read_text(encoding="utf-8"))
        return Path(told["folder"])
    except (OSError, ValueError, TypeError, LookupError):
        return None


def _file(cache: Path, digest: str) -> Path:
    return below(cache / "places", f"{digest}.json")
