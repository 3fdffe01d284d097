"""Logs of requests by dictionaries and loops: what readers must make of them.

Shares no code with the package. A request is a user, a moment, words (``None`` where it is no
search), a part (``train``, ``validation`` or ``test``), what was shown with grades, and recent
clicks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.data.slow_card import Shown


@dataclass
class SlowRequest:
    user: str
    time: int
    words: str | None
    part: str
    shown: list[tuple[str, float]]
    recent: list[str] = field(default_factory=list)

    def relevant(self) -> dict[str, float]:
        best: dict[str, float] = {}
        for item, grade in self.shown:
            if grade > 0:
                best[item] = max(grade, best.get(item, 0))
        return best


def told_before(requests: list[SlowRequest]) -> list[Shown]:
    """Return the recent clicks that no request shows, a unit of time before one first tells it."""
    taken = {(r.user, item) for r in requests for item in r.relevant()}
    found: dict[tuple[str, str], Shown] = {}
    for r in sorted(requests, key=lambda r: (r.time, r.part != "train")):
        for item in r.recent:
            if (r.user, item) not in taken and (r.user, item) not in found:
                part = "background" if r.part == "train" else "history"
                found[r.user, item] = Shown(r.user, item, r.time - 1, part=part)
    return list(found.values())


def shown_by(requests: list[SlowRequest]) -> list[Shown]:
    """Return all that requests show and tell; a request is a session, named by its place."""
    shown = told_before(requests)
    for place, r in enumerate(requests):
        best = {item: 0.0 for item, _ in r.shown} | r.relevant()
        shown += [
            Shown(r.user, item, r.time, r.words, str(place), grade, r.part)
            for item, grade in best.items()
        ]
    lowest = min([0, *(each.time for each in shown)])
    return [replace(each, time=each.time - lowest) for each in shown]


def card_of(folder: Path, name: str, files: dict[str, Any], **changes: Any) -> Path:
    """Write a card of the format ``name`` into a folder of its files, and return the folder."""
    fields = {
        "name": name,
        **dict.fromkeys(("description", "source", "licence", "citation"), "x"),
        "format": name,
        "files": files,
        "split": {"name": "official"},
        "copies": {"keep": True},
        "candidates": {"negatives": 5},
        **changes,
    }
    (folder / "card.yaml").write_text(json.dumps(fields), encoding="utf-8")
    return folder
