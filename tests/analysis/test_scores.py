from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.analysis.scores import SMALLEST_SLICE, slices


def requests(**columns: list) -> pd.DataFrame:
    size = len(next(iter(columns.values())))
    usual = {"query_kind": [""] * size, "history": [5] * size, "item_events": [5] * size}
    return pd.DataFrame(usual | columns)


def members(frame: pd.DataFrame) -> dict[str, list[int]]:
    return {name: np.flatnonzero(rows).tolist() for name, rows in slices(frame)}


def test_a_slice_for_each_kind_of_query() -> None:
    found = members(requests(query_kind=["category"] * 30 + ["known-item"] * 25))
    assert found == {
        "query:category": list(range(30)),
        "query:known-item": list(range(30, 55)),
    }


def test_new_items_are_those_without_training_events() -> None:
    found = members(requests(item_events=[0] * 20 + [1] * 20))
    assert found["item:new"] == found["popularity:0"] == list(range(20))
    assert found["item:known"] == found["popularity:1-9"] == list(range(20, 40))


@pytest.mark.parametrize("size", [SMALLEST_SLICE - 1, SMALLEST_SLICE])
def test_a_slice_of_few_requests_is_left_out(size: int) -> None:
    found = members(requests(history=[0] * size + [300] * 100))
    assert ("history:0" in found) == (size == SMALLEST_SLICE)


def test_a_slice_that_holds_everything_is_no_slice() -> None:
    assert members(requests(query_kind=["given"] * 50)) == {}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=300))
def test_ranges_share_no_request(lengths: list[int]) -> None:
    found = members(requests(history=lengths))
    rows = [row for name, part in found.items() if name.startswith("history") for row in part]
    assert len(rows) == len(set(rows))
    for name, part in found.items():
        low, _, high = name.partition(":")[2].rstrip("+").partition("-")
        inside = [int(low) <= lengths[row] <= (int(high) if high else 10**9) for row in part]
        assert all(inside) or name == "history:0"
