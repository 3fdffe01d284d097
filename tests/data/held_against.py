"""What readers return and what is loaded, as the slow twins of readers and cards tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import EvaluationSet
from benchmark.data.events import EventLog
from benchmark.data.load import load_dataset
from benchmark.data.sources.source import Source
from benchmark.errors import InputError

from .slow_card import Asked, RefusedError, Seen, Shown, expected_of, without_copies

__all__ = ["asked_in", "check_card", "rows_of"]

_PARTS = ("train", "validation", "test", "background", "history")


def rows_of(source: Source) -> Counter[Shown]:
    """Return what a reader makes of files, in words."""
    inter = source.inter
    assert inter.grade is not None
    users, items, words, sessions = (
        ids.to_pylist() for ids in (inter.users, inter.items, inter.queries, inter.sessions)
    )
    part = np.zeros(len(inter.user), dtype=np.uint8) if inter.part is None else inter.part
    columns = (inter.user, inter.item, inter.time, inter.query, inter.session, inter.grade, part)
    return Counter(
        Shown(
            users[user],
            items[item],
            time,
            words[query] if query >= 0 else None,
            sessions[session] if session >= 0 else None,
            grade,
            _PARTS[use],
        )
        for user, item, time, query, session, grade, use in zip(
            *(column.tolist() for column in columns), strict=True
        )
    )


def check_card(
    folder: Path, shown: Sequence[Shown], items: Sequence[str], card: dict[str, Any]
) -> Dataset | None:
    """Load a folder with a card, and hold all that comes of it against the definition.

    Args:
        folder: with the files and the card.
        shown: what the reader's slow twin makes of the files.
        items: ids of the catalogue.
        card: what the card says beside the rules, and ``seen`` of the run.

    Returns:
        The data set; ``None`` where it is refused, as it must be.
    """
    try:
        dataset = load_dataset(folder, cache=folder / "cache", seen=card.get("seen", "keep"))
    except InputError as error:
        assert "\n" not in str(error)
        # Which event is the last of a moment, and so whether anything trains, is drawn by lot.
        reasons = {_refusal(shown, len(items), card, log) for log in _orders(shown, card)}
        assert any(reason in str(error) for reason in reasons - {""}), (error, reasons)
        return None
    assert sorted(dataset.items.ids) == sorted(items)
    log = _rows_of(dataset, dataset.log, shown)
    expected = expected_of(shown, len(items), card, log)
    assert Counter(_rows_of(dataset, dataset.train.log, shown)) == expected.train
    assert asked_in(dataset) == expected.asked
    for which, each in dataset.evaluation.items():
        assert {*each.lists} == expected.lists[which[0], str(which[1])]
        _check_drawn(each)
    return dataset


def _rows_of(dataset: Dataset, log: EventLog, shown: Sequence[Shown]) -> list[Seen]:
    """Return the events of a log; sessions are numbered in the order of their ids."""
    sessions = sorted({each.session for each in shown if each.session is not None})
    words, ids = list(dataset.queries.texts), list(dataset.items.ids)
    columns = (log.user, log.item, log.time, log.query, log.session)
    return [
        (
            dataset.users[user],
            ids[item],
            time,
            words[query] if query >= 0 else None,
            sessions[session] if session >= 0 else None,
        )
        for user, item, time, query, session in zip(*(c.tolist() for c in columns), strict=True)
    ]


def asked_in(dataset: Dataset) -> dict[tuple[str, str], list[Asked]]:
    """Return what a data set asks."""
    log, ids, words = dataset.log, list(dataset.items.ids), list(dataset.queries.texts)
    found: dict[tuple[str, str], list[Asked]] = {}
    for (part, task), each in dataset.evaluation.items():
        requests = each.requests
        offsets, rows = requests.history_rows()
        for i in range(len(each)):
            mine = each.relevant.at(np.array([i]))
            page = each.lists["given"].at(np.array([i])).items if "given" in each.lists else []
            query = int(requests.query[i])
            line = (
                dataset.users[int(requests.user[i])],
                int(requests.time[i]),
                words[query] if query >= 0 else None,
                tuple(sorted(zip((ids[k] for k in mine.item), mine.gain.tolist(), strict=True))),
                tuple(sorted(ids[k] for k in page)),
                tuple(
                    sorted(
                        (
                            int(log.time[r]),
                            ids[log.item[r]],
                            words[q] if (q := log.query[r]) >= 0 else "",
                        )
                        for r in rows[offsets[i] : offsets[i + 1]].tolist()
                    )
                ),
            )
            found.setdefault((part, str(task)), []).append(line)
    return {which: sorted(lines, key=repr) for which, lines in found.items()}


def _check_drawn(each: EvaluationSet) -> None:
    """Check that a drawn list is empty, or holds what is relevant and something that is not."""
    for i in range(len(each) if "sampled" in each.lists else 0):
        drawn = {*each.lists["sampled"].at(np.array([i])).items.tolist()}
        relevant = {*each.relevant.at(np.array([i])).item.tolist()}
        assert not drawn or (relevant <= drawn and len(drawn) - len(relevant) in (1, 2))


def _refusal(shown: Sequence[Shown], items: int, card: dict[str, Any], log: Sequence[Seen]) -> str:
    """Return why a card is refused, "" where it is not."""
    try:
        expected_of(shown, items, card, log)
    except RefusedError as error:
        return str(error)
    return ""


def _orders(shown: Iterable[Shown], card: dict[str, Any]) -> Iterator[list[Seen]]:
    """Yield orders that a log may have, for data of which no log was made."""
    events = [each for each in shown if each.grade > 0]
    for turn in range(6):
        turned = events[::-1] if turn % 2 else events
        turned = sorted(turned[turn:] + turned[:turn], key=lambda e: (e.user, e.time))
        rule = card.get("copies", {})
        kept = turned if rule.get("keep") else without_copies(turned, rule.get("within", 0), ())
        yield [e.seen for e in sorted(kept, key=lambda e: (e.user, e.time))]
