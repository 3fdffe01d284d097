"""Python literals are read as Python reads them, and nothing else is read."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.sources.files.literals import literal

PIECES = (
    *("a", "'", '"', "\\", "\n", "\t", "é", "红", "\x00", "\x1f", "\x7f", "\u2028", "\xa0", "😀"),
    *("(", ")", "[", "{", "None", "True", ":", ",", "\\x41", "\\u0041", "\\N", "&quot;", " "),
)
TEXT = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
PLAIN = TEXT | st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
VALUE = st.recursive(
    PLAIN, lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3)
)


def as_python(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


@given(st.dictionaries(TEXT, VALUE, min_size=1, max_size=4), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_python_writes_is_read_as_python_reads_it(value: dict, escaped: bool) -> None:
    text = ascii(value) if escaped else repr(value)
    assert literal(text) == value


@given(
    st.dictionaries(TEXT, TEXT, min_size=1, max_size=3),
    st.floats(0, 1),
    st.sampled_from(["'", '"', "\\", "(", ",", "x", "1", ""]),
)
@settings(max_examples=200, deadline=None)
def test_a_damaged_literal_never_becomes_another_value(value: dict, at: float, put: str) -> None:
    text = repr(value)
    place = int(at * len(text))
    text = text[:place] + put + text[place + 1 :]
    try:
        found = literal(text)
    except ValueError:
        return
    if isinstance(found, dict) and (meant := as_python(text)) is not None:
        assert found == meant


@pytest.mark.parametrize(
    "text",
    ["{'a': open('x')}", "{'a': 1 + 1}", "{'a': b}", "{'a': f'{1}'}", "{'a': 'b", "[" * 10_000],
)
def test_what_is_code_or_unclosed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no literal|not closed"):
        literal(text)
