from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.load import load_dataset
from benchmark.data.sources.atomic.tables import read_inter, read_texts
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

HEAD = b"user_id:token\titem_id:token\ttimestamp:float\n"
GOOD = b"u\ti\t1\nu\tj\t2\nu\tk\t3\nu\tl\t4\n"
ITEMS = b"item_id:token\ttitle:token_seq\n"
QUERY_HEAD = HEAD[:-1] + b"\tquery_id:token\n"
WITH_QUERIES = b"u\ti\t1\tq\nu\tj\t2\tq\nu\tk\t3\t\nu\tl\t4\t\n"
QUERIES = b"query_id:token\tquery:token_seq\nq\ttwo words\n"

MALFORMED = {
    "empty file": ({"inter": b""}, r"ml\.inter: the file is empty"),
    "header only": ({"inter": HEAD}, r"ml\.inter: the file holds no events"),
    "missing field": (
        {"inter": b"user_id:token\ttimestamp:float\nu\t1\n"},
        r"ml\.inter:1: field item_id:token is missing",
    ),
    "duplicated field": (
        {"inter": HEAD[:-1] + b"\tuser_id:token\nu\ti\t1\tu\n"},
        r"ml\.inter:1: field 'user_id' is named twice",
    ),
    "unknown type": (
        {"inter": HEAD[:-1] + b"\trating:flaot\nu\ti\t1\t5\n"},
        r"ml\.inter:1: field 'rating': unknown type 'flaot'; did you mean 'float'\?",
    ),
    "no type": (
        {"inter": HEAD[:-1] + b"\trating\nu\ti\t1\t5\n"},
        r"ml\.inter:1: header field 'rating' has no type",
    ),
    "wrong type": (
        {"inter": b"user_id:float\titem_id:token\ttimestamp:float\n1\ti\t1\n"},
        r"ml\.inter:1: field 'user_id' must be of type token",
    ),
    "id with a tab": (
        {"inter": HEAD + GOOD + b"u\tj\tk\t2\n"},
        r"ml\.inter:6: 4 fields where .* 3",
    ),
    "no event with a time": (
        {"inter": HEAD + b"u\ti\t\nu\tj\tnan\n"},
        r"ml\.inter: no event is left",
    ),
    "time no number": (
        {"inter": HEAD + GOOD + b"u\tj\tabc\n"},
        r"ml\.inter:6: timestamp 'abc' is not a number",
    ),
    "time with underscore": (
        {"inter": HEAD + GOOD + b"u\tj\t1_000\n"},
        r"ml\.inter:6: timestamp '1_000' is not a number",
    ),
    "no item at all": (
        {"inter": HEAD + GOOD, "item": ITEMS},
        r"ml\.inter:2: item_id 'i' is not in ml\.item, nor is that of any event",
    ),
    "queries without file": (
        {"inter": QUERY_HEAD + WITH_QUERIES},
        r"ml\.inter:2: event with a query_id, but there is no \.query file",
    ),
    "query without words field": (
        {"inter": QUERY_HEAD + WITH_QUERIES, "query": b"query_id:token\nq\n"},
        r"ml\.query:1: field query:token_seq is missing",
    ),
    "not UTF-8": ({"inter": HEAD + GOOD + b"u\t\xff\t2\n"}, r"ml\.inter:6: byte 3 is not UTF-8"),
    "header not UTF-8": ({"inter": b"\xff" + HEAD + GOOD}, r"ml\.inter:1: byte 1 is not UTF-8"),
    "NUL byte": ({"inter": HEAD + GOOD + b"u\tj\0\t2\n"}, r"ml\.inter:6: .*NUL byte"),
    "10 MB line": (
        {"inter": HEAD + GOOD + b"u\t" + b"x" * 10_000_000 + b"\t2\n"},
        r"ml\.inter:6: the line is longer than 1,048,576 bytes",
    ),
    "10 MB header": ({"inter": b"x" * 10_000_000}, r"ml\.inter:1: the line is longer"),
    "no inter file": ({"item": ITEMS + b"i\tI\n"}, r"ml: no file ml\.inter in "),
    "only a user with one event and nothing to ask, but UTF-16": (
        {"inter": (HEAD + GOOD).decode().encode("utf-16")},
        r"ml\.inter: the file is UTF-16; save it as UTF-8",
    ),
    "times no numbers": (
        {"inter": HEAD + GOOD + b"u\tj\tabc\nu\tj\t0,5\n"},
        r"ml\.inter:6: timestamp 'abc' is not a number \(2 of 6 rows\)",
    ),
    "user file of commas": (
        {"inter": HEAD + GOOD, "user": b"user_id:token,age:float\nu,7\n"},
        r"ml\.user:1: the fields are separated by commas",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_file_is_one_line_naming_file_and_line(
    case: str, tmp_path: Path, own_cache: Path
) -> None:
    files, message = MALFORMED[case]
    folder = tmp_path / "ml"
    folder.mkdir()
    for kind, content in files.items():
        (folder / f"ml.{kind}").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))
    assert not list(own_cache.rglob("*")), "nothing is left behind"


def test_missing_folder_and_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_dataset(tmp_path / "nowhere")
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "ml.inter").mkdir()
    with pytest.raises(InputError, match="ml"):
        load_dataset(tmp_path / "ml")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HEAD + GOOD,
        (HEAD + GOOD).replace(b"\n", b"\r\n"),
        HEAD + b"\n" + GOOD + b"\n\n",
        (HEAD + GOOD).rstrip(b"\n"),
        (HEAD + GOOD).replace(b"\t1\n", b"\t1.0\n"),
    ],
    ids=["BOM", "CRLF", "blank lines", "no last line end", "float times"],
)
def test_legal_variants_read_the_same(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ml.inter"
    path.write_bytes(content)
    table = read_inter(path)
    assert table.users.to_pylist() == ["u"]
    assert table.items.to_pylist() == ["i", "j", "k", "l"]
    assert table.time.tolist() == [1, 2, 3, 4]
    assert table.steps == 1


def test_ids_may_hold_spaces_dots_and_quotes(make_folder: MakeFolder) -> None:
    ids = ["a b", "..", "../../etc", '"x', "NA", "null", "-1", " lead"]
    folder = make_folder([(f"user {u} ..", i, t) for u in range(2) for t, i in enumerate(ids)])
    dataset = load_dataset(folder)
    assert list(dataset.items.ids) == sorted(ids)
    assert dataset.log.users == 2


def test_user_with_one_event_and_unseen_item_are_kept(make_folder: MakeFolder) -> None:
    rows = [("a", "i", 1), *(("b", x, t) for t, x in enumerate("ijklm"))]
    items = [(x, f"title {x}", "") for x in "ijklmz"]
    dataset = load_dataset(make_folder(rows, items))
    assert dataset.items.ids[-1] == "z"
    assert dataset.log.users == 2
    requests = dataset.evaluation[("test", next(iter(dataset.evaluation))[1])].requests
    assert requests.user.tolist() == [1]
    assert dataset.train.log.offsets.tolist() == [0, 1, 4]


def test_fractional_times_keep_their_order_and_are_told(make_folder: MakeFolder) -> None:
    folder = make_folder([("a", "i", 1.75), ("a", "j", 1.25), ("a", "k", 1.5), ("a", "l", 9)])
    told: list[str] = []
    dataset = load_dataset(folder, notify=told.append)
    assert dataset.log.time.tolist() == [1250, 1500, 1750, 9000]
    assert any("fractional" in line for line in told)


def test_nanoseconds_lose_nothing(make_folder: MakeFolder) -> None:
    start = 1_700_000_000_000_000_001
    dataset = load_dataset(make_folder([("a", f"i{k}", start + k) for k in range(4)]))
    assert dataset.log.time.tolist() == [start + k for k in range(4)]


_CELL = st.text(
    st.characters(blacklist_characters="\t\n\r\0", blacklist_categories=("Cs",))
).filter(lambda text: not (text.startswith('"') and text.endswith('"')))  # these are taken off
_ID = _CELL.filter(bool)
_TIME = st.integers(0, 2**62)
_QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_QUICK
@given(st.lists(st.tuples(_ID, _ID, _TIME, _CELL, _CELL), min_size=1, max_size=20))
def test_interactions_round_trip(tmp_path: Path, rows: list[tuple]) -> None:
    path = tmp_path / "x.inter"
    head = "user_id:token\titem_id:token\ttimestamp:float\tquery_id:token\tsession_id:token\n"
    path.write_text(
        head + "".join("\t".join(map(str, r)) + "\n" for r in rows), "utf-8", newline=""
    )
    read = read_inter(path)
    users, items, queries = (c.to_pylist() for c in (read.users, read.items, read.queries))
    got = [
        (users[u], items[i], t, queries[q] if q >= 0 else "")
        for u, i, t, q in zip(read.user, read.item, read.time.tolist(), read.query, strict=True)
    ]
    assert got == [row[:4] for row in rows]
    assert users == list(dict.fromkeys(row[0] for row in rows))
    assert (read.session >= 0).tolist() == [bool(row[4]) for row in rows]


@_QUICK
@given(st.dictionaries(_ID, st.tuples(_CELL, st.floats(0, 9) | st.just("")), max_size=20))
def test_item_tables_round_trip(tmp_path: Path, rows: dict[str, tuple]) -> None:
    path = tmp_path / "x.item"
    lines = [f"{key}\t{text}\t{price}\n" for key, (text, price) in rows.items()]
    head = "item_id:token\ttitle:token_seq\tprice:float\n"
    path.write_text(head + "".join(lines), "utf-8", newline="")
    read = read_texts(path, "item_id", {"item_id": "token"})
    assert read.ids.to_pylist() == list(rows)
    assert read.columns["title"].to_pylist() == [text for text, _ in rows.values()]


@_QUICK
@given(st.booleans(), st.binary(max_size=200), st.binary(max_size=20))
def test_junk_is_read_or_refused_in_one_line(
    tmp_path: Path, with_head: bool, junk: bytes, tail: bytes
) -> None:
    path = tmp_path / "x.inter"
    path.write_bytes((HEAD + GOOD if with_head else b"") + junk + b"\t1\n" + tail)
    try:
        table = read_inter(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(table.user) == len(table.time) > 0


def test_files_of_many_blocks_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"u{k % 7}", f"i{k * k % 11}", k, "q" if k % 3 else "") for k in range(300)]
    path = tmp_path / "x.inter"
    path.write_bytes(QUERY_HEAD + "".join("\t".join(map(str, r)) + "\n" for r in rows).encode())
    whole = read_inter(path)
    monkeypatch.setattr("benchmark.data.sources.atomic.parse._BLOCK", 128)
    monkeypatch.setattr("benchmark.data.sources.checksum._BLOCK", 7)
    parts = read_inter(path)
    assert parts.users.to_pylist() == whole.users.to_pylist()
    assert parts.items.to_pylist() == whole.items.to_pylist()
    for name in ("user", "item", "time", "query", "session"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()
