from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.results.json_text import json_text

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=40)
@given(_JSON)
def test_it_is_the_same_json(value: Any) -> None:
    assert json.loads(json_text(value)) == value


def test_what_fits_into_a_line_stands_in_one() -> None:
    value = {"curve": [{"epoch": n, "loss": 1 / 3} for n in range(3)], "tasks": ["rec", "search"]}
    assert json_text({1: value, "long": list(range(40))}).startswith(
        """{
 "1": {
  "curve": [
   {"epoch": 0, "loss": 0.3333333333333333},
   {"epoch": 1, "loss": 0.3333333333333333},
   {"epoch": 2, "loss": 0.3333333333333333}
  ],
  "tasks": ["rec", "search"]
 },
 "long": [
  0,
"""
    )


def test_numbers_are_finite() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text([float("nan")])
