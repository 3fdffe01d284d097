"""Data sets of frames: one digest whatever library holds the rows, and clear refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmark import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.errors import InputError
from tests.data.sources.test_tables import simple

START = 1_714_521_600
ROWS = 240
RULES: dict[str, Any] = {
    "columns": {"user": "u", "item": "i", "time": "t", "query": "q", "type": "e"},
    "events": {"view": 1, "buy": 3, "show": 0},
    "item_columns": {"id": "i"},
    "session_gap": 1800,
    "title": "{title}",
    "name": "frames",
}


def columns() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    queries = ["红色椅子", "blue chair", None, None]
    return {
        "u": rng.integers(0, 9, ROWS),
        "i": rng.integers(0, 30, ROWS),
        "t": START + np.arange(ROWS) * 700,
        "q": [queries[k] for k in rng.integers(0, 4, ROWS)],
        "e": [("view", "buy", "show")[k] for k in rng.integers(0, 3, ROWS)],
    }


ITEMS = {"i": list(range(30)), "title": [f"blue chair 红色椅子 {k}" for k in range(30)]}


class Capsule:
    """A frame of some library that offers Arrow's C stream and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def forms() -> dict[str, Any]:
    arrow = pa.table(columns())
    coded = arrow.set_column(1, "i", arrow["i"].cast(pa.string()).dictionary_encode())
    stamps = arrow["t"].cast(pa.timestamp("s", "UTC"))
    missing = pd.DataFrame({**columns(), "i": np.append(columns()["i"][:-1].astype(float), np.nan)})
    missing.loc[ROWS - 1, "i"] = columns()["i"][-1]
    return {
        "columns": columns(),
        "pandas": pd.DataFrame(columns()),
        "pandas with categories": pd.DataFrame(columns()).astype({"e": "category", "u": "str"}),
        "pandas with fractional ids": missing,
        "arrow": arrow,
        "arrow in pieces": pa.concat_tables([arrow.slice(0, 7), arrow.slice(7)]),
        "arrow with codes": coded,
        "arrow with timestamps": arrow.set_column(2, "t", stamps),
        "arrow with milliseconds": arrow.set_column(2, "t", stamps.cast(pa.timestamp("ms", "UTC"))),
        "arrow with text views": arrow.set_column(4, "e", arrow["e"].cast(pa.string_view())),
        "another library": Capsule(arrow),
    }


@pytest.fixture(scope="module")
def plain() -> Dataset:
    return Dataset.from_frames(pa.table(columns()), pa.table(ITEMS), **RULES)


@pytest.mark.parametrize("form", forms())
def test_the_digest_is_the_same_whatever_holds_the_rows(form: str, plain: Dataset) -> None:
    found = Dataset.from_frames(forms()[form], ITEMS, **RULES)
    assert (found.digest, found.candidates_digest) == (plain.digest, plain.candidates_digest)
    assert {task for _, task in found.evaluation} == {Task.REC, Task.SEARCH}


def test_polars_gives_the_same_digest(plain: Dataset) -> None:
    polars = pytest.importorskip("polars")
    events = polars.DataFrame(columns()).with_columns(polars.col("e").cast(polars.Categorical))
    found = Dataset.from_frames(events, polars.DataFrame(ITEMS), **RULES)
    assert found.digest == plain.digest


@pytest.mark.parametrize("change", ["u", "i", "t", "q", "e", "title", "rule", "card"])
def test_the_digest_differs_where_anything_does(change: str, plain: Dataset) -> None:
    events, items, rules = columns(), dict(ITEMS), dict(RULES)
    if change == "rule":
        rules["session_gap"] = 60
    elif change == "card":
        rules["copies"] = {"keep": True}
    elif change == "title":
        items["title"] = ["other", *items["title"][1:]]
    else:
        first, *others = list(events[change])
        events[change] = [next(each for each in others if each != first), *others]
    assert Dataset.from_frames(events, items, **rules).digest != plain.digest


def test_frames_hold_what_a_file_of_the_same_rows_holds(tmp_path: Any, plain: Dataset) -> None:
    rows = pd.DataFrame(columns()).to_csv(index=False)
    rules = {name: RULES[name] for name in ("columns", "events", "session_gap")}
    folder = simple(tmp_path / "log", rows, **rules)
    loaded = load_dataset(folder, cache=tmp_path / "cache")
    framed = Dataset.from_frames(columns(), **rules)
    for one, other in ((loaded.log, framed.log), (loaded.train.log, framed.train.log)):
        assert all(
            (getattr(one, n) == getattr(other, n)).all() for n in ("user", "item", "time", "query")
        )
    assert loaded.queries == framed.queries
    assert loaded.candidates_digest == framed.candidates_digest


@pytest.mark.parametrize(
    ("events", "rules", "fault"),
    [
        ([1, 2], {}, "events: is no frame of pandas, Polars or Arrow"),
        ({"u": [1, 2], "i": [1]}, {}, "events: cannot be read as a table"),
        (pd.DataFrame({"u": [1, "a"], "i": [1, 2]}), {}, "events: cannot be read as a table"),
        ({"u": [1], "i": [2]}, {"columns": {"user": "uu"}}, "events: column 'uu' is missing"),
        (
            {"u": [{"a": 1}], "i": [2]},
            {"columns": {"user": "u", "item": "i", "time": None}},
            "'u' holds struct",
        ),
        ({}, {"colums": {}}, "from_frames: unknown field 'rules.colums'; did you mean 'columns'?"),
        ({}, {"format": "atomic"}, "unknown field 'rules.format'"),
        ({}, {"split": {"name": "random"}}, "from_frames: field 'split.name'"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    events: Any, rules: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InputError) as refused:
        Dataset.from_frames(events, **rules)
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)
