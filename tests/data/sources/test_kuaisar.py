"""Format ``kuaisar`` against a slow reference, and as a user meets it."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.events import EventSource
from benchmark.data.load import load_dataset
from benchmark.data.locate import cards_folder
from benchmark.data.requests import Task
from benchmark.data.sources.files import lines as blocks
from benchmark.data.sources.reader import Wanted
from benchmark.errors import InputError
from tests.data.generated.kuaisar import FILES, _tokens, write_folder, write_zip
from tests.data.held_against import check_card, rows_of
from tests.data.slow_card import settings_of

from . import kuaisar_reference as slow
from .kuaisar_files import (
    ALWAYS,
    COLUMNS,
    ITEM_ROWS,
    MIDNIGHT,
    NO_LISTS,
    READER,
    REC_FIELDS,
    REC_ROWS,
    RULES,
    SEARCH_FIELDS,
    SESSIONS,
    SPLIT,
    TINY,
    card,
    copied,
    read,
    write,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REC_ROWS, SESSIONS, ITEM_ROWS, RULES)
def test_rows_and_catalogue_are_those_of_the_reference(
    rec: list, sessions: list, items: list, rules: dict
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), rec, sessions, items)
        expected = slow.read(folder, rules, COLUMNS)
        try:
            source = read(folder, COLUMNS, **rules)
        except InputError as error:
            no_query = not any(slow._words(keyword) for _, _, keyword, _, _ in sessions)
            no_item = not {str(i[0]) for i in items} & {*expected.catalogue}
            assert (not expected.events) or no_query or no_item, error
            return
    assert rows_of(source) == Counter(expected.rows)
    texts = [source.items.columns[name].to_pylist() for name in COLUMNS]
    ids = source.items.ids.to_pylist()
    found = {i: dict(zip(COLUMNS, t, strict=True)) for i, *t in zip(ids, *texts, strict=True)}
    assert found == expected.catalogue
    assert len(ids) == len(found)
    asked = source.inter.queries.to_pylist()
    assert sorted(asked) == sorted({row.words for row in expected.rows} - {None})


SPLITS = (
    SPLIT,
    SPLIT,
    {"name": "days"},
    {**SPLIT, "both_before": True},
    {"name": "leave-one-out"},
    {"name": "leave-one-out", "leakage": "paper"},
    {"name": "temporal"},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REC_ROWS, SESSIONS, ITEM_ROWS, RULES, settings_of(SPLITS), st.booleans())
def test_whatever_the_card_says_requests_are_those_of_the_definition(
    rec: list, sessions: list, items: list, rules: dict, fields: dict, strict: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        sessions = [(1, 1, "[9]", MIDNIGHT, [(10, 1, "VIDEO"), (12, 0, "VIDEO")]), *sessions]
        items = [(10, "[1]", "", "1", ""), *items]
        folder = write(Path(place), ALWAYS + rec, sessions, items)
        expected = slow.read(folder, rules)
        own = {what: value for what, value in fields.items() if what != "seen"}
        card(folder, rules=rules, strict=strict, text=["caption"], **own)
        kept = [item for item in items if str(item[0]) in expected.catalogue]
        odd = (
            any(not slow._words(keyword) for _, _, keyword, _, _ in sessions)
            or len({item[0] for item in kept}) < len(kept)
            or any(item[1] in NO_LISTS for item in kept)
        )
        if not expected.events or (strict and odd):
            with pytest.raises(InputError, match=r"leave no event|'strict' out"):
                load_dataset(folder, cache=folder / "cache")
            return
        ids = [*expected.catalogue]
        dataset = check_card(folder, expected.rows, ids, {**fields, "strict": strict})
        if dataset is not None and fields["split"].get("leakage") != "paper":
            assert audit(dataset).ok


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("kuaisar") / "files", TINY)


@pytest.fixture
def small(folder: Path, tmp_path: Path) -> Path:
    return copied(folder, tmp_path)


def test_generated_files_have_the_counts_that_they_claim(folder: Path) -> None:
    rec, search = (slow._lines(folder / FILES[kind]) for kind in ("rec", "search"))
    assert (len(rec), len(search)) == (TINY.rec_rows, TINY.search_rows)
    assert len({row["keyword"] for row in search}) == TINY.queries
    assert len({row["item_id"] for row in rec}) == TINY.rec_items
    assert len({row["item_id"] for row in search}) == TINY.search_items
    both = {row["item_id"] for row in (*rec, *search)}
    listed = {row["item_id"] for row in slow._lines(folder / FILES["items"])}
    assert both == listed
    assert len(listed) == TINY.items
    assert list(rec[0]) == REC_FIELDS
    assert list(search[0]) == SEARCH_FIELDS


@pytest.mark.parametrize(("keep", "drop"), [(100_000, 7), (3_000_000, 3)])
def test_every_number_below_occurs_whatever_the_parts(keep: int, drop: int) -> None:
    tokens = _tokens(np.arange(0, keep, drop, dtype=np.int64), 4)
    assert len(tokens.unique()) == len(tokens)


def test_the_archive_says_what_its_files_say(folder: Path, tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "KuaiSAR.zip", folder)
    archive = READER.read({"archive": packed}, READER.rules(), Wanted(COLUMNS))
    unpacked = read(folder, COLUMNS)
    assert rows_of(archive) == rows_of(unpacked)
    assert archive.items.ids.equals(unpacked.items.ids)
    assert archive.items.columns["caption"].equals(unpacked.items.columns["caption"])
    last = len(archive.inter.row) - 1
    path, line = archive.inter.where(last)
    assert (path.name, line) == (FILES["search"], unpacked.inter.where(last)[1])


def test_a_row_is_found_again_by_its_line(folder: Path) -> None:
    inter = read(folder).inter
    for event in (0, len(inter.row) // 2, len(inter.row) - 1):
        path, line = inter.where(event)
        row = slow._lines(path)[line - 2]
        user, item = (
            ids[int(code[event])].as_py()
            for ids, code in ((inter.users, inter.user), (inter.items, inter.item))
        )
        assert (row["user_id"], row["item_id"]) == (user, item)


def test_batches_do_not_show(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(folder, COLUMNS)
    monkeypatch.setattr(blocks, "_BLOCK", 2000)
    parts = read(folder, COLUMNS)
    assert rows_of(parts) == rows_of(whole)
    assert parts.items.columns["caption"].equals(whole.items.columns["caption"])
    assert parts.queries is not None
    assert len(parts.queries.ids) == len(set(parts.queries.ids.to_pylist()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": {"rec": {"name": "r"}}}, "files must name 'search', or 'archive'"),
        ({"files": {"archive": {"name": "a"}, "rec": {"name": "r"}}}, "holds the others"),
        ({"rules": {"positive": {}}}, "name at least one of click, like"),
        ({"rules": {"positive": {"klick": 1}}}, "rules.positive.klick"),
        ({"rules": {"item_types": []}}, "name at least one type"),
        ({"rules": {"clickles": "drop"}}, "did you mean 'clickless'"),
        ({"rules": {"core": {"users": 5}}}, "did you mean 'user'"),
        ({"split": {"name": "days", "zone": "Asia/Peking"}}, "no time zone"),
        ({"split": {"name": "temporal", "zone": "Asia/Shanghai"}}, "knows no days"),
        ({"grade": "click"}, "grades events by its rules"),
    ],
)
def test_a_wrong_card_says_what_is_meant(small: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load_dataset(card(small, **changes))


def feed(user: int, item: int, time: int = 0, watched: str = "0", of: str = "9000") -> tuple:
    """Return a row of the feed that was clicked."""
    return (user, item, of, watched, f"{MIDNIGHT + time}.0", *"000001", "")


ITEM = (8, "[1]", "Food", "1", "2020-01-01")


def test_the_core_is_taken_until_nothing_changes(tmp_path: Path) -> None:
    # Of the chain 1-1-2-2-3-3-…, each of whose links has two neighbours, each round takes the ends.
    chain = [feed(user, item) for user in range(1, 6) for item in (user, user + 1)]
    ring = [feed(user, item) for user in (8, 9) for item in (8, 9)]
    folder = write(tmp_path, chain + ring, [(8, 1, "[1]", MIDNIGHT, [(8, 1, "VIDEO")])], [ITEM])
    inter = read(folder, core={"user": 2, "item": 2}, exposures="drop").inter
    assert inter.users.to_pylist() == ["8", "9"]
    assert len(inter.user) == 5


def test_a_long_view_lasts_as_long_as_the_rule_says_or_as_the_item(tmp_path: Path) -> None:
    views = [
        ("17999", "60000"),
        ("18000.0", "60000"),
        ("9000", "9000"),
        ("8999", "9000"),
        ("5", "0"),
    ]
    rows = [feed(1, 10 + k, 0, *view) for k, view in enumerate(views)]
    folder = write(tmp_path, rows, [(1, 1, "[1]", MIDNIGHT, [(8, 1, "VIDEO")])], [ITEM])
    for seconds, taken in ((18, ["11", "12"]), (17.5, ["10", "11", "12"])):
        found = rows_of(read(folder, positive={"long-view": 2}, long_view=seconds))
        assert sorted(row.item for row in found if row.words is None and row.grade) == taken
        assert {row.grade for row in found if row.words is None} == {0, 2}


def test_of_a_search_without_a_click_the_first_result_is_taken(tmp_path: Path) -> None:
    results = [(item, 0, "VIDEO") for item in (9, 8, 10)]
    sessions = [
        (1, 1, "[1]", MIDNIGHT, results),
        (1, 2, "[1]", MIDNIGHT, [(9, 0, "USER"), (8, 2, "USER")]),
    ]
    folder = write(tmp_path, [feed(1, 8)], sessions, [ITEM])
    found = rows_of(read(folder, clickless="earliest", positive={"click": 3}))
    taken = {(row.session, row.item, row.grade) for row in found if row.words and row.grade}
    assert taken == {("1", "9", 3), ("2", "8", 3)}


def test_rules_tell_what_they_leave_out(small: Path) -> None:
    told = "\n".join(
        read(small, item_types=["VIDEO"], most_clicks=1, core={"user": 3, "item": 1}).notes
    )
    for part in (
        "rows are of other item types than VIDEO",
        "beyond the first 1 of their search",
        "core of 3 events a user and 1 an item",
        "deliveries: ",
        "searches: ",
    ):
        assert part in told


def test_the_rules_of_unisar_on_the_page_are_rules_that_hold(small: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "data" / "kuaisar.md"
    block = page.read_text(encoding="utf-8").split("## UniSAR")[1].split("```yaml")[1]
    said = yaml.safe_load(block.split("```")[0])
    write_zip(small / said["files"]["archive"]["name"], small)
    said["rules"]["core"]["item"] = 1  # few items of this size have 5 events
    dataset = load_dataset(card(small, **said))
    log = dataset.log
    assert np.bincount(log.user).min() >= said["rules"]["core"]["user"]
    searches = log.rows_of_kind[EventSource.SEARCHED]
    pairs = np.stack([log.user[searches], log.session[searches], log.query[searches]])
    assert np.unique(pairs, axis=1, return_counts=True)[1].max() <= 5
    assert all("given" not in each.lists for each in dataset.evaluation.values())


@pytest.mark.parametrize("name", ["kuaisar", "kuaisar-small"])
def test_a_published_card_reads_an_archive_of_its_name(
    name: str, folder: Path, tmp_path: Path
) -> None:
    text = (cards_folder() / name / "card.yaml").read_text(encoding="utf-8")
    (tmp_path / "card.yaml").write_text(text, encoding="utf-8")
    write_zip(tmp_path / yaml.safe_load(text)["files"]["archive"]["name"], folder)
    dataset = load_dataset(tmp_path)
    assert dataset.about.split == "days"
    for task in Task:
        evaluation = dataset.evaluation["test", task]
        assert len(evaluation.asked("given"))
    assert audit(dataset).ok
