"""Splits of a source that says what its events are for, against the definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark.data.card import Split
from benchmark.data.events import EventLog, by_user_and_time
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.sources.source import BACKGROUND, HISTORY, TEST, TRAINING, VALIDATION
from benchmark.data.split import split
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder, log_of, requests_of
from tests.data.test_card import card_in, rows
from tests.data.test_split import (
    ITEMS,
    Asked,
    Group,
    reference_apart,
    reference_groups,
    reference_history,
)

PARTS = (TRAINING, TRAINING, TRAINING, TEST, VALIDATION, BACKGROUND, HISTORY)
EVENT = st.tuples(
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(0, 12),
    st.integers(-1, 1),
    st.integers(-1, 2),
    st.sampled_from(PARTS),
)
EVENTS = st.lists(EVENT, min_size=1, max_size=60)
NEVER = (BACKGROUND, HISTORY)


def told_log(events: list[tuple[int, ...]]) -> tuple[EventLog, np.ndarray]:
    """Return the log of events, and the part that the source gives each."""
    user, time = (np.array([event[place] for event in events]) for place in (0, 2))
    part = np.array([event[5] for event in events], dtype=np.uint8)
    return log_of([event[:5] for event in events]), part[by_user_and_time(user, time, 5)]


def open_groups(log: EventLog, part: np.ndarray, task: Task) -> list[Group]:
    """Return the groups of which no event is one whose request is not known."""
    groups = reference_groups(log, task)
    return [group for group in groups if not any(part[r] in NEVER for r in group)]


def begin_of_validation(log: EventLog, part: np.ndarray) -> float:
    """Return the moment from which on nothing trains, as the source has no validation."""
    whole = [group for task in Task for group in open_groups(log, part, task)]
    if any(part[r] == VALIDATION for group in whole for r in group):
        return np.inf
    times = sorted(log.time[g[0]] for g in whole if all(part[r] == TRAINING for r in g))
    moments = [m for m in times if sum(t >= m for t in times) <= len(times) // 10]
    return min(moments, default=np.inf)


def reference_official(log: EventLog, part: np.ndarray, late: float) -> Asked:
    asked: Asked = {}
    for task in Task:
        for group in open_groups(log, part, task):
            latest = max(part[r] for r in group)
            if latest == TEST:
                asked.setdefault(("test", task), []).append(group)
            elif latest == VALIDATION or log.time[group[0]] >= late:
                asked.setdefault(("validation", task), []).append(group)
    return asked


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.booleans(), st.sampled_from(["safe", "paper"]))
def test_official_split_equals_the_definition(
    events: list[tuple], validated: bool, leakage: str
) -> None:
    if not validated:
        events = [(*e[:5], TRAINING if e[5] == VALIDATION else e[5]) for e in events]
    log, part = told_log(events)
    late = begin_of_validation(log, part)
    asked = reference_official(log, part, late)
    rows = {r for groups in asked.values() for group in groups for r in group}
    pairs = {(log.user[r], log.item[r]) for r in rows} if leakage == "safe" else set()
    train = [
        part[r] != HISTORY
        and log.time[r] < late
        and r not in rows
        and (log.user[r], log.item[r]) not in pairs
        for r in range(len(log))
    ]
    how = Split(name="official", leakage=leakage)
    if not any(train):
        with pytest.raises(InputError, match="leaves none"):
            split(log, ITEMS, how, official=part)
        return
    parts = split(log, ITEMS, how, official=part)
    assert parts.train.tolist() == train
    asked = reference_apart(log, asked) if leakage == "safe" else asked
    assert set(parts.requests) == set(asked)
    for (which, task), got in parts.requests.items():
        wanted = asked[which, task]
        assert got.events.tolist() == [r for group in wanted for r in group]
        every = reference_groups(log, task)
        requests = requests_of(log, got, task)
        offsets, history = requests.history_rows()
        for i, number in enumerate(got.groups.tolist()):
            found = history[offsets[i] : offsets[i + 1]].tolist()
            assert found == reference_history(log, every[number], leakage == "safe")


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.sampled_from(["leave-one-out", "temporal", "official"]))
def test_no_split_asks_for_events_whose_request_is_not_known(
    events: list[tuple], name: str
) -> None:
    log, part = told_log(events)
    try:
        parts = split(log, ITEMS, Split(name=name), official=part)
    except InputError:
        return
    for got in parts.requests.values():
        assert not np.isin(part[got.events], NEVER).any()
    assert not parts.train[part == HISTORY].any()


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.sampled_from(["leave-one-out", "temporal"]))
def test_other_splits_ask_as_if_events_without_request_were_not_there(
    events: list[tuple], name: str
) -> None:
    log, part = told_log(events)
    # Whatever shares a session and a moment with such an event is no request of its own.
    for task in Task:
        for group in reference_groups(log, task):
            assume(len({part[r] in NEVER for r in group}) == 1)
    known = [event for event in events if event[5] not in NEVER]
    assume(known)
    fewer, _ = told_log(known)
    how = Split(name=name, leakage="paper")
    try:
        wanted = split(fewer, ITEMS, how).requests
        found = split(log, ITEMS, how, official=part).requests
    except InputError:
        return
    place = np.flatnonzero(~np.isin(part, NEVER))
    assert set(found) == set(wanted)
    for key, got in found.items():
        assert got.events.tolist() == place[wanted[key].events].tolist()


def test_a_source_that_does_not_split_refuses_the_official_split(make_folder: MakeFolder) -> None:
    folder: Path = card_in(make_folder(rows()), split={"name": "official"})
    with pytest.raises(InputError, match="do not say what trains and what tests"):
        load_dataset(folder)
