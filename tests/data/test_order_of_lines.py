"""The order of lines in a file changes nothing; copies of an event are one event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.card import Copies
from benchmark.data.copies import without_copies
from benchmark.data.load import load_dataset
from benchmark.data.sources.atomic.tables import read_inter
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.order import events_in_order
from tests.support import write_tiny


def _shuffled(folder: Path, source: Path, seed: int) -> Path:
    """Copy a data set with the lines of every file in another order."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for file in source.iterdir():
        head, *rows = file.read_text().splitlines()
        order = rng.permutation(len(rows))
        (folder / file.name).write_text("\n".join([head, *(rows[i] for i in order)]) + "\n")
    return folder


def _tied(folder: Path) -> Path:
    """Write a data set where many events of a user share a moment, with sessions."""
    rng = np.random.default_rng(7)
    write_tiny(folder)
    head = "user_id:token\titem_id:token\ttimestamp:float\tquery_id:token\tsession_id:token"
    rows = [
        f"u{u}\ti{rng.integers(120)}\t{t // 3}\t{rng.choice(['', 'q0', 'q1'])}\ts{t // 4}"
        for u in range(20)
        for t in range(20)
    ]
    (folder / "tiny.inter").write_text("\n".join([head, *rows]) + "\n")
    return folder


def _contradicting(folder: Path) -> Path:
    """Write a data set that says several things of one item, and of one query."""
    _tied(folder)
    for kind in ("item", "query"):
        file = folder / f"tiny.{kind}"
        head, *rows = file.read_text().splitlines()
        cells = [row.split("\t") for row in rows]
        others = [[one[0], *other[1:]] for one, other in zip(cells, cells[3:], strict=False)]
        fewer = [[one[0], *("" for _ in one[1:])] for one in cells[::2]]
        more = ["\t".join(each) for each in others + fewer + cells[::3]]
        file.write_text("\n".join([head, *more, *rows]) + "\n")
    return folder


@pytest.mark.parametrize("write", [write_tiny, _tied, _contradicting])
@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_lines_make_the_same_data_set(write, seed: int, tmp_path: Path) -> None:
    whole = write(tmp_path / "a" / "tiny")
    shuffled = _shuffled(tmp_path / "b" / "tiny", whole, seed)
    one, other = (
        load_dataset(each, cache=tmp_path / f"c{each.parent.name}") for each in (whole, shuffled)
    )
    assert one.items == other.items
    assert one.queries == other.queries
    assert one.candidates_digest == other.candidates_digest
    for name in ("user", "item", "time", "kind", "query", "session"):
        assert np.array_equal(getattr(one.log, name), getattr(other.log, name))
    assert np.array_equal(one.train.log.item, other.train.log.item)
    assert audit(one).ok


def test_the_last_of_tied_events_does_not_hang_on_its_id(tmp_path: Path) -> None:
    file = tmp_path / "x.inter"
    rows = [f"u{u}\ti{i}\t0" for u in range(2000) for i in range(2)]
    file.write_text("user_id:token\titem_id:token\ttimestamp:float\n" + "\n".join(rows) + "\n")
    inter = events_in_order(read_inter(file))
    share = (inter.item[1::2] == 1).mean()
    assert 0.45 < share < 0.55


CLICKS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 6), st.sampled_from(["", "q"])),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60)
@given(clicks=CLICKS, within=st.integers(0, 3))
def test_copies_are_what_a_walk_through_the_events_finds(
    tmp_path_factory: pytest.TempPathFactory, clicks: list, within: int
) -> None:
    file = tmp_path_factory.mktemp("x") / "x.inter"
    head = "user_id:token\titem_id:token\ttimestamp:float\tquery_id:token\n"
    file.write_text(head + "".join(f"u{u}\ti{i}\t{t}\t{q}\n" for u, i, t, q in clicks))
    last: dict[tuple, int] = {}
    expected = []
    for user, item, time, query in sorted(clicks, key=lambda click: click[2]):
        if time - last.get((user, item, query), -100) > within:
            expected.append((f"u{user}", f"i{item}", time, query))
        last[user, item, query] = time
    cleaning = Cleaning()
    read = events_in_order(read_inter(file, cleaning=cleaning))
    inter = without_copies(read, Copies(within=within), cleaning)
    queries = [*inter.queries.to_pylist(), ""]
    found = [
        (inter.users[int(u)].as_py(), inter.items[int(i)].as_py(), t, queries[q])
        for u, i, t, q in zip(inter.user, inter.item, inter.time.tolist(), inter.query, strict=True)
    ]
    assert sorted(found) == sorted(expected)
    dropped = len(clicks) - len(expected)
    told = [note for note in cleaning.notes if "events are copies" in note]
    assert len(told) == bool(dropped)
    assert not dropped or f"({dropped} of {len(clicks)} events are copies)" in told[0]


@pytest.mark.parametrize("times", [None, [f"{2**70 + k * 2**30}" for k in range(4)]])
@pytest.mark.parametrize("within", [0, 1, 5])
def test_where_times_are_only_ranks_no_distance_makes_a_copy(
    times: list[str] | None, within: int, tmp_path: Path
) -> None:
    file = tmp_path / "x.inter"
    head, rows = "user_id:token\titem_id:token", ["u\ti"] * 4
    if times is not None:
        head, rows = f"{head}\ttimestamp:float", [f"u\ti\t{time}" for time in times]
    file.write_text("\n".join([head, *rows]) + "\n")
    read = events_in_order(read_inter(file))
    assert len(without_copies(read, Copies(within=within), Cleaning()).item) == 4
