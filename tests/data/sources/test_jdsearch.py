"""The reader of JDsearch, against a slow one, and against broken files."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.jdsearch import READER, JDsearchRules
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import TEST, TRAINING, Source
from benchmark.errors import InputError
from tests.data.generated.jdsearch import (
    LOG_HEADER,
    PRODUCT_HEADER,
    Mall,
    write_card,
    write_jdsearch,
)

from .jdsearch_reference import Read, read_jdsearch
from .plain_split import asked_by, leave_one_out, log_of_dataset, ordered

RULES = st.fixed_dictionaries(
    {},
    optional={
        "time": st.sampled_from(["gaps", "positions"]),
        "sessions": st.sampled_from(["runs", "none"]),
        "missing": st.sampled_from(["keep", "drop"]),
        "grades": st.sampled_from([{"ORD": 3.0, "CLICK": 0.5}, {"FLW": 2.0, "CART": 1.0}]),
    },
)
TERMS = st.sampled_from(["12", "12\x1832", "7\x18560\x1812", "99"])
ITEM = st.sampled_from([str(100 + k) for k in range(12)])
GAP = st.sampled_from(["0", "1", "3", "40"])
LABEL = st.sampled_from(["0.0", "0.0", "0.0", "1.0", "2.0", "3.0"])


@st.composite
def users(draw: st.DrawFn) -> str:
    """Draw a line; now and then its lists do not fit together, or hold what they should not."""
    shown = draw(st.lists(st.tuples(ITEM, LABEL), min_size=1, max_size=6))
    event = st.tuples(
        st.sampled_from(["-1", "-1", "12", "12", "12\x1832", "99"]),
        ITEM,
        st.sampled_from(["CLICK", "CART", "ORD", "FLW"]),
        GAP,
    )
    history = draw(st.lists(event, max_size=9))
    cells = [
        [draw(TERMS)],
        [item for item, _ in shown],
        [label for _, label in shown],
        *([event[k] for event in history] for k in range(3)),
        ["0", *(event[3] for event in history)],
    ]
    odd = draw(st.integers(0, 24))
    if odd < 7 and cells[odd]:
        cells[odd] = draw(st.sampled_from([cells[odd][1:], [*cells[odd], ""], ["x", *cells[odd][1:]]]))
    return "\t".join("_".join(each) for each in cells)


@st.composite
def malls(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Draw the lines of both files."""
    log = [LOG_HEADER] * draw(st.integers(0, 1))
    log += draw(st.lists(users(), min_size=1, max_size=6))
    products = [PRODUCT_HEADER] * draw(st.integers(0, 1))
    for _ in range(draw(st.integers(1, 12))):
        cells = [draw(ITEM), *(draw(TERMS | st.just("")) for _ in range(12))]
        products.append("\t".join(cells))
    return log, products


def write(folder: Path, mall: tuple[list[str], list[str]]) -> dict[str, Path]:
    files = {"log": folder / "release_data.txt", "products": folder / "product_data.txt"}
    for path, lines in zip(files.values(), mall, strict=True):
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return files


COLUMNS = tuple(PRODUCT_HEADER.split("\t")[1:])


def read_source(files: Mapping[str, Path], rules: Mapping) -> Source:
    return READER.read(files, JDsearchRules.model_validate(rules), Wanted(columns=COLUMNS))


def rows_of(source: Source) -> Counter[tuple]:
    inter = source.inter
    assert inter.grade is not None and inter.part is not None
    names = [ids.to_pylist() for ids in (inter.users, inter.items, inter.queries)]
    columns = (inter.user, inter.item, inter.time, inter.query, inter.grade, inter.part)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    part = {TRAINING: "train", TEST: "test"}
    return Counter(
        (names[0][u], names[1][i], t, None if q < 0 else names[2][q], g, part[p])
        for u, i, t, q, g, p in rows
    )


def sessions_of(source: Source) -> set[frozenset]:
    """Return the events of each session."""
    inter = source.inter
    found: dict[int, set] = {}
    for row, session in enumerate(inter.session.tolist()):
        if session >= 0:
            found.setdefault(session, set()).add(
                (inter.users[int(inter.user[row])].as_py(), inter.items[int(inter.item[row])].as_py(),
                 int(inter.time[row]))
            )  # fmt: skip
    return {frozenset(each) for each in found.values()}


def expected_rows(read: Read) -> Counter[tuple]:
    rows = [*read.events, *((event, "test") for event in read.shown)]
    return Counter((*event.seen, event.grade, part) for event, part in rows)


def expected_sessions(read: Read) -> set[frozenset]:
    found: dict[tuple, set] = {}
    for event in (*(e for e, _ in read.events), *read.shown):
        if event.session is not None:
            found.setdefault((event.session, event.user), set()).add(event.seen[:3])
    return {frozenset(each) for each in found.values()}


@settings(max_examples=150, deadline=None)
@given(mall=malls(), rules=RULES)
def test_the_source_is_that_of_a_slow_reader(mall: tuple, rules: dict) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = write(Path(name), mall)
        expected = read_jdsearch(files, rules)
        try:
            source = read_source(files, rules)
        except InputError as error:
            assert not expected.events, error
            return
    assert rows_of(source) == expected_rows(expected)
    assert sessions_of(source) == expected_sessions(expected)
    texts = {
        item: {name: column[row].as_py() for name, column in source.items.columns.items()}
        for row, item in enumerate(source.items.ids.to_pylist())
    }
    assert texts == expected.texts
    told = [note for note in source.notes if "lines); they are left out" in note]
    assert bool(told) == bool(expected.left_out)
    assert all(f"({expected.left_out} of " in note for note in told)


@settings(max_examples=60, deadline=None)
@given(mall=malls(), rules=RULES)
def test_loaded_requests_are_those_of_a_slow_split(mall: tuple, rules: dict) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write(folder, mall)
        read = read_jdsearch(files, rules)
        write_card(folder, {what: path.name for what, path in files.items()}, rules=rules)
        try:
            dataset = load_dataset(folder, cache=folder / "cache", seen="keep")
        except InputError as error:
            assert not read.events or "leaves none of" in str(error)
            return
    best: dict[tuple, Any] = {}
    for event, _ in read.events:
        # A copy (same user, item, words and time) is one event, with the best grade.
        if event.seen not in best or best[event.seen].grade < event.grade:
            best[event.seen] = event
    events = ordered(best.values(), log_of_dataset(dataset))
    train, asked = leave_one_out(events, len(dataset.items), shown=read.shown)
    assert len(dataset.train.log) == len(train)
    assert asked_by(dataset) == asked
