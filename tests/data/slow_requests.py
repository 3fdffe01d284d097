"""Logs of requests by dictionaries and loops: what readers and splits must make of them.

Shares no code with the package. A request is a user, a moment, words (``None`` where it is no
search), a part (``train`` or ``test``), what was shown with grades, and recent clicks.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task

Event = tuple[str, str, int, str | None]
"""User, item, time, words."""
Asked = tuple[str, int, str | None, tuple, tuple, tuple]
"""User, time, words, relevant items with grades, given candidates, history."""


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


def told_before(requests: list[SlowRequest]) -> list[tuple[Event, str]]:
    """Return the recent clicks that no request shows, each with the part that first tells it."""
    taken = {(r.user, item) for r in requests for item in r.relevant()}
    found: dict[tuple[str, str], tuple[Event, str]] = {}
    for r in sorted(requests, key=lambda r: (r.time, r.part != "train")):
        for item in r.recent:
            if (r.user, item) not in taken and (r.user, item) not in found:
                found[r.user, item] = ((r.user, item, r.time - 1, None), r.part)
    return list(found.values())


def slow_official(
    requests: list[SlowRequest],
) -> tuple[Counter[Event], dict[tuple[str, str], list[Asked]]]:
    """Return what trains, and what is asked by part and task, as ``leakage: safe`` has it."""
    recent = told_before(requests)
    lowest = min([0, *(r.time for r in requests if r.shown), *(event[2] for event, _ in recent)])
    requests = [
        SlowRequest(r.user, r.time - lowest, r.words, r.part, r.shown, r.recent) for r in requests
    ]
    recent = [((u, i, t - lowest, w), part) for (u, i, t, w), part in recent]
    whole = [r for r in requests if r.relevant()]
    times = sorted(r.time for r in whole if r.part == "train")
    late = None
    if len(times) >= 10:
        last = times[len(times) - len(times) // 10 - 1]
        late = min((t for t in times if t > last), default=None)
    asked: dict[tuple[str, str], list[SlowRequest]] = {}
    trained: list[Event] = []
    for r in whole:
        task = "rec" if r.words is None else "search"
        if r.part == "test":
            asked.setdefault(("test", task), []).append(r)
        elif late is not None and r.time >= late:
            asked.setdefault(("validation", task), []).append(r)
        else:
            trained += [(r.user, item, r.time, r.words) for item in r.relevant()]
    trained += [e for e, part in recent if part == "train" and (late is None or e[2] < late)]
    pairs = {(r.user, item) for each in asked.values() for r in each for item in r.relevant()}
    trained = [event for event in trained if event[:2] not in pairs]
    tested = {
        (r.user, item)
        for (part, _), each in asked.items()
        if part == "test"
        for r in each
        for item in r.relevant()
    }
    events = [(r.user, i, r.time, r.words) for r in whole for i in r.relevant()]
    events += [event for event, _ in recent]
    result: dict[tuple[str, str], list[Asked]] = {}
    for (part, task), each in asked.items():
        for r in each:
            relevant = {
                item: grade
                for item, grade in r.relevant().items()
                if part == "test" or (r.user, item) not in tested
            }
            if relevant:
                line = _line(r, relevant, events, any_shown(requests, task))
                result.setdefault((part, task), []).append(line)
    return Counter(trained), {key: sorted(lines, key=repr) for key, lines in result.items()}


def any_shown(requests: list[SlowRequest], task: str) -> bool:
    """Return whether the log shows anything beside what was taken, for a request of the task."""
    return any(
        {item for item, _ in r.shown} - set(r.relevant())
        for r in requests
        if (r.words is None) == (task == "rec") and r.relevant()
    )


def _line(
    r: SlowRequest, relevant: dict[str, float], events: list[Event], exposures: bool
) -> Asked:
    taken = r.relevant()
    given = ({item for item, _ in r.shown} - set(taken)) | set(relevant) if exposures else set()
    if given == set(relevant):
        given = set()
    history = [(t, i, w or "") for u, i, t, w in events if u == r.user and t < r.time]
    return (
        r.user,
        r.time,
        r.words,
        tuple(sorted(relevant.items())),
        tuple(sorted(given)),
        tuple(sorted(history)),
    )


def found_in(dataset: Dataset) -> tuple[Counter[Event], dict[tuple[str, str], list[Asked]]]:
    """Return the same of a data set."""
    log, items, texts = dataset.train.log, dataset.items.ids, dataset.queries.texts
    trained = Counter(
        (
            str(dataset.users[log.user[row]]),
            str(items[log.item[row]]),
            int(log.time[row]),
            str(texts[log.query[row]]) if log.query[row] >= 0 else None,
        )
        for row in range(len(log))
    )
    asked = {
        (str(part), str(task)): sorted(
            (_asked(dataset, part, task, number) for number in range(len(each))), key=repr
        )
        for (part, task), each in dataset.evaluation.items()
    }
    return trained, asked


def _asked(dataset: Dataset, part: str, task: Task, number: int) -> Asked:
    each = dataset.evaluation[part, task]  # type: ignore[index]
    requests, log, ids = each.requests, dataset.log, dataset.items.ids
    texts = dataset.queries.texts
    own = each.relevant.request == number
    relevant = zip(each.relevant.item[own].tolist(), each.relevant.gain[own].tolist(), strict=True)
    given: list[int] = []
    if "given" in each.lists:
        lists = each.lists["given"]
        given = lists.items[lists.offsets[number] : lists.offsets[number + 1]].tolist()
    offsets, rows = requests.history_rows()
    mine = rows[offsets[number] : offsets[number + 1]].tolist()
    history = [
        (int(log.time[r]), str(ids[log.item[r]]), str(texts[q]) if (q := log.query[r]) >= 0 else "")
        for r in mine
    ]
    words = str(texts[requests.query[number]]) if task is Task.SEARCH else None
    return (
        str(dataset.users[requests.user[number]]),
        int(requests.time[number]),
        words,
        tuple(sorted((str(ids[item]), grade) for item, grade in relevant)),
        tuple(sorted(str(ids[item]) for item in given)),
        tuple(sorted(history)),
    )


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
