"""The reader of the Amazon releases against broken files: one line, or a count."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.sources.amazon import READER
from benchmark.data.sources.amazon_rules import AmazonRules
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.reader import Wanted
from benchmark.errors import InputError
from tests.data.generated.amazon import Shop, item_id, write_amazon

from .amazon_files import lines_of, packed, read_source
from .broken_files import BREAKAGES, broken, one_line


@settings(max_examples=40, deadline=None)
@given(
    what=st.sampled_from(
        ["reviews", "meta", "query_text", "train_qrels", "test_qrels", "train_reviews"]
    ),
    how=BREAKAGES,
    packed=st.booleans(),
    strict=st.booleans(),
)
def test_a_broken_file_is_one_line_or_a_count(
    what: str, how: tuple, packed: bool, strict: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write_amazon(folder, Shop(users=8, items=10, reviews=40, queries=True))
        broken(folder / names[what], how, packed)
        files = {each: folder / names[each] for each in names}
        try:
            cleaning = Cleaning(strict)
            source = READER.read(files, AmazonRules(qrels="split"), Wanted(cleaning=cleaning))
        except InputError as error:
            assert one_line(error, *(Path(each).name for each in names.values()), "review")
            return
    assert all("\n" not in note for note in (*cleaning.notes, *source.notes))
    assert len(source.inter.user) > 0


FAULTS: list[tuple[str, Any, str]] = [
    ("reviews", "{'reviewerID': 'A'}", r":3: the line is no JSON object \(Expecting property"),
    ("reviews", "[" * 200_000, r":3: the line is no JSON object"),
    (
        "reviews",
        '{"reviewerID": "A", "asin": 7, "unixReviewTime": 1}',
        r":3: reviewerID, asin or unix",
    ),
    (
        "reviews",
        '{"reviewerID": "A", "asin": "B", "unixReviewTime": "1"}',
        r":3: reviewerID, asin or",
    ),
    (
        "reviews",
        '{"reviewerID": "A", "asin": "B", "unixReviewTime": -9}',
        r":3: reviewerID, asin or",
    ),
    ("meta", "{'asin': __import__('os').system('touch HERE')}", r":3: the line is no literal"),
    (
        "meta",
        f"{{'asin': '{item_id(0)}', 'title': open('HERE', 'w')}}",
        r":3: the line is no literal",
    ),
    ("meta", f"{{'asin': '{item_id(0)}', 'categories': [['A'}}", r":3: the line is no literal"),
    ("meta", "(" * 100_000, r":3: the line is no literal"),
    ("meta", "\\'" * 100_000, r":3: the line is no literal"),
    ("meta", "{'title': 'no id'}", r":3: asin is missing"),
    ("train_qrels", "A1,2,B,1", r":3: the line has another form"),
    ("train_qrels", "NOBODY_0 0 B001 1 ", r":3: no review is of user 'NOBODY'"),
    ("train_reviews", "line_-4", r":3: the line has another form"),
    ("train_reviews", "line_99999999", r":3: the reviews end before line 99999999"),
]


@pytest.mark.parametrize(("what", "line", "told"), FAULTS)
def test_a_faulty_line_is_counted_or_under_strict_refused(
    tmp_path: Path, what: str, line: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = write_amazon(tmp_path, Shop(users=9, items=12, reviews=60, queries=True))
    lines = lines_of(tmp_path / names[what])
    packed(tmp_path / names[what], [*lines[:2], line, *lines[2:]])
    files = {each: tmp_path / names[each] for each in names}
    rules = AmazonRules(qrels="split")
    cleaning = Cleaning()
    READER.read(files, rules, Wanted(cleaning=cleaning))
    count = f"(1 of {len(lines) + 1} lines); they are left out"
    assert any(count in note for note in cleaning.notes)
    with pytest.raises(InputError, match=f"{Path(names[what]).name}{told}"):
        READER.read(files, rules, Wanted(cleaning=Cleaning(strict=True)))
    assert not (tmp_path / "HERE").exists()


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    names = write_amazon(tmp_path, Shop(users=9, items=12, reviews=60))
    packed(tmp_path / names["reviews"], ["x" * 3_000_000])
    with pytest.raises(InputError, match=r"reviews_Electronics_5.json.gz:1: the line is longer"):
        read_source(tmp_path, names, {})


def test_a_cut_off_gzip_file_says_where_it_ends(tmp_path: Path) -> None:
    names = write_amazon(tmp_path, Shop(users=9, items=12, reviews=60))
    path = tmp_path / names["reviews"]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="the gzip file is damaged or cut off"):
        read_source(tmp_path, names, {})


def test_a_part_of_the_query_files_is_refused(tmp_path: Path) -> None:
    names = write_amazon(tmp_path, Shop(users=9, items=12, reviews=60, queries=True))
    for missing in ("query_text", "train_qrels", "test_qrels"):
        some = {what: name for what, name in names.items() if what != missing}
        with pytest.raises(InputError, match=f"need {missing} too"):
            read_source(tmp_path, some, {})
    with pytest.raises(InputError, match="need train_reviews too"):
        read_source(
            tmp_path, {w: n for w, n in names.items() if w != "train_reviews"}, {"qrels": "split"}
        )


def test_the_release_of_another_year_says_which_fields_it_wants(tmp_path: Path) -> None:
    names = write_amazon(tmp_path, Shop(users=9, items=12, reviews=60, release=2023))
    with pytest.raises(InputError, match=r"reviewerID, asin or unixReviewTime \(release 2014\)"):
        read_source(tmp_path, names, {"release": 2014})
