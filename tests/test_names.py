from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.names import as_name, below, check_name, is_name
from benchmark.plain_text import plain

GOOD = ["ml-100k", "bm25+pop", "recbole:SASRec", "数据", "电影", "हिन्दी", "a" * 150, "1"]
BAD = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "a\\b",
    "-x",
    "a\0",
    "a b",
    "a\n",
    "\x1b[31m",
    "a" * 151,
    "/etc",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_name_stays_as_it_is(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert is_name(composed)
    assert as_name(composed) == check_name(composed, "model") == composed


@pytest.mark.parametrize("text", [*BAD, None, 3, ["a"], {}])
def test_whatever_is_no_name_is_refused_in_one_line(text: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model") as refused:
        check_name(text, "model")
    assert str(refused.value).isprintable()
    if isinstance(text, str):
        with pytest.raises(InputError):
            below(tmp_path, "runs", text)


@given(st.text())
def test_any_text_makes_a_name(text: str) -> None:
    assert is_name(as_name(text))


@given(st.text(max_size=5), st.text(max_size=5))
def test_names_of_different_texts_differ(one: str, other: str) -> None:
    assert (as_name(one) == as_name(other)) == (one == other)


@given(st.text())
def test_a_path_of_a_name_lies_below_its_root(text: str) -> None:
    root = Path("/root-of-all")
    path = Path(os.path.normpath(below(root, as_name(text))))
    assert path.parent == root


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "runs").symlink_to(outside)
    with pytest.raises(InputError, match="link leads out"):
        below(root, "runs", "x")


@given(st.text())
def test_plain_text_is_one_line_that_does_nothing(text: str) -> None:
    assert plain(text).isprintable() or not text
    assert len(plain(text, 10)) <= 11


def test_plain_text_keeps_what_a_person_wrote() -> None:
    assert plain("Amélie (2001) 数据 «x»") == "Amélie (2001) 数据 «x»"
    assert plain("a\x1b]52;c;eA==\x07b\n") == r"a\x1b]52;c;eA==\x07b\n"
