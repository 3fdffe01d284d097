"""Format ``table`` against a slow reference, by every rule, and against files that are none."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmark.data.load import load_dataset
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Source
from benchmark.errors import InputError
from tests.data.sources.table_reference import Event, expected, write_table

READER = reader_of("table")
KINDS = ("csv", "csv;", "tsv", "csv.gz", "jsonl", "jsonl.gz", "parquet")
START = 1_714_521_600  # 2024-05-01 in seconds
UNITS = {
    "seconds": lambda s, _: str(START + s),
    "milliseconds": lambda s, ms: str((START + s) * 1000 + ms),
    "microseconds": lambda s, ms: str((START + s) * 10**6 + ms * 1000),
    "iso": lambda s, ms: (
        f"2024-05-{1 + s // 86_400:02d}T{s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}"
        f"{f'.{ms:03d}' if ms else ''}{('', 'Z', '+02:00', '-05:30')[s % 4]}"
    ),
}
READINGS: dict[str, dict[str, str]] = {
    "csv": {"kind": "csv", "separator": ","},
    "csv;": {"separator": ";"},
    "tsv": {"kind": "tsv"},
    "jsonl": {"kind": "jsonl"},
    "parquet": {"kind": "parquet"},
}
ROLES = ("user", "item", "time", "query", "session", "type", "grade", "rating")


def ids(letters: str) -> st.SearchStrategy[str]:
    return st.sampled_from([*letters * 3, f" {letters[0]} ", "", "NULL"])


def rows_in(unit: str) -> st.SearchStrategy[list[dict[str, str]]]:
    second = st.sampled_from([0, 1, 59, 1799, 1800, 1801, 90_000, 90_003])
    moment = st.builds(UNITS[unit], second, st.sampled_from([0, 0, 7, 250]))
    row = st.fixed_dictionaries(
        {
            "user": ids("abc"),
            "item": ids("xyzw"),
            "time": st.one_of(moment, moment, moment, st.just("")),
            "query": st.sampled_from(["", "", "红色 椅子", 'a "b", c;\td', "two\nlines", "NULL"]),
            "session": ids("st"),
            "type": st.sampled_from(["view", "buy", "show", "other", ""]),
            "grade": st.sampled_from(["0", "1", "2.5", "1e2", ""]),
            "rating": st.sampled_from(["1", "3.5", "5", "", "NULL"]),
        }
    )
    return st.lists(row, min_size=1, max_size=25) | st.lists(row, min_size=15, max_size=25)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, str]], dict[str, Any], str, str]:
    unit = draw(st.sampled_from(sorted(UNITS)))
    rows = draw(rows_in(unit))
    roles = ["query", "session", "type", "grade", "rating"]
    optional = {role for role in roles if draw(st.booleans())}
    columns = {role: role for role in ROLES[:3]} | {role: role for role in optional}
    rules: dict[str, Any] = {"columns": columns, "missing": ["NULL"]}
    if "type" in optional:
        graded = 1 if "grade" in optional else 3
        search = draw(st.sampled_from([None, True, False]))
        rules["events"] = {"view": 1, "buy": {"grade": graded, "search": search}, "never": 1}
        if graded == 3:
            rules["events"]["show"] = 0
    least = st.sampled_from([1, 1, 1, 2, 3])  # else hardly an event stays
    rules["at_least"] = {"user": draw(least), "item": draw(least)}
    if "rating" in optional:
        rules["at_least"]["rating"] = draw(st.sampled_from([0.5, 3.5, 4]))
    rules["time"] = draw(st.sampled_from(["auto", unit, "order" if unit != "iso" else "auto"]))
    if draw(st.integers(0, 5)) == 0:
        columns["time"] = None
    clock = rules["time"] != "order" and columns["time"] is not None
    if clock and "session" not in optional and draw(st.booleans()):
        rules["session_gap"] = draw(st.sampled_from([0.5, 1, 1800]))
    kind = draw(st.sampled_from(KINDS))
    if draw(st.booleans()):
        rules["files"] = {"events": READINGS[kind.removesuffix(".gz")]}
    rules["item_columns"] = {"id": draw(st.sampled_from(["item_id", "商品"]))}
    return rows, rules, unit, kind


def events_of(source: Source) -> set[Event]:
    inter = source.inter
    grade = [1.0] * len(inter.user) if inter.grade is None else inter.grade.tolist()

    def names(codes: Any, values: pa.Array) -> list[str | None]:
        every = [*values.to_pylist(), None]
        return [every[code] for code in codes.tolist()]

    return set(
        zip(
            names(inter.user, inter.users),
            names(inter.item, inter.items),
            inter.time.tolist(),
            names(inter.query, inter.queries),
            names(inter.session, inter.sessions),
            grade,
            inter.row.tolist(),
            strict=True,
        )
    )


def read(files: dict[str, Path], rules: dict[str, Any], columns: tuple[str, ...] = ()) -> Source:
    wanted = Wanted(columns)
    source = READER.read(files, READER.rules.model_validate(rules), wanted)
    return replace(source, notes=tuple(wanted.cleaning.notes))


@given(cases(), st.sets(st.sampled_from("xyzw"), min_size=1) | st.none())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_table_is_read_as_the_reference_reads_it(
    tmp_path: Path,
    case: tuple[list[dict[str, str]], dict[str, Any], str, str],
    listed: set[str] | None,
) -> None:
    rows, rules, unit, kind = case
    files = {"events": tmp_path / "events"}
    write_table(files["events"], rows, kind)
    if listed is not None:
        files["items"] = tmp_path / "items.csv"
        key = rules["item_columns"]["id"]
        table = [{key: item, "title": f"title of {item}"} for item in sorted(listed)]
        write_table(files["items"], table, "csv")
    wanted = expected(rows, rules, unit, listed)
    try:
        source = read(files, rules)
    except InputError as error:
        assert not wanted or "no line has a field" in str(error), error
        return
    found = events_of(source)
    assert found == wanted
    assert len(found) == len(source.inter.user)
    assert source.inter.users.to_pylist() == list(dict.fromkeys(source.inter.users.to_pylist()))
    stay = {event[1] for event in wanted}
    if listed is not None and rules["at_least"]["item"] == 1:
        assert set(source.items.ids.to_pylist()) == listed
    else:
        assert set(source.items.ids.to_pylist()) == stay


def simple(folder: Path, text: str | bytes, name: str = "events.csv", **rules: Any) -> Path:
    """Write a data set of one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    card = {
        **{"name": "log", "description": "", "source": "", "licence": "", "citation": ""},
        **{"format": "table", "files": {"events": {"name": name}}, "rules": rules},
    }
    (folder / "card.yaml").write_text(json.dumps(card), encoding="utf-8")
    return folder


HEAD = "user_id,item_id,timestamp\n"
GOOD = HEAD + "".join(f"u{i % 4},i{i % 7},{START + i}\n" for i in range(60))
FRAME = pa.table(
    {"user_id": [f"u{i % 4}" for i in range(60)], "item_id": [i % 7 for i in range(60)]}
)


def parquet(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({**{n: FRAME[n] for n in FRAME.column_names}, **columns}), sink)
    return sink.getvalue().to_pybytes()


FAULTS: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "the file is empty"),
    "blank lines": ("\n\n  \n", "the file is empty"),
    "a header only": (HEAD, "holds no events"),
    "no separator": ("user_id\nu1\n", "fall into fields by none of"),
    "a missing column": (
        GOOD.replace("item_id", "item"),
        "column 'item_id' is missing; did you mean",
    ),
    "a column twice": (GOOD.replace("user_id", "item_id"), "column 'user_id' is missing"),
    "named twice": (
        "user_id,user_id,item_id,timestamp\n" + "u1,u1,i1,5\n" * 9,
        "'user_id' is named twice",
    ),
    "no time": (
        GOOD + "u1,i1,yesterday\n",
        "events.csv:62: column 'timestamp' is no time, or not written as",
    ),
    "mixed times": (GOOD + "u1,i1,2024-05-01\n", "events.csv:62: column 'timestamp'"),
    "mixed units": (
        GOOD + f"u1,i1,{START * 10**6}\n",
        "events.csv:62: column 'timestamp' would lie behind 2099",
    ),
    "before 1970": (GOOD + "u1,i1,-5\n", "would lie before 1970"),
    "a huge line": (
        GOOD + f"u1,{'i' * 5_000_000},5\n" + GOOD,
        "events.csv:62: the line is longer than",
    ),
    "a quotation mark": (GOOD + 'u1,"i1,5\n' + GOOD[len(HEAD) :], "is never closed"),
    "not UTF-8": (GOOD.encode() + "u1,Größe,5\n".encode("latin-1"), "not UTF-8 (perhaps Latin-1"),
    "GBK": (GOOD.encode() + "u1,红色椅子,5\n".encode("gbk"), "not UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "the file is UTF-16"),
    "most rows too long": (HEAD + "u1,i1,5,6\n" * 9 + "u1,i1,5\n", "is another separator meant?"),
    "cut gzip": (gzip.compress(GOOD.encode())[:-30], "the gzip file is damaged or cut off"),
    "damaged gzip": (gzip.compress(GOOD.encode())[:-8] + b"\0" * 8, "the gzip file is damaged"),
    "zip": (b"PK\x03\x04" + b"\0" * 90, "packed by zip"),
    "a workbook": (b"PK\x03\x04[Content_Types].xml" + b"\0" * 90, "Excel"),
    "a pickle": (b"\x80\x04\x95" + b"\0" * 90, "a Python pickle"),
    "cut Parquet": (parquet()[:200], "is no Parquet file, or is damaged or cut short"),
    "Parquet without its column": (parquet(), "column 'timestamp' is missing"),
    "Parquet of structs": (
        parquet(timestamp=[{"a": 1}] * 60),
        "column 'timestamp' holds struct<a: int64>, no numbers",
    ),
    "a JSON array": ('[{"user_id": 1}]', "is a JSON array"),
    "cut JSON": (
        '{"user_id": 1, "item_id": 2, "timestamp": 5}\n{"user_id": 1, "it',
        ":2: the line is no JSON",
    ),
    "JSON of no objects": ('{"user_id": 1}\n[1, 2]\n', ":2: the line is no JSON object"),
    "JSON without its field": ('{"user_id": 1, "item_id": 2}\n', "no line has a field 'timestamp'"),
    "JSON with an object": (
        '{"user_id": {"a": 1}, "item_id": 2, "timestamp": 5}\n',
        ":1: field 'user_id' holds an object",
    ),
    "deep JSON": ('{"user_id": ' + "[" * 100_000 + "\n", ":1: the line is no JSON"),
    "a huge JSON line": ('{"user_id": "' + "x" * 6_000_000, ":1: the line is longer"),
    "code": (
        '{"user_id": __import__("os"), "item_id": 1, "timestamp": 1}\n',
        ":1: the line is no JSON",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_table_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    content, wanted = FAULTS[fault]
    with pytest.raises(InputError) as refused:
        load_dataset(simple(tmp_path / "log", content))
    assert wanted in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


WHOLE = [
    gzip.compress(GOOD.encode()),
    parquet(timestamp=[START + i for i in range(60)]),
    b"".join(
        json.dumps({"user_id": i % 4, "item_id": f"i{i % 7}", "timestamp": START + i}).encode()
        + b"\n"
        for i in range(60)
    ),
    GOOD.encode(),
]


@given(st.sampled_from(WHOLE), st.floats(0, 1), st.binary(max_size=3), st.booleans())
@example(GOOD.encode(), 0.5, b'"', False)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    tmp_path: Path, whole: bytes, place: float, put: bytes, cut: bool
) -> None:
    at = int(place * len(whole))
    file = tmp_path / "events"
    file.write_bytes(whole[:at] + put + (b"" if cut else whole[at + len(put) :]))
    try:
        source = read({"events": file}, {})
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(source.inter.user) <= 60 + 3


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["2024-05-01T10:00:00+02:00", "2024-05-01 08:00:01Z"], "with a zone"),
        (["2024-05-01", "2024/05/02 10:00"], "without a zone, taken for UTC"),
        (["2024-05-01", "2024-05-02T10:00Z"], "partly without a zone"),
        (["1714521600", "1714521601.5"], "seconds since 1970"),
        (["1714521600000", "1714521600001"], "milliseconds since 1970"),
        (["1714521600000000", "1714521600000001"], "microseconds since 1970"),
        (["1714521600000000000", "1714521600000001000"], "nanoseconds since 1970"),
        (["17", "4"], "taken for positions and no clock"),
        (["1714521600", "0", "1714521700"], "1 of 3 times lie in 1970, first on line 3"),
    ],
)
def test_how_times_are_written_is_recognised_and_said(
    times: list[str], said: str, tmp_path: Path
) -> None:
    rows = [{"user_id": "u", "item_id": f"i{n}", "timestamp": t} for n, t in enumerate(times)]
    write_table(tmp_path / "log.csv", rows, "csv")
    source = read({"events": tmp_path / "log.csv"}, {})
    assert any(said in note for note in source.notes), source.notes


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"columns": {"user": "a", "item": "a"}}, "'a' is named twice"),
        ({"columns": {"type": "t"}}, "give both or none"),
        ({"events": {"view": 1}}, "give both or none"),
        ({"columns": {"type": "t"}, "events": {"view": 0}}, "every grade is 0"),
        ({"columns": {"type": "t", "grade": "g"}, "events": {"buy": 3}}, "leave one of them out"),
        ({"columns": {"rating": "r"}}, "at_least.rating; give both or none"),
        ({"columns": {"session": "s"}, "session_gap": 5}, "drop session_gap"),
        ({"session_gap": 5, "time": "order"}, "needs times of a clock"),
        ({"files": {"event": {}}}, "did you mean 'events'"),
        ({"colums": {}}, "did you mean 'columns'"),
        ({"columns": {"usr": "u"}}, "did you mean 'user'"),
        ({"time": "minutes"}, "rules.time"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(
    rules: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        load_dataset(simple(tmp_path / "log", GOOD, **rules))
    assert fault in str(refused.value)


def test_a_query_by_id_has_its_words_from_the_file_of_queries(tmp_path: Path) -> None:
    rows = [{"user": "u", "item": "x", "time": str(START + n), "query": f"q{n}"} for n in range(3)]
    write_table(tmp_path / "e", rows, "csv")
    write_table(
        tmp_path / "q", [{"query_id": f"q{n}", "query": f"word {n}"} for n in (0, 1)], "tsv"
    )
    columns = {role: role for role in ROLES[:4]}
    source = read({"events": tmp_path / "e", "queries": tmp_path / "q"}, {"columns": columns})
    assert source.queries is not None
    assert source.queries.columns["query"].to_pylist() == ["word 0", "word 1"]
    assert source.inter.queries.to_pylist() == ["q0", "q1"]
    assert any("query 'q2' is not in q (1 of 3 events)" in note for note in source.notes)


def test_texts_of_any_type_become_words_and_the_first_of_an_id_counts(tmp_path: Path) -> None:
    items = pa.table(
        {
            "item_id": [1.0, 2.0, 1.0, None],
            "tags": [["red", None, "big"], [], None, ["x"]],
            "year": [1999, 2000, 2001, 2002],
            "kind": pa.array(["a", "b", "c", "d"]).dictionary_encode(),
        }
    )
    pq.write_table(items, tmp_path / "i")
    (tmp_path / "e").write_text(f"{HEAD}u,1,5\nu,2,6\n", encoding="utf-8")
    files = {"events": tmp_path / "e", "items": tmp_path / "i"}
    source = read(files, {}, ("tags", "year", "kind"))
    assert source.items.ids.to_pylist() == ["1", "2"]
    assert source.items.columns["tags"].to_pylist() == ["red big", ""]
    assert source.items.columns["year"].to_pylist() == ["1999", "2000"]
    assert source.items.columns["kind"].to_pylist() == ["a", "b"]
    assert any("id '1' stands on an earlier line too" in note for note in source.notes)
