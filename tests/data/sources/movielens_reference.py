"""A second, slow reading of MovieLens files: plain Python, none of the reader's code."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

__all__ = ["Event", "events_of", "rows_of", "searches_of"]

Event = tuple[str, str, int, str | None, int]
"""User, film, time, the tag (``None`` for a rating), and the number of the burst (-1 for none)."""


def rows_of(path: Path) -> list[list[str]]:
    """Return the rows of a file by what its name says of its layout, in UTF-8 or else latin-1."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if path.suffix == ".csv":
        return list(csv.reader(text.splitlines()))[1:]
    by = {".data": "\t", ".item": "|", ".dat": "::"}[path.suffix]
    return [line.split(by) for line in text.splitlines()]


def _personal(tag: str, labels: tuple[str, ...], lone_numbers: str) -> bool:
    plain, *labels = (" ".join(re.split(r"[-_\s]+", each.lower())) for each in (tag, *labels))
    number = re.fullmatch(r"#?\d+([.,/:]\d+)?%?", tag, re.ASCII) is not None
    return plain in labels or not tag or (number and lone_numbers == "drop")


def events_of(
    folder: Path,
    files: dict[str, str],
    labels: tuple[str, ...],
    min_rating: float = 0.0,
    burst: int = 600,
    lone_numbers: str = "drop",
) -> list[Event]:
    """Return the events that the rules leave."""
    tags = rows_of(folder / files["tags"]) if "tags" in files else []
    tagged = {(user, film) for user, film, *_ in tags}
    events: list[Event] = [
        (user, film, int(time), None, -1)
        for user, film, stars, time in rows_of(folder / files["ratings"])
        if (user, film) not in tagged and float(stars) >= min_rating
    ]
    runs: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for user, film, tag, time in tags:
        if not _personal(tag.strip(), labels, lone_numbers):
            runs[user, tag.strip()].append((int(time), film))
    number = 0
    for (user, tag), own in runs.items():
        last = None
        for time, film in sorted(own):
            number += last is None or time - last > burst
            last = time
            events.append((user, film, time, tag, number))
    return events


def searches_of(events: list[Event]) -> dict[tuple[str, str, int], set[str]]:
    """Return the films of each search: of user, tag and burst."""
    found: dict[tuple[str, str, int], set[str]] = defaultdict(set)
    for user, film, _, tag, number in events:
        if tag is not None:
            found[user, tag, number].add(film)
    return found
