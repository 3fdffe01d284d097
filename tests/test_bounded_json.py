from __future__ import annotations

import json
import math
import os
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.bounded_json import parse_json, read_bounded

WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(VALUES)
def test_what_fits_comes_back(value: Any) -> None:
    found = parse_json(json.dumps(value).encode())
    assert found == value and json.dumps(found) == json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "{} {}", "'x'", '{"a": 1,}', "\ufeff{}", '"\\ud800"', "\x00"),
        *("NaN", "-Infinity", "1e999", "[-1e999]", str(2**63), str(-(2**63) - 1), "9" * 5000),
        *("[" * depth + "]" * depth for depth in (1000, 100_000)),
        '{"a":' * 50_000 + "1" + "}" * 50_000,
    ],
    ids=lambda text: ascii(text)[:12],
)
def test_what_does_not_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]{1,200}\Z"):
        parse_json(text.encode())


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_refused(content: bytes) -> None:
    try:
        value = parse_json(content)
    except ValueError:
        return
    assert not isinstance(value, float) or math.isfinite(value)


def test_a_large_file_costs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    with file.open("wb") as stream:
        stream.truncate(2**30)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ValueError, match=r"run\.json is larger than 16 MiB"):
        read_bounded(file, 2**24)
    assert time.monotonic() - began < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**10


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match=r"it is (no regular file|a folder)"):
            read_bounded(file, 2**24)
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 2**24)
