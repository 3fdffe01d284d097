from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.card import Split
from benchmark.data.days import is_zone, midnights
from benchmark.data.split import split
from benchmark.errors import InputError
from tests.data.conftest import log_of

# Apia skipped a whole day, São Paulo skips midnights.
ZONES = st.sampled_from(["Asia/Shanghai", "UTC", "America/Sao_Paulo", "Pacific/Apia"])
UNITS = st.sampled_from([1, 10**3, 10**6, 10**9])
SECONDS = st.lists(st.integers(1_318_000_000, 1_326_000_000), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(SECONDS, ZONES, UNITS)
def test_days_are_those_of_the_calendar(seconds: list[int], zone: str, unit: int) -> None:
    begins = midnights(np.array(seconds, dtype=np.int64) * unit, zone)
    first = min(datetime.fromtimestamp(s, ZoneInfo(zone)).date() for s in seconds)
    for second in seconds:
        day = datetime.fromtimestamp(second, ZoneInfo(zone)).date()
        place = int(np.searchsorted(begins, second * unit, side="right")) - 1
        assert place == (day - first).days
    assert len(begins) == 1 + max(
        (datetime.fromtimestamp(s, ZoneInfo(zone)).date() - first).days for s in seconds
    )


@pytest.mark.parametrize("times", [[0, 5], [10**9, 10**12], [1], [2**62]])
def test_times_that_are_no_moments_are_refused(times: list[int]) -> None:
    with pytest.raises(InputError, match="the days split needs times from 1971 to 2100"):
        midnights(np.array(times, dtype=np.int64), "UTC")


def test_a_log_of_one_day_leaves_nothing_to_train_on() -> None:
    log = log_of([(0, i, 1_700_000_000 + i, -1) for i in range(5)])
    with pytest.raises(InputError, match="the days split leaves none of 5 events"):
        split(log, 6, Split(name="days"))


def test_the_day_before_the_last_validates_even_if_it_is_empty() -> None:
    day = 86_400
    log = log_of([(0, i, 1_700_006_400 + i * 2 * day, -1) for i in range(3)])
    asked = split(log, 6, Split(name="days")).requests
    assert {part for part, _ in asked} == {"test"}


def test_a_limit_draws_requests_of_a_day() -> None:
    rows = [(0, 0, 1_700_000_000, -1)] + [(1, i, 1_700_200_000 + i, -1) for i in range(6)]
    asked = split(log_of(rows), 6, Split(name="days", limit=2)).requests
    assert [len(rows.first) for rows in asked.values()] == [2]


@pytest.mark.parametrize("name", ["", "Asia/Peking", "../etc", "/etc/passwd", "\0", "x" * 300])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert not is_zone(name)
