"""Files that RecBole loads, load: what is left out is told with a count, or refused by a card."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.load import load_dataset
from benchmark.data.sources.atomic.tables import read_inter, read_texts
from benchmark.data.sources.cleaning import Cleaning
from benchmark.errors import InputError

from .test_atomic import GOOD, HEAD, ITEMS, QUERIES, QUERY_HEAD, WITH_QUERIES

ALL_ITEMS = ITEMS + b"i\tI\nj\tJ\nk\tK\nl\tL\n"

DIRTY = {
    "item missing from .item": (
        {"inter": HEAD + GOOD, "item": ITEMS + b"i\tI\nk\tK\nl\tL\n"},
        "ml.inter:3: item_id 'j' is not in ml.item (1 of 4 events, 1 ids)",
        3,
    ),
    "same item twice": (
        {"inter": HEAD + GOOD, "item": ALL_ITEMS + b"i\tI\n"},
        "ml.item:6: item_id 'i' is already on line 2 (1 of 5 rows repeat one, 0 with other values)",
        4,
    ),
    "item twice with other words": (
        {"inter": HEAD + GOOD, "item": ALL_ITEMS + b"j\tX\nj\tY\ni\tI\n"},
        "ml.item:6: item_id 'j' is already on line 3 (3 of 7 rows repeat one, 2 with other values)",
        4,
    ),
    "item without id": (
        {"inter": HEAD + GOOD, "item": ALL_ITEMS + b"\tX\n"},
        "ml.item:6: item_id is empty (1 of 5 rows)",
        4,
    ),
    "query twice": (
        {"inter": QUERY_HEAD + WITH_QUERIES, "query": QUERIES + b"q\tother\n"},
        "ml.query:3: query_id 'q' is already on line 2 (1 of 2 rows repeat one, 1 with other",
        4,
    ),
    "unknown query": (
        {"inter": QUERY_HEAD + WITH_QUERIES + b"u\tj\t5\tr\nu\tk\t6\tr\n", "query": QUERIES},
        "ml.inter:6: query_id 'r' is not in ml.query (2 of 6 events, 1 ids)",
        4,
    ),
    "no user": ({"inter": HEAD + GOOD + b"\tj\t2\n"}, "ml.inter:6: user_id is empty (1 of 5", 4),
    "no item": ({"inter": HEAD + GOOD + b"u\t\t2\n"}, "ml.inter:6: item_id is empty (1 of 5", 4),
    "no time": ({"inter": HEAD + GOOD + b"u\tj\t\n"}, "ml.inter:6: timestamp is empty (1 of", 4),
    "time nan": (
        {"inter": HEAD + GOOD + b"u\tj\tnan\nu\tk\tNA\n"},
        "ml.inter:6: timestamp 'nan' is no finite number (2 of 6 events)",
        4,
    ),
    "time infinite": ({"inter": HEAD + GOOD + b"u\tj\t-inf\n"}, "timestamp '-inf' is no", 4),
    "time overflows": ({"inter": HEAD + GOOD + b"u\tj\t1e999\n"}, "timestamp '1e999' is no", 4),
    "short row": (
        {"inter": HEAD + GOOD, "item": ITEMS + b"i\tI\nj\nk\tK\nl\tL\n"},
        "ml.item:3: 1 fields where the header names 2 (1 of 4 rows)",
        4,
    ),
    "long row": (
        {"inter": HEAD + GOOD + b"u\tj\t5\tx\n"},
        "ml.inter:6: 4 fields where the header names 3 (1 of 5 rows)",
        5,
    ),
    "line end in a row": (
        {"inter": HEAD + GOOD + b"u\rv\tj\t2\n"},
        "ml.inter:6: 1 fields where the header names 3 (1 of 6 rows)",
        5,
    ),
    "no column of time": (
        {"inter": b"user_id:token\titem_id:token\nu\ti\nu\tj\nu\tk\n"},
        "ml.inter:1: field timestamp:float is missing (3 events)",
        3,
    ),
    "user missing from .user": (
        {"inter": HEAD + GOOD + b"v\ti\t1\n", "user": b"user_id:token\tage:float\nu\told\n"},
        "ml.inter:6: user_id 'v' is not in ml.user (1 of 2 users)",
        5,
    ),
    "time before zero": (
        {"inter": HEAD + GOOD + b"u\tj\t-86400\nu\tk\t-5\n"},
        "ml.inter:6: timestamp is negative (2 of 6 events)",
        6,
    ),
    "times too large": (
        {"inter": HEAD + GOOD + b"u\tj\t20230101123045123456\n"},
        "ml.inter:6: timestamps are too large or too fine to be counted (5 events)",
        5,
    ),
    "times too fine": (
        {"inter": HEAD + GOOD + b"u\tj\t0.3\nu\tk\t0.30000000000000004\n"},
        "ml.inter:5: timestamps are too large or too fine to be counted (6 events)",
        6,
    ),
    "copies of an event": (
        {"inter": HEAD + GOOD + b"u\tj\t2\nu\tj\t3\nu\tk\t3\n"},
        "ml.inter:6: user 'u', item 'j' stands there again at the same time, of the same kind and"
        " query (2 of 7 events are copies)",
        5,
    ),
    "no time, beside bytes that nothing reads": (
        {"inter": HEAD[:-1] + b"\tplace:token\nu\ti\t1\tMalm\xf6\nu\tj\tnan\t\nu\tk\t3\t\n"},
        "ml.inter:3: timestamp 'nan' is no finite number (1 of 3 events)",
        2,
    ),
    "blank lines counted": (
        {"inter": HEAD + b"\n\n" + GOOD + b"\nu\tj\t\n"},
        "ml.inter:9: timestamp is empty (1 of 5 events)",
        4,
    ),
}

CLEAN = {
    "nan in a column that nothing reads": (
        {"inter": HEAD[:-1] + b"\trating:float\nu\ti\t1\t5\nu\tj\t2\tNaN\nu\tk\t3\tgood\n"},
        3,
    ),
    "odd values in columns that nothing reads": (
        {
            "inter": HEAD + GOOD,
            "item": b"item_id:token\tprice:float\tv:float_seq\n"
            + b"i\tnan\t1 x\nj\t\t\nk\tinf\tnan\nl\tcheap\t1\n",
            "user": b"user_id:token\tage:float\nu\told\nu\tolder\n\t3\n",
        },
        4,
    ),
    "bytes that are not UTF-8 in a column that nothing reads": (
        {"inter": HEAD[:-1] + b"\tplace:token\nu\ti\t1\tMalm\xf6\nu\tj\t2\t\nu\tk\t3\t\n"},
        3,
    ),
    "an empty field more": ({"inter": HEAD + GOOD + b"u\tj\t9\t\t\n"}, 5),
    "blanks in a line": ({"inter": HEAD + GOOD + b"   \nu\tj\t9\n"}, 5),
    "blanks in a line below quotation marks": (
        {"inter": HEAD + GOOD, "item": ITEMS + b'i\t"a\tb"\n   \n\t\nj\tJ\nk\tK\nl\tL\n'},
        4,
    ),
    "old Mac line ends": ({"inter": (HEAD + GOOD).replace(b"\n", b"\r")}, 4),
    "blanks around a time": ({"inter": HEAD + GOOD + b"u\tj\t 9 \n"}, 5),
    "time in quotation marks": ({"inter": HEAD + GOOD + b'u\tj\t"9"\n'}, 5),
    "time as token": ({"inter": HEAD.replace(b"timestamp:float", b"timestamp:token") + GOOD}, 4),
    "sessions and queries as numbers": (
        {"inter": HEAD[:-1] + b"\tsession_id:float\nu\ti\t1\t5\nu\tj\t2\t\nu\tk\t3\t7\n"},
        3,
    ),
    "quotation marks as in CSV": (
        {"inter": HEAD + GOOD, "item": ITEMS + b'i\t"a\tb"\nj\t"c\nd"\n"k"\t"K ""x"""\nl\tL\n'},
        4,
    ),
}  # fmt: skip


def _folder(tmp_path: Path, files: dict[str, bytes], **card: object) -> Path:
    folder = tmp_path / "ml"
    folder.mkdir()
    for kind, content in files.items():
        (folder / f"ml.{kind}").write_bytes(content)
    if card:
        names = ("description", "source", "licence", "citation")
        values = {"name": "ml", **dict.fromkeys(names, "x"), **card}
        values["files"] = {kind: {"name": f"ml.{kind}"} for kind in files}
        (folder / "card.yaml").write_text(yaml.safe_dump(values))
    return folder


@pytest.mark.parametrize("case", DIRTY)
def test_what_is_cleaned_is_told_with_a_count_and_the_first(
    case: str, tmp_path: Path, own_cache: Path
) -> None:
    files, message, events = DIRTY[case]
    folder = _folder(tmp_path, files)
    for _ in ("prepared", "from the cache"):
        told: list[str] = []
        dataset = load_dataset(folder, notify=told.append)
        assert len(dataset.log) == events
        (line,) = {line for line in told if line.startswith("ml: ml.") and message in line}
        assert line in [f"ml: {note}" for note in dataset.about.notes]


@pytest.mark.parametrize("case", DIRTY)
def test_a_strict_card_refuses_what_would_be_cleaned(
    case: str, tmp_path: Path, own_cache: Path
) -> None:
    files, message, events = DIRTY[case]
    folder = _folder(tmp_path, files, strict=False)
    assert len(load_dataset(folder).log) == events
    text = (folder / "card.yaml").read_text()
    (folder / "card.yaml").write_text(text.replace("strict: false", "strict: true"))
    with pytest.raises(InputError) as caught:
        load_dataset(folder)
    assert message in str(caught.value)
    assert "take 'strict' out of the card" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", CLEAN)
def test_what_harms_nothing_is_read_without_a_word_also_strictly(
    case: str, tmp_path: Path, own_cache: Path
) -> None:
    files, events = CLEAN[case]
    told: list[str] = []
    dataset = load_dataset(_folder(tmp_path, files, strict=True), notify=told.append)
    assert len(dataset.log) == events
    assert not [line for line in told if line.startswith("ml: ml.")]


def test_of_rows_of_one_item_the_fullest_is_kept_then_the_first_by_its_bytes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ml.item"
    head = ITEMS[:-1] + b"\tbrand:token\n"
    rows = b"b\tsecond\tX\na\tA\t\nb\tfirst\tX\n\tnone\t\na\tA\t\nb\ta\t\nb\tabsent\tY\n"
    path.write_bytes(head + rows)
    read = read_texts(path, "item_id", {"item_id": "token"})
    columns = [column.to_pylist() for column in (read.ids, *read.columns.values())]
    assert {key: tuple(cells) for key, *cells in zip(*columns, strict=True)} == {
        "a": ("A", ""),
        "b": ("first", "X"),  # by brand before title
    }


def test_an_empty_row_of_one_field_shifts_no_line(tmp_path: Path) -> None:
    path, cleaning = tmp_path / "ml.item", Cleaning()
    path.write_bytes(b'item_id:token\ni\tx\n\n""\n\tx\nj\ni\n')
    assert read_texts(path, "item_id", {"item_id": "token"}, cleaning).ids.to_pylist() == ["i", "j"]
    assert [note.partition(" (")[0] for note in cleaning.notes] == [
        "ml.item:2: 2 fields where the header names 1",
        "ml.item:4: item_id is empty",
        "ml.item:7: item_id 'i' is already on line 2",
    ]


def test_quotation_marks_are_those_of_csv_where_the_file_keeps_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "ml.item"
    cells = ['"Emma"', '"a ""b"""', '"', '"x', 'y"', '"J" and', 'the "K"', '""', "L"]
    rows = "".join(f"{number}\t{cell}\n" for number, cell in enumerate(cells))
    path.write_bytes(ITEMS + rows.encode())
    read = read_texts(path, "item_id", {"item_id": "token"})
    assert read.columns["title"].to_pylist() == [
        "Emma", 'a "b"', '"', '"x', 'y"', '"J" and', 'the "K"', "", "L"
    ]  # fmt: skip


def test_ids_in_quotation_marks_are_the_same_ids(tmp_path: Path) -> None:
    path = tmp_path / "ml.inter"
    path.write_bytes(HEAD + b'"u"\ti\t1\nu\t"i"\t2\n')
    read = read_inter(path)
    assert read.users.to_pylist() == ["u"]
    assert read.items.to_pylist() == ["i"]


def test_times_before_zero_or_too_large_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "ml.inter"
    cleaning = Cleaning()
    path.write_bytes(HEAD + b"u\ti\t-86400\nu\tj\t0\nu\tk\t-5\n")
    assert read_inter(path, cleaning=cleaning).time.tolist() == [0, 86400, 86395]
    path.write_bytes(HEAD + b"u\ti\t20230101123045123456\nu\tj\t3\nu\tk\t1e300\n")
    assert read_inter(path, cleaning=cleaning).time.tolist() == [1, 0, 2]
    assert [note.partition(";")[0] for note in cleaning.notes] == [
        "ml.inter:2: timestamp is negative (2 of 3 events)",
        "ml.inter:4: timestamps are too large or too fine to be counted (3 events)",
    ]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(0, 1)
        | st.integers(0, 10**9).map(lambda n: n / 10**6)
        | st.integers(-(2**64), 2**64),
        min_size=1,
    )
)
def test_times_of_any_size_and_fineness_keep_order_and_ties(tmp_path: Path, times: list) -> None:
    path = tmp_path / "ml.inter"
    path.write_bytes(HEAD + "".join(f"u\ti\t{time!r}\n" for time in times).encode())
    read = read_inter(path)
    exact = all(isinstance(time, int) and -(2**63) <= time < 2**63 for time in times)
    values = times if exact else [float(time) for time in times]
    rank = np.unique(values, return_inverse=True)[1]
    assert np.unique(read.time, return_inverse=True)[1].tolist() == rank.tolist()
    if read.steps:
        start = min(0, *values)
        expected = [(value - start) * read.steps for value in values]
        np.testing.assert_allclose(read.time, expected, atol=0.5, rtol=1e-12)
    else:
        assert read.time.tolist() == rank.tolist()


def test_a_gap_in_nanoseconds_costs_no_digit(tmp_path: Path) -> None:
    path, start = tmp_path / "ml.inter", 1_700_000_000_000_000_001
    path.write_bytes(HEAD + f"u\ti\t{start}\nu\tj\tnan\nu\tk\t{start + 1}\n".encode())
    read = read_inter(path)
    assert read.time.tolist() == [start, start + 1]
    assert [read.where(event)[1] for event in (0, 1)] == [2, 4]


def test_ids_of_events_that_are_left_out_leave_no_trace(tmp_path: Path, own_cache: Path) -> None:
    files = {"inter": HEAD + GOOD + b"lone\tz\t1\nodd\ti\tnan\n", "item": ALL_ITEMS}
    dataset = load_dataset(_folder(tmp_path, files))
    assert dataset.log.users == 1
    assert sorted(dataset.items.ids) == ["i", "j", "k", "l"]


def test_what_is_left_out_of_a_file_is_as_if_it_had_never_stood_there(tmp_path: Path) -> None:
    head = HEAD[:-1] + b"\tquery_id:token\tsession_id:token\n"
    good = [b"u\ti\t1\tq\ts\n", b"v\tj\t2\t\t\n"]
    (tmp_path / "clean.inter").write_bytes(head + b"".join(good))
    (tmp_path / "dirty.inter").write_bytes(head + b"a\tb\t\tc\td\n".join([b"", *good, b""]))
    clean, dirty = (read_inter(tmp_path / f"{name}.inter") for name in ("clean", "dirty"))
    for name in ("users", "items", "queries", "sessions"):
        assert getattr(dirty, name).to_pylist() == getattr(clean, name).to_pylist()
    for name in ("user", "item", "time", "query", "session"):
        assert getattr(dirty, name).tolist() == getattr(clean, name).tolist()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"inter": HEAD + b"u\ti\t\nu\tj\tnan\n"}, "no event is left"),
        (
            {"inter": HEAD + GOOD, "item": ITEMS},
            "item_id 'i' is not in ml.item, nor is that of any",
        ),
        ({"inter": HEAD + GOOD + b"u\tj\tx\nu\tj\ty\n"}, "'x' is not a number (2 of 6 rows)"),
    ],
)
def test_what_leaves_nothing_is_refused(
    files: dict[str, bytes], message: str, tmp_path: Path, own_cache: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(_folder(tmp_path, files))
    assert message in str(caught.value)


def _as_recbole(content: bytes) -> pd.DataFrame | None:
    """Read as RecBole 1.2.1's ``Dataset._load_feat``; ``None`` where it fails."""
    kinds = {"user_id:token": str, "item_id:token": str, "timestamp:float": np.float64}
    try:
        return pd.read_csv(
            io.StringIO(content.decode(), newline=""),
            delimiter="\t",
            usecols=list(kinds),
            dtype=kinds,
            engine="python",
        )
    except (ValueError, pd.errors.ParserError, IndexError):
        return None


_NO_ID = {"nan", "NA", "null"}
"""What pandas takes for no id, and this package for one."""


def _whole(frame: pd.DataFrame) -> list[tuple[str, str, float]]:
    """Return the events of a frame that lack nothing, in the order of their lines."""
    columns = (
        frame[name].tolist() for name in ("user_id:token", "item_id:token", "timestamp:float")
    )
    rows = zip(*columns, strict=True)
    return [
        row
        for row in rows
        if isinstance(row[0], str) and isinstance(row[1], str) and np.isfinite(row[2])
    ]


def _as_we_do(path: Path) -> list[tuple[str, str, float]]:
    """Return the same of what is read here, with times from the earliest on if one is negative."""
    read = read_inter(path)
    users, items = read.users.take(pa.array(read.user)), read.items.take(pa.array(read.item))
    times = (read.time / read.steps).tolist()
    rows = zip(users.to_pylist(), items.to_pylist(), times, strict=True)
    return [row for row in rows if not {row[0], row[1]} & _NO_ID]


_SIMPLE = ("u", '"q"', '"""q"""', "12", "nan", "NA", "0x1", "\u00e9")
_IDS = st.sampled_from((*_SIMPLE, '"q\tr"', '"q\nr"'))
_TIMES = st.sampled_from(("12", "1.5", "-1", '"9"', "7", "0x1", "nan", ""))
_RAGGED = st.lists(st.sampled_from(_SIMPLE) | _TIMES, max_size=4)
_ROWS = st.tuples(_IDS, _IDS, _TIMES) | _RAGGED
_LINES = _ROWS.map(lambda cells: "\t".join(cells) + "\n")
_PIECES = st.sampled_from(("u", *"\t\t\t\n\n\r "))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_LINES, max_size=6) | st.lists(_LINES | _PIECES, max_size=20))
def test_whatever_recbole_reads_is_read_alike(tmp_path: Path, pieces: list[str]) -> None:
    path = tmp_path / "x.inter"
    path.write_bytes(HEAD + "".join(["u\ti\t1\n", *pieces]).encode())
    frame = _as_recbole(path.read_bytes())
    try:
        found = _as_we_do(path)
    except InputError as error:
        assert "\n" not in str(error)
        assert frame is None, str(error)
    else:
        if frame is not None:
            expected = _whole(frame)
            ids = [tuple(re.sub(r"[\t\n\r]", " ", each) for each in row[:2]) for row in expected]
            assert [row[:2] for row in found] == ids
            shift = np.subtract([row[2] for row in found], [row[2] for row in expected])
            np.testing.assert_allclose(shift, shift[0], atol=1e-9)
            assert (frame["timestamp:float"] < 0).any() or abs(shift[0]) < 1e-9


_CELLS = st.text("01xX.eE+-nai f", max_size=4)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_CELLS | st.just("0x1"), min_size=1, max_size=2))
def test_what_is_a_number_is_one_to_recbole(tmp_path: Path, cells: list[str]) -> None:
    path = tmp_path / "x.inter"
    path.write_bytes(HEAD + GOOD + "".join(f"v\ti\t{c}\n" for c in cells).encode())
    frame = _as_recbole(path.read_bytes())
    try:
        found = _as_we_do(path)
    except InputError as error:
        assert frame is None, str(error)
    else:
        if frame is None:  # a blank is none to RecBole, and missing here
            values = [1.0, 2.0, 3.0, 4.0, *(float(cell) for cell in cells if cell.strip())]
            expected = np.array(values)[np.isfinite(values)]
        else:
            expected = np.array([row[2] for row in _whole(frame)])
        np.testing.assert_allclose([r[2] for r in found], expected - min(0.0, expected.min()))


@pytest.mark.parametrize("block", [1, 7, 2**20])
def test_a_hexadecimal_number_is_none_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("benchmark.data.sources.checksum._BLOCK", block)
    path = tmp_path / "x.inter"
    for number in ("0x10", "0XfF", "0xFFFFFFFFFFFFFFFF"):
        path.write_bytes(HEAD + GOOD + f"u\ti\t{number}\n".encode())
        with pytest.raises(InputError, match=f"x.inter:6: timestamp '{number}' is not a number"):
            read_inter(path)
    path.write_bytes(HEAD + f"0xu\t0x10\t{2**60 + 1}\n".encode())
    assert read_inter(path).time.tolist() == [2**60 + 1]
