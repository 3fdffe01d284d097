"""A second, slow reading of Last.fm's files: plain Python, and none of the reader's code.

Which artists are held out is drawn by lot, so the lot is not repeated here: it is given.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

__all__ = ["Event", "hypersar_rows", "joint_events", "requests_of"]

Event = tuple[str, str, str | None]
"""User, artist, and the tag; ``None`` for a recommendation."""


def _rows(path: Path, encoding: str) -> list[list[str]]:
    return [line.split("\t") for line in path.read_bytes().decode(encoding).splitlines()[1:]]


def joint_events(folder: Path, min_users: int = 2, nameless: str = "keep") -> set[Event]:
    """Return the events of protocol ``joint``."""
    words = {tag: text.strip() for tag, text in _rows(folder / "tags.dat", "latin-1")}
    named = {row[0] for row in _rows(folder / "artists.dat", "utf-8") if row[1]}
    given = [
        (user, artist, words[tag])
        for user, artist, tag, *_ in _rows(folder / "user_taggedartists.dat", "ascii")
    ]
    typed_by = defaultdict(set)
    for user, _, text in given:
        typed_by[text].add(user)
    touched = {(user, artist) for user, artist, _ in given}
    events: set[Event] = {row for row in given if len(typed_by[row[2]]) >= min_users}
    for user, artist, _ in _rows(folder / "user_artists.dat", "ascii"):
        if (user, artist) not in touched:
            events.add((user, artist, None))
    return {row for row in events if nameless == "keep" or row[1] in named}


def hypersar_rows(folder: Path) -> dict[str, set[Event]]:
    """Return the events of each of the three files, by raw ids."""
    raw = {
        what: {
            row[1]: row[0]
            for row in csv.reader((folder / f"{what}_dict.txt").open(), delimiter="\t")
        }
        for what in ("user", "item")
    }
    found: dict[str, set[Event]] = {}
    for part in ("train", "valid", "test"):
        with (folder / f"{part}.txt").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))[1:]
        found[part] = {
            (raw["user"][user], raw["item"][item], None if query == "-" else query)
            for user, item, query in rows
        }
    return found


def requests_of(events: set[Event], alone: bool) -> dict[str, list[tuple]]:
    """Return, by task, the requests that held-out events make, each with its relevant artists.

    Args:
        events: of one part.
        alone: whether each event is a request of its own.
    """
    together: dict[tuple, set[str]] = defaultdict(set)
    for user, artist, query in events:
        together[(user, query, artist if alone else "")].add(artist)
    requests: dict[str, list[tuple]] = {"rec": [], "search": []}
    for (user, query, _), artists in together.items():
        task = "rec" if query is None else "search"
        requests[task].append((user, query, tuple(sorted(artists))))
    return {task: sorted(found, key=repr) for task, found in requests.items()}
