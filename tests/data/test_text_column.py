from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.catalogue import Items, Queries
from benchmark.data.text_column import TextColumn
from benchmark.model import Model, NoSettings

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
lists = st.lists(texts, max_size=12)
places = st.integers(-14, 14)
ends = st.none() | places


def outcome(act: Any) -> Any:
    """Return what an action returns, or the kind of error that it raises."""
    try:
        return act()
    except (IndexError, ValueError) as error:
        return type(error)


@given(lists, places, ends, ends, st.sampled_from([None, 1, 2, -1, -3]))
def test_a_column_is_used_as_a_tuple_is(
    strings: list[str], place: int, start: int | None, stop: int | None, step: int | None
) -> None:
    column, reference = TextColumn(strings), tuple(strings)
    assert isinstance(column, Sequence)
    assert len(column) == len(reference)
    assert list(column) == [*column] == strings
    assert [text for batch in column.batches(5) for text in batch] == strings
    assert outcome(lambda: column[place]) == outcome(lambda: reference[place])
    assert list(column[start:stop:step]) == list(reference[start:stop:step])
    for text in (*strings, "", "unheard", "\ud800", 3):
        assert (text in column) == (text in reference)
        assert outcome(lambda text=text: column.index(text)) == outcome(  # type: ignore[misc]
            lambda text=text: reference.index(text)  # type: ignore[misc]
        )
        assert column.count(text) == reference.count(text)
    assert list(column.filled) == [bool(text.strip()) for text in strings]
    assert b"".join(map(bytes, column.lines())) == "".join(t + "\n" for t in strings).encode()


@given(lists, lists)
def test_a_column_equals_what_holds_the_same_strings(one: list[str], two: list[str]) -> None:
    column, same = TextColumn(one), one == two
    for other in (TextColumn(two), two, tuple(two), TextColumn(["x", *two])[1:]):
        assert (column == other) is same
        assert (other == column) is same
    assert column == pickle.loads(pickle.dumps(column)) == TextColumn(pa.array(one, pa.string()))
    assert column != object()
    assert TextColumn(["a"]) != "a"


@given(lists.filter(bool), st.data())
def test_rows_are_taken_in_the_order_asked_for(strings: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(strings) - 1)))
    column = TextColumn([*strings, "last"])[:-1]
    assert column.take(np.array(rows, dtype=np.int64)) == [strings[row] for row in rows]


@given(lists, st.data())
def test_other_rows_of_a_query_table_are_blank(strings: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.sets(st.integers(0, max(0, len(strings) - 1)))) if strings else set()
    queries = Queries(strings, strings, TextColumn.repeated("given", len(strings)))
    some = queries.only(np.array(sorted(rows), dtype=np.int64))
    assert some.texts == [text if i in rows else "" for i, text in enumerate(strings)]
    assert some.ids == strings
    assert some.kinds == ("given",) * len(strings)


def test_tables_hold_columns_of_one_length_whatever_they_are_made_of() -> None:
    items = Items(("a", "b"), ["A", "B"], TextColumn(["", " "]), {"genre": ("x", "y")})
    assert items == Items(["a", "b"], ["A", "B"], ["", " "], {"genre": ["x", "y"]})
    assert not items.have_texts
    assert Items(("a",), ("a",), ("x",)).have_texts
    with pytest.raises(ValueError, match="lengths"):
        Items(("a", "b"), ("A", "B"), ("",))
    with pytest.raises(ValueError, match="null"):
        TextColumn(pa.array(["a", None]))


def test_a_model_may_store_a_column_among_its_values(tmp_path: Path) -> None:
    class Ids(Model[NoSettings]):
        Settings = NoSettings

        def fit(self, *_: Any) -> None: ...
        def score(self, requests: Any) -> Any: ...
        def restore(self, *_: Any) -> None: ...
        def state(self) -> Any:
            return {}, {"ids": TextColumn(["a", "b"])}

    Ids(NoSettings()).save(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["values"] == {"ids": ["a", "b"]}
