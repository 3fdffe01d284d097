"""KuaiSearch's JSON lines, against dictionaries and loops, and with whatever may be wrong there."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.load import load_dataset
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.kuaisearch import READER
from benchmark.data.sources.reader import Wanted
from benchmark.errors import InputError
from tests.data.generated.kuaisearch import DEMO, FILES, Size, write_folder
from tests.data.held_against import asked_in, check_card, rows_of
from tests.data.slow_card import settings_of, without_clock
from tests.data.slow_requests import shown_by

from .broken_files import BREAKAGES, broken, one_line, refused
from .kuaisearch_reference import (
    ITEMS,
    RANK,
    RECALL,
    RULES,
    TIMES,
    Row,
    card_of,
    odd_in,
    slow_reading,
    write_lines,
)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return card_of(write_folder(tmp_path / "kuaisearch", DEMO), dict(FILES))


SPLITS = (
    {"name": "official"},
    {"name": "official"},
    {"name": "official", "leakage": "paper"},
    {"name": "temporal"},
    {"name": "leave-one-out"},
    {"name": "leave-one-out", "both_before": True},
    {"name": "days"},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(RECALL, min_size=1, max_size=16),
    st.lists(st.tuples(RANK, TIMES), min_size=1, max_size=12),
    RULES,
    settings_of(SPLITS),
    st.booleans(),
)
def test_whatever_the_card_says_requests_are_those_of_the_definition(
    recall: list[Row],
    rank: list[tuple[Row, int]],
    rules: dict[str, Any],
    card: dict[str, Any],
    strict: bool,
) -> None:
    tables = {"recall": recall, "rank": [row for row, times in rank for _ in range(times)]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = [
            {"item_id": i, "item_title": f"红酒{i}", "brand_name": "UNKNOWN" if i % 2 else f"b{i}"}
            for i in range(ITEMS, 0, -1)
        ]
        for table, rows in {"items": items, **tables}.items():
            write_lines(folder, table, rows)
        files = {table: FILES[table] for table in ("items", "recall", "rank")}
        own = {what: value for what, value in card.items() if what != "seen"}
        card_of(folder, files, rules=rules, strict=strict, **own)
        requests = slow_reading(tables, rules)
        if not any(each.relevant() for each in requests) or (strict and odd_in(tables, rules)):
            with pytest.raises(InputError, match=r"that was clicked or purchased|'strict' out"):
                load_dataset(folder, cache=folder / "cache")
            return
        ids = [str(item["item_id"]) for item in items]
        card = without_clock({**card, "strict": strict})
        dataset = check_card(folder, shown_by(requests), ids, card)
        if dataset is not None:
            texts = dict(zip(dataset.items.ids, dataset.items.texts, strict=True))
            assert (texts["3"], texts["4"]) == ("红酒3", "红酒4 b4")


def test_both_tables_of_the_demo_tell_the_same_searches(demo: Path) -> None:
    one, two = (
        asked_in(load_dataset(card_of(demo, dict(FILES), rules={"requests": table})))
        for table in ("recall", "rank")
    )
    assert one == two
    assert {task for _, task in one} == {"search"}


@pytest.mark.parametrize("table", ["recall", "rank"])
def test_a_card_may_name_one_table_only(demo: Path, table: str) -> None:
    card_of(demo, {n: FILES[n] for n in ("items", table)}, rules={"requests": table})
    load_dataset(demo)
    other = "rank" if table == "recall" else "recall"
    card_of(demo, {n: FILES[n] for n in ("items", table)}, rules={"requests": other})
    refused(demo, rf"rules.requests is '{other}', so files must name '{other}'")


# --- whatever may be wrong ----------------------------------------------------------------------


def changed(line: str, **fields: Any) -> str:
    return json.dumps({**json.loads(line), **fields})


FAULTS: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no JSON": ("recall", lambda line: line[:-9], r"recall.jsonl:3: the line is no JSON object"),
    "an unclosed list": (
        "recall",
        lambda line: line.replace("]", "", 1),
        r"recall.jsonl:3: the line is no JSON object",
    ),
    "a literal of Python": (
        "recall",
        lambda line: "{'user_id': __import__('os').system('true')}",
        r"recall.jsonl:3: the line is no JSON object",
    ),
    "a list": (
        "recall",
        lambda line: f"[{line}]",
        r"recall.jsonl:3: the line is no JSON object, but",
    ),
    "two records": (
        "recall",
        lambda line: line + line,
        r"recall.jsonl:3: the line is no JSON object",
    ),
    "a user in quotes": (
        "recall",
        lambda line: changed(line, user_id="7"),
        r'recall.jsonl:3: user_id must be an integer, not "7"',
    ),
    "a time with a fraction": (
        "rank",
        lambda line: changed(line, time_index=1.5),
        r"rank.jsonl:3: time_index must be an integer, not 1.5",
    ),
    "a list in quotes": (
        "recall",
        lambda line: changed(line, clicked_item_ids="[1, 2]"),
        r"recall.jsonl:3: clicked_item_ids must be a list of integers, not",
    ),
    "a list of lists": (
        "recall",
        lambda line: changed(line, clicked_item_ids=[[1]]),
        r"recall.jsonl:3: clicked_item_ids must be a list of integers, not \[\[1\]\]",
    ),
    "a query that is a number": (
        "recall",
        lambda line: changed(line, query=5),
        r"recall.jsonl:3: query must be text, not 5",
    ),
    "a number beyond 64 bits": (
        "recall",
        lambda line: changed(line, user_id=2**70),
        r"recall.jsonl:3: user_id must be an integer",
    ),
    "a time beyond any order": (
        "recall",
        lambda line: changed(line, time_index=-(2**62)),
        r"recall.jsonl:3: time_index -\d+ is beyond 9,007,199,254,740,992",
    ),
    "another part": (
        "recall",
        lambda line: changed(line, split="tset"),
        r"recall.jsonl:3: split 'tset' is none of train, valid, validation, test",
    ),
    "no part": ("recall", lambda line: changed(line, split=None), r"recall.jsonl:3: split '' is"),
    "a huge line": (
        "items",
        lambda line: changed(line, item_title="x" * (2**20 + 5)),
        r"items.jsonl:3: the line is longer than 1,048,576 bytes",
    ),
    "deep brackets": (
        "items",
        lambda _: '{"item_id": 1, "item_title": ' + "[" * 500_000 + "]" * 500_000 + "}",
        r"items.jsonl:3: the line is no JSON object \(nested too deeply",
    ),
    "no UTF-8": (
        "items",
        lambda line: line.replace('"item_title": "', '"item_title": "\udcff'),
        r"items.jsonl:3: byte \d+ is ",
    ),
    "no item": (
        "items",
        lambda line: changed(line, item_id=None),
        r"items.jsonl:3: item_id is missing",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_line_is_told_with_its_number(demo: Path, fault: str) -> None:
    table, change, message = FAULTS[fault]
    file = demo / f"{table}.jsonl"
    lines = file.read_text(encoding="utf-8").split("\n")
    lines[2] = change(lines[2])
    file.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    refused(demo, message)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(what=st.sampled_from([*FILES]), how=BREAKAGES, strict=st.booleans())
def test_a_broken_file_is_one_line_or_a_count(what: str, how: tuple, strict: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_folder(Path(name), Size(6, 20, 8, shown=4))
        broken(folder / FILES[what]["name"], how, packed=False)
        files = {each: folder / FILES[each]["name"] for each in FILES}
        cleaning = Cleaning(strict)
        try:
            source = READER.read(files, READER.rules(), Wanted(("item_title",), None, cleaning))
        except InputError as error:
            assert one_line(error, *(each["name"] for each in FILES.values()))
            return
    assert all("\n" not in note for note in (*cleaning.notes, *source.notes))
    assert len(source.inter.user) > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"recall.jsonl: the file is empty"),
        (b"\n \n", r"recall.jsonl: the file holds no rows; one has a JSON object"),
        (b"\x1f\x8b" + b"0" * 50, r"recall.jsonl:1: the gzip file is damaged"),
        (b"PAR1" * 20, r"recall.jsonl: the file is"),
        (b"user_id,session_id\n1,2\n", r"recall.jsonl:1: the line is no JSON"),
        (b'{"user_id": 1, "session_id": 2}\n', r"recall.jsonl:1: field 'time_index' is missing"),
        (b'{"userid": 1}\n', r"recall.jsonl:1: field 'user_id' is missing; did you mean 'userid'"),
        (b"x" * 3_000_000, r"recall.jsonl:1: the line is longer"),
    ],
)
def test_another_kind_of_file_is_one_line(demo: Path, content: bytes, message: str) -> None:
    (demo / "recall.jsonl").write_bytes(content)
    refused(demo, message)


def test_legal_variants_read_the_same(demo: Path) -> None:
    wanted = load_dataset(demo).digest
    for name in FILES:
        file = demo / f"{name}.jsonl"
        whole = file.read_bytes()
        file.write_bytes(b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n\r\n").rstrip())
    other = load_dataset(demo)
    assert asked_in(other) == asked_in(load_dataset(demo))
    assert other.digest != wanted
    content = {load_dataset(demo).candidates_digest}
    assert len(content) == 1


def test_what_is_left_out_is_told_with_counts(demo: Path) -> None:
    items = (demo / "items.jsonl").read_text(encoding="utf-8").splitlines()
    few = [line for line in items if json.loads(line)["item_id"] != 7]
    (demo / "items.jsonl").write_text("\n".join([*few, few[0]]) + "\n", encoding="utf-8")
    (demo / "users.jsonl").write_text('{"user_id": 1}\n', encoding="utf-8")
    lines = (demo / "recall.jsonl").read_text(encoding="utf-8").splitlines()
    lines[4] = changed(lines[4], user_id=None)
    (demo / "recall.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    told: list[str] = []
    load_dataset(demo, notify=told.append)
    for pattern in (
        r"items.jsonl:200: item_id 1 is there already \(1 of 200 items\); the first of each",
        r"recall.jsonl:\d+: item_id 7 is not in items.jsonl \(\d+ of \d+ shown items\)",
        r"recall.jsonl:5: user_id, session_id or time_index is missing \(1 of 200 lines\)",
        r"recall.jsonl:\d+: user_id \d+ is not in users.jsonl \(\d+ of \d+ users\)",
    ):
        assert sum(bool(re.search(pattern, line)) for line in told) == 1, (pattern, told)
    card_of(demo, dict(FILES), strict=True)
    refused(demo, r"items.jsonl:200: item_id 1 is there already")


def test_blocks_of_a_large_file_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = card_of(write_folder(tmp_path / "k", Size(20, 60, 40)), dict(FILES))
    wanted = asked_in(load_dataset(folder, cache=tmp_path / "one"))
    monkeypatch.setattr("benchmark.data.sources.files.lines._BLOCK", 997)
    assert asked_in(load_dataset(folder, cache=tmp_path / "two")) == wanted


SEARCH = {"user_id": 1, "session_id": 1, "query": "酒", "split": "train"}


def test_neighbours_in_an_order_are_no_copies_within_a_time(tmp_path: Path) -> None:
    lists = {"impressed_item_ids": [1, 2], "clicked_item_ids": [1], "purchased_item_ids": []}
    write_lines(
        tmp_path, "items", [{"item_id": i, "item_title": "", "brand_name": ""} for i in (1, 2)]
    )
    write_lines(tmp_path, "recall", [{**SEARCH, **lists, "time_index": i} for i in range(3)])
    files = {table: FILES[table] for table in ("items", "recall")}
    for copies in ({"within": 5}, {"keep": True}):
        card_of(tmp_path, files, copies=copies, split={"name": "leave-one-out", "leakage": "paper"})
        assert len(load_dataset(tmp_path).log) == 3


def test_of_lines_of_a_search_that_follow_each_other_the_first_tells_the_recent_items(
    tmp_path: Path,
) -> None:
    row = {**SEARCH, "time_index": 5, "target_item_id": 1, "is_clicked": 1, "is_purchased": 0}
    told = [{**row, "recently_clicked_item_ids": items} for items in ([2], [3], [2])]
    away = {**told[1], "session_id": 2}
    write_lines(
        tmp_path, "items", [{"item_id": i, "item_title": "", "brand_name": ""} for i in range(1, 6)]
    )
    files = {table: FILES[table] for table in ("items", "rank")}
    for rows, recent in (([*told], {"2"}), ([told[0], away, told[2]], {"2", "3"})):
        write_lines(tmp_path, "rank", rows)
        card_of(tmp_path, files, rules={"requests": "rank"})
        dataset = load_dataset(tmp_path)
        log = dataset.log
        assert {dataset.items.ids[i] for i in log.item[log.query < 0]} == recent


def test_a_search_is_a_user_a_session_a_time_words_and_a_part(tmp_path: Path) -> None:
    row = {**SEARCH, "time_index": 5, "impressed_item_ids": [1, 2, 3], "purchased_item_ids": []}
    others = (
        {},
        {"session_id": 2},
        {"time_index": 6},
        {"query": "红"},
        {"split": "valid"},
        {"user_id": 2},
        {"user_id": 2, "session_id": 2},
    )
    rows = [{**row, **other, "clicked_item_ids": [item]} for other in others for item in (1, 2)]
    items = [
        {"item_id": i, "item_title": f"{k}", "brand_name": ""} for k, i in enumerate((1, 2, 3, 2))
    ]
    write_lines(tmp_path, "items", items)
    write_lines(tmp_path, "recall", rows)
    files = {"items": tmp_path / "items.jsonl", "recall": tmp_path / "recall.jsonl"}
    cleaning = Cleaning()
    source = READER.read(files, READER.rules(), Wanted(("item_title",), None, cleaning))
    found = rows_of(source)
    assert len({each.session for each in found}) == len(others)
    assert sum(found.values()) == 3 * len(others)
    assert {each.part for each in found} == {"train", "validation"}
    assert source.items.columns["item_title"].to_pylist() == ["0", "1", "2"]
