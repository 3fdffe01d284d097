"""What is stored with right checksums and cannot be true."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import evaluate
from benchmark.results.parquet import from_bytes, to_bytes
from benchmark.results.record import RunRecord, read_run
from benchmark.results.scan import scan_runs
from benchmark.results.summary import summarise
from benchmark.results.table import COUNTS, TOP, RunTables, counts_table, shared_table, top_table
from benchmark.run_log import RunLog
from tests.results.graded import graded
from tests.results.handmade import ENTRIES
from tests.results.records import record, tables, written
from tests.results.signing import change_info, change_shared, sign, write_signed

ASKED = {("rec", "full"): [3, 0, 40], ("search", "sampled"): [7, 7, 1]}


def _left_out(bad: RunRecord, results: Path) -> str:
    """Return the line that names a run, without which all others count."""
    good = record(results, "good", ASKED)
    told: list[str] = []
    assert list(scan_runs(results, told.append)) == [good]
    (line,) = told
    assert line.startswith(f"left out: {bad.folder}: ") and "\n" not in line
    with pytest.raises(BenchmarkError) as caught:
        read_run(bad.folder)
    assert line.endswith(str(caught.value))
    return line


def _set(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    place, field = table.schema.get_field_index(name), table.schema.field(name)
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(place, field, pa.array(values, field.type))


COUNT_FAULTS = [("greater", -1), ("tied", -1), ("greater", 101), ("tied", 60), ("tied", 2**31 - 1)]


@pytest.mark.parametrize(("name", "value"), COUNT_FAULTS)
@pytest.mark.parametrize("row", [2, 3])
def test_places_outside_of_the_candidates_are_named(
    tmp_path: Path, name: str, value: int, row: int
) -> None:
    bad = record(tmp_path, "bad", {("rec", "full"): [3, 0, 40], ("search", "sampled"): [40, 7, 1]})
    counts = _set(bad.tables().counts, name, row, value)
    write_signed(bad.folder, "requests.parquet", to_bytes(counts))
    line = _left_out(bad, tmp_path)
    block = ("rec full", "search sampled")[row == 3]
    assert f"{block}, request {(2, 0)[row == 3]}: places lie outside of the candidates" in line


def test_only_a_list_may_lack_a_relevant_item(tmp_path: Path) -> None:
    for protocol, fine in (("given", True), ("full", False), ("sampled", True)):
        made = tables({("rec", protocol): [3, 100, 1]})
        if fine:
            assert written(tmp_path, protocol, made).requests()["greater"].tolist() == [3, 100, 1]
        else:
            with pytest.raises(BenchmarkError, match="request 1: places lie outside"):
                written(tmp_path, protocol, made)


@pytest.mark.parametrize(
    ("places", "fine"),
    [
        ([(0, 1), (0, 1), (5, 0)], True),
        ([(4, 2), (0, 0), (4, 2)], True),
        ([(0, 0), (0, 0), (5, 0)], False),
        ([(0, 1), (0, 2), (5, 0)], False),
        ([(0, 1), (0, 1), (0, 1)], False),
        ([(2, 3), (4, 0), (9, 0)], False),
    ],
)
def test_places_of_one_request_do_not_exclude_each_other(
    tmp_path: Path, places: list[tuple[int, int]], fine: bool
) -> None:
    made = tables({("rec", "full"): [0] * 3}, requests=[0, 0, 0], users=[4])
    counts = pa.table(
        {
            "task": ["rec"] * 3,
            "protocol": ["full"] * 3,
            **{name: [place[i] for place in places] for i, name in enumerate(("greater", "tied"))},
        },
        schema=COUNTS,
    )
    answers = RunTables(made.shared, counts, None)
    if fine:
        assert len(written(tmp_path, "m", answers).requests()) == 3
    else:
        with pytest.raises(BenchmarkError, match=r"exclude each other|its rows give"):
            written(tmp_path, "m", answers)


SHARED_FAULTS: list[tuple[str, object, str]] = [
    *((name, -1, f"{name} is below 0") for name in ("user", "item", "history", "item_events")),
    ("request", -1, "request is below 0"),
    ("query", -2, "query is below -1"),
    ("candidates", 0, "candidates is below 1"),
    ("item", 500, "item is not in the catalogue"),
    *(("gain", value, "gain is no finite number") for value in (0.0, -1.0, math.nan, math.inf)),
    ("request", 7, "requests are not in order"),
    ("task", "browse", "asks for browse"),
    ("protocol", "half", "half"),
]


@pytest.mark.parametrize(("name", "value", "fault"), SHARED_FAULTS)
def test_requests_that_cannot_be_are_named(
    tmp_path: Path, name: str, value: object, fault: str
) -> None:
    bad = record(tmp_path, "bad", ASKED)
    row = 0 if isinstance(value, str) else 1
    change_shared(bad.folder, _set(bad.tables().shared, name, row, value))
    assert fault in _left_out(bad, tmp_path)


@pytest.mark.parametrize("name", ["user", "query", "candidates", "query_kind", "history"])
def test_a_request_has_one_user_one_query_and_one_list(tmp_path: Path, name: str) -> None:
    asked = {("search", "full"): [3, 0, 40, 7]}
    bad = record(tmp_path, "bad", asked, requests=[0, 0, 1, 1], users=[5, 6])
    value = "simulated" if name == "query_kind" else 77
    change_shared(bad.folder, _set(bad.tables().shared, name, 3, value))
    assert f"request 1: {name} differs in a request" in _left_out(bad, tmp_path)


def test_relevant_items_of_a_request_are_distinct(tmp_path: Path) -> None:
    bad = record(tmp_path, "bad", {("rec", "full"): [3, 0]}, requests=[0, 0], users=[5])
    change_shared(bad.folder, _set(bad.tables().shared, "item", 1, 0))
    assert "items of a request are not in order" in _left_out(bad, tmp_path)


TOP_FAULTS: list[tuple[dict[str, list[int]], str]] = [
    ({"request": [0, 0], "rank": [1, 1], "item": [1, 2]}, "ranks"),
    ({"request": [0, 0], "rank": [1, 3], "item": [1, 2]}, "ranks"),
    ({"request": [0], "rank": [0], "item": [1]}, "ranks"),
    ({"request": [0] * 11, "rank": list(range(1, 12)), "item": list(range(11))}, "ranks"),
    ({"request": [0, 0], "rank": [1, 2], "item": [1, 1]}, "twice"),
    ({"request": [0], "rank": [1], "item": [-1]}, "not in the catalogue"),
    ({"request": [0], "rank": [1], "item": [100]}, "not in the catalogue"),
    ({"request": [3], "rank": [1], "item": [1]}, "was not asked"),
    ({"request": [1, 0], "rank": [1, 1], "item": [1, 1]}, "not in order"),
]


@pytest.mark.parametrize(("columns", "fault"), TOP_FAULTS)
def test_lists_that_cannot_be_are_named(
    tmp_path: Path, columns: dict[str, list[int]], fault: str
) -> None:
    size = len(columns["item"])
    block = {"task": ["rec"] * size, "protocol": ["full"] * size}
    bad = record(tmp_path, "bad", ASKED)
    top = pa.table({**block, **columns}, schema=TOP)
    write_signed(bad.folder, "top.parquet", to_bytes(top))
    assert fault in _left_out(bad, tmp_path)


def test_lists_of_what_was_not_asked_are_named(tmp_path: Path) -> None:
    bad = record(tmp_path, "bad", ASKED)
    row = {"task": ["rec"], "protocol": ["given"], "request": [0], "rank": [1], "item": [1]}
    write_signed(bad.folder, "top.parquet", to_bytes(pa.table(row, schema=TOP)))
    assert "rec given, which was not asked" in _left_out(bad, tmp_path)


@pytest.mark.parametrize("protocols", [("full",), ("full", "sampled", "given")])
def test_whatever_the_harness_counts_can_be_true(
    tiny: Dataset, tmp_path: Path, protocols: tuple[Any, ...]
) -> None:
    """Ties, several relevant items, items that no list has, and answers that name few items."""
    data = graded(tiny)
    for name, entry in ENTRIES.items():
        model = entry.load()(entry.load().Settings())
        outcomes = evaluate(model, name, data, "test", tuple(model.tasks), protocols, RunLog())
        answers = RunTables(shared_table(data), counts_table(outcomes), top_table(outcomes))
        metrics = summarise(outcomes, data)
        run = written(tmp_path, name, answers, metrics=metrics, protocols=list(protocols))
        assert read_run(run.folder) == run


def test_a_changed_mean_is_named(tmp_path: Path) -> None:
    bad = record(tmp_path, "bad", ASKED)
    metrics = bad.info["metrics"]
    for metric in [name for name in metrics["rec"]["full"] if "@" in name or name == "requests"]:
        told = metrics["rec"]["full"][metric]
        other = told + 1 if metric == "requests" else abs(told - 0.01)
        changed = {**metrics, "rec": {"full": {**metrics["rec"]["full"], metric: other}}}
        change_info(bad.folder, metrics=changed)
        with pytest.raises(BenchmarkError, match=f"contradicts itself: rec full: .*{metric}"):
            read_run(bad.folder)
    assert "rec full" in _left_out(bad, tmp_path)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_means_are_found_as_evaluation_makes_them(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The short cut over like requests gives what all requests one by one do."""
    size = data.draw(st.integers(1, 30))
    requests = sorted(data.draw(st.lists(st.integers(0, 20), min_size=size, max_size=size)))
    numbers = np.unique(requests, return_inverse=True)[1].tolist()
    ranks = [data.draw(st.integers(0, 3)) + 5 * row for row in range(size)]
    made = {("rec", "full"): ranks, ("search", "given"): [rank + 20 for rank in ranks]}
    lists = [200] * (max(numbers) + 1)
    run = record(
        tmp_path_factory.mktemp("r"), "m", made, requests=numbers, candidates_of=lists, users=lists
    )
    assert read_run(run.folder) == run


def _file(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def _with(name: str, values: Any) -> Callable[[pa.Table], bytes]:
    return lambda table: _file(table.set_column(table.schema.names.index(name), name, [values]))


PARQUET: dict[str, Callable[[pa.Table], bytes]] = {
    "empty": lambda table: b"",
    "text": lambda table: b"task,protocol\n" * 100,
    "magic only": lambda table: b"PAR1" * 9,
    "cut": lambda table: to_bytes(table)[:-30],
    "without a column": lambda table: _file(table.drop_columns(["tied"])),
    "nulls": _with("greater", pa.array([None, 1, 2, 3, 4, 5], pa.int32())),
    "nested": _with("greater", pa.array([[1]] * 6, pa.list_(pa.int32()))),
    "structs": _with("greater", pa.array([{"x": 1}] * 6)),
    "other numbers": _with("greater", pa.array([1.0] * 6)),
    "wide numbers": _with("greater", pa.array([1] * 6, pa.int64())),
    "text for numbers": _with("tied", pa.array(["1"] * 6)),
    "numbers for text": _with("task", pa.array([1] * 6, pa.int32())),
    "more rows": lambda table: _file(pa.concat_tables([table, table])),
    "no rows": lambda table: _file(table.slice(0, 0)),
    "huge": lambda table: _file(table.take(pa.array(np.zeros(2**25 + 1, np.int32)))),
}


@pytest.mark.parametrize("kind", PARQUET)
def test_a_file_that_is_no_such_table_is_named(tmp_path: Path, kind: str) -> None:
    bad = record(tmp_path, "bad", ASKED)
    content = PARQUET[kind](bad.tables().counts)
    write_signed(bad.folder, "requests.parquet", content)
    _left_out(bad, tmp_path)


@pytest.mark.parametrize("kind", ["empty", "text", "magic only", "cut"])
@pytest.mark.parametrize("where", ["shared", "top.parquet"])
def test_a_shared_table_or_list_that_is_none_is_named(
    tmp_path: Path, kind: str, where: str
) -> None:
    bad = record(tmp_path, "bad", ASKED)
    content = PARQUET[kind](bad.tables().counts)
    if where == "shared":
        change_shared(bad.folder, content)
    else:
        write_signed(bad.folder, where, content)
    assert ".parquet: is no Parquet file" in _left_out(bad, tmp_path)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_flipped_bytes_of_a_table_give_a_table_or_one_error(data: st.DataObject) -> None:
    content = bytearray(to_bytes(tables(ASKED).counts))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = from_bytes(bytes(content), COUNTS, "requests.parquet")
    except BenchmarkError as error:
        assert "\n" not in str(error)
    else:
        assert found.schema.equals(COUNTS)


def test_columns_of_later_versions_are_not_read(tmp_path: Path) -> None:
    run = record(tmp_path, "m", ASKED)
    counts = run.tables().counts
    wider = counts.append_column("more", pa.array([[{"x": 1}]] * len(counts)))
    write_signed(run.folder, "requests.parquet", _file(wider))
    assert read_run(run.folder).requests().equals(run.requests())


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("run.json", b"[" * 100_000, "run.json: "),
        ("run.json", b"{" + b" " * 2**24 + b"}", "run.json is larger than 16 MiB"),
        ("checksums.json", b"[" * 100_000, "checksums.json: "),
        ("checksums.json", b"{}" + b" " * 2**20, "checksums.json is larger than 1 MiB"),
        ("checksums.json", b"[]", "checksums.json is incomplete"),
    ],
)
def test_json_without_bounds_is_named(
    tmp_path: Path, name: str, content: bytes, fault: str
) -> None:
    bad = record(tmp_path, "bad", ASKED)
    if name == "run.json":
        write_signed(bad.folder, name, content)
    else:
        (bad.folder / name).write_bytes(content)
    assert fault in _left_out(bad, tmp_path)


@pytest.mark.parametrize("name", ["run.json", "requests.parquet", "model.safetensors"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    bad = record(tmp_path, "bad", ASKED)
    (bad.folder / name).unlink()
    os.mkfifo(bad.folder / name)
    assert f"{name}: it is no regular file" in _left_out(bad, tmp_path)


@pytest.mark.parametrize("name", ["../outside", "..", ".", "", "/etc/hostname", "a\0b", "none"])
def test_a_checksum_names_a_file_of_the_run(tmp_path: Path, name: str) -> None:
    bad = record(tmp_path, "bad", ASKED)
    file = bad.folder / "checksums.json"
    sums = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**sums, name: "0" * 64}), encoding="utf-8")
    assert "damaged run" in _left_out(bad, tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "top.parquet"])
def test_what_is_read_has_a_checksum(tmp_path: Path, name: str) -> None:
    bad = record(tmp_path, "bad", ASKED)
    (bad.folder / name).write_bytes(b"not what the run wrote")
    file = bad.folder / "checksums.json"
    sums = json.loads(file.read_text(encoding="utf-8"))
    sums.pop(name, None)
    file.write_text(json.dumps(sums), encoding="utf-8")
    assert f"checksums.json has no SHA-256 of {name}" in _left_out(bad, tmp_path)


@pytest.mark.parametrize("what", ["run", "model", "dataset"])
def test_a_run_that_lies_elsewhere_does_not_count(tmp_path: Path, what: str) -> None:
    bad = record(tmp_path, "bad", ASKED, dataset="other")
    name = "standard-s1-else" if what == "run" else "else"
    change_info(bad.folder, **{what: name})
    assert f"run.json is of {what} {name}, and lies in the folder" in _left_out(bad, tmp_path)


def test_a_run_is_read_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, "a:b", ASKED)
    for place in (run.folder, run.folder.parent):
        monkeypatch.chdir(place)
        assert read_run(Path(os.path.relpath(run.folder))).info == run.info


def test_what_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    before = record(tmp_path, "m", ASKED)
    for odd in ({"phases": [{"name": "fit"}]}, {"facts": {"x": math.nan}}, {"facts": {1, 2}}):
        with pytest.raises(BenchmarkError, match="cannot be recorded"):
            record(tmp_path, "m", ASKED, **odd)
    assert read_run(before.folder) == before
    sign(before.folder)
    assert read_run(before.folder) == before
