from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import PAD
from benchmark.learning.simultaneous_duplicates import (
    previous_twins,
    searches_first,
    steps_to_moment,
)

EVENTS = st.lists(st.tuples(*[st.integers(0, 2)] * 3, st.integers(0, 1)), min_size=1, max_size=20)


def _log(events: list[tuple[int, int, int, int]]) -> EventLog:
    user, time, item, kind = np.array(events).T
    query = np.where(kind == EventSource.SEARCHED, 0, -1)
    return EventLog.from_columns(user, item, time, kind, query, np.full(len(user), -1), 3)


def _keys(log: EventLog) -> list[tuple[int, ...]]:
    return list(zip(log.user.tolist(), log.time.tolist(), log.item.tolist(), strict=True))


@given(EVENTS)
def test_the_previous_twin_is_the_last_row_before_of_the_same_user_time_and_item(events) -> None:
    log = _log(events)
    keys = _keys(log)
    expected = [
        max((j for j in range(i) if keys[j] == keys[i]), default=PAD) for i in range(len(log))
    ]
    assert previous_twins(log).tolist() == expected


@given(EVENTS)
def test_a_moment_begins_with_the_first_event_of_the_same_user_and_time(events) -> None:
    log = _log(events)
    moments = list(zip(log.user.tolist(), log.time.tolist(), strict=True))
    assert steps_to_moment(log).tolist() == [i - moments.index(m) for i, m in enumerate(moments)]


def test_an_empty_log_has_no_moments() -> None:
    assert len(steps_to_moment(_log([(0, 0, 0, 0)]).select(np.zeros(1, dtype=bool)))) == 0


@given(EVENTS)
def test_searches_come_first_only_among_the_events_of_one_moment(events) -> None:
    log = _log(events)
    moved = searches_first(log)
    moments = list(zip(log.user.tolist(), log.time.tolist(), strict=True))
    if len(set(_keys(log))) == len(log):
        assert moved is log
        return
    rows = sorted(range(len(log)), key=lambda i: (moments[i], log.kind[i] != EventSource.SEARCHED))
    for name in ("user", "item", "time", "kind", "query"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(log, name)[rows])
