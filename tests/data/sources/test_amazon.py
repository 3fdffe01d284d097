"""The reader of the Amazon releases, against a slow one, and against broken files."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmark.data.audit import AuditRow, audit
from benchmark.data.load import load_dataset
from benchmark.data.simulate_queries import path_query
from benchmark.data.sources.amazon_items import cleaned
from benchmark.data.sources.source import TEST, Source
from benchmark.errors import InputError
from tests.data.generated.amazon import Shop, write_amazon, write_card

from .amazon_files import lines_of, read_source, shops, write
from .amazon_reference import Read, gensar_leaks, read_amazon
from .plain_split import asked_by, leave_one_out, log_of_dataset, ordered

RULES = st.fixed_dictionaries(
    {},
    optional={
        "least_rating": st.sampled_from([0, 3, 3.5, 4]),
        "core": st.integers(0, 3),
        "without_text": st.sampled_from(["drop", "keep"]),
        "clean": st.booleans(),
        "longest_text": st.sampled_from([None, 1, 12, 2000]),
        "qrels": st.sampled_from(["merged", "split"]),
        "seed": st.integers(1, 3),
        "twins": st.booleans(),
    },
)


def events_of(source: Source) -> Counter[tuple]:
    """Count the events of a source as the reference has them, with its parts."""
    inter = source.inter
    words = [] if source.queries is None else source.queries.columns["query"].to_pylist()
    users, items = inter.users.to_pylist(), inter.items.to_pylist()
    place = {
        name: i
        for i, name in enumerate([] if source.queries is None else source.queries.ids.to_pylist())
    }
    ids = inter.queries.to_pylist()
    parts = (
        ["train"] * len(inter.user)
        if inter.part is None
        else ["test" if p == TEST else "train" for p in inter.part.tolist()]
    )
    rows = zip(
        inter.user.tolist(),
        inter.item.tolist(),
        inter.time.tolist(),
        inter.query.tolist(),
        parts,
        strict=True,
    )
    return Counter(
        (users[u], items[i], t, None if q < 0 else words[place[ids[q]]], p)
        for u, i, t, q, p in rows
    )


def expected_events(read: Read, split: bool) -> Counter[tuple]:
    return Counter(
        (*event.seen, part if split else "train")
        for event, part in zip(read.events, read.parts, strict=True)
    )


def once(read: Read) -> list:
    """Return the events without copies: same user, item and words at one time."""
    kept, seen = [], set()
    for event in read.events:
        if event.seen not in seen:
            kept.append(event)
            seen.add(event.seen)
    return kept


@pytest.mark.parametrize("release", [2014, 2018, 2023])
@settings(max_examples=25, deadline=None)
@given(data=st.data(), rules=RULES, queries=st.booleans())
def test_the_source_is_that_of_a_slow_reader(
    release: int, data: st.DataObject, rules: dict, queries: bool
) -> None:
    rules = {**rules, "release": release}
    if not queries:
        rules.pop("qrels", None)
    shop = data.draw(shops(release))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write(folder, shop, release, queries)
        files = {what: folder / each for what, each in names.items()}
        expected = read_amazon(files, rules)
        try:
            source = read_source(folder, names, rules)
        except InputError as error:
            assert not expected.events, error
            assert "leave no review" in str(error)
            return
    assert events_of(source) == expected_events(expected, rules.get("qrels") == "split")
    texts = {
        item: {name: column[row].as_py() for name, column in source.items.columns.items()}
        for row, item in enumerate(source.items.ids.to_pylist())
    }
    assert texts == expected.texts


@settings(max_examples=20, deadline=None)
@given(
    shop=shops(2014),
    rules=RULES,
    leakage=st.sampled_from(["safe", "paper"]),
    both_before=st.booleans(),
)
def test_loaded_requests_are_those_of_a_slow_split(
    shop: dict, rules: dict, leakage: str, both_before: bool
) -> None:
    # The order of copies of one moment is by lot, so nobody reviews an item twice here.
    pairs, reviews = set(), []
    for review in shop["reviews"]:
        if (review["user"], review["item"]) not in pairs:
            pairs.add((review["user"], review["item"]))
            reviews.append(review)
    shop = shop | {"reviews": reviews, "lines": [0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = write(folder, shop, 2014, queries=True)
        files = {what: folder / each for what, each in names.items()}
        read = read_amazon(files, rules)
        # Which copy stays where two sessions have one is told by lot as well.
        assume(len(once(read)) == len({(*each.seen, each.session) for each in read.events}))
        split = {"name": "leave-one-out", "leakage": leakage, "both_before": both_before}
        write_card(folder, names, rules=rules, split=split)
        try:
            dataset = load_dataset(folder, cache=folder / "cache", seen="keep")
        except InputError as error:
            assert not read.events or "leaves none of" in str(error)
            return
    log = log_of_dataset(dataset)
    events = ordered(once(read), log)
    if leakage == "paper":
        recommended = [seen for seen in log if seen[3] is None]
        assert recommended == [e.seen for e in read.events if e.query is None]
    train, asked = leave_one_out(events, len(dataset.items), leakage, both_before)
    trained = dataset.train.log
    kept = Counter(
        zip(trained.user.tolist(), trained.item.tolist(), trained.time.tolist(), strict=True)
    )
    users, ids = list(dataset.users), list(dataset.items.ids)
    assert kept == Counter((users.index(u), ids.index(i), t) for u, i, t, _ in train)
    assert asked_by(dataset) == asked


@pytest.fixture(scope="module")
def electronics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of generated Electronics with Ai et al.'s queries; many days have ties."""
    folder = tmp_path_factory.mktemp("electronics")
    names = write_amazon(folder, Shop(users=300, items=200, reviews=4_000, days=30, queries=True))
    return write_card(
        folder,
        names,
        candidates={"negatives": 20},
        split={"name": "leave-one-out", "both_before": True},
    )


def counts(folder: Path, leakage: Any, seen: Any = "exclude") -> dict[tuple[str, str], AuditRow]:
    return {
        (row.part, row.task): row
        for row in audit(load_dataset(folder, leakage=leakage, seen=seen)).rows
    }


LEAKS = (
    "twins_in_training", "twins_in_history", "same_time_in_history", "pairs_in_training",
    "tested_pairs",
)  # fmt: skip


def test_paper_has_both_leaks_of_gensar_and_the_audit_counts_them(electronics: Path) -> None:
    files = {what: electronics / source for what, source in write_names(electronics).items()}
    events = read_amazon(files, {}).events
    leaks, tests = gensar_leaks(events)
    assert leaks["rec"] > 0 and leaks["search"] > 0
    for seen in ("exclude", "keep"):
        found = counts(electronics, "paper", seen)
        assert found["test", "rec"].twins_in_history == leaks["rec"], "oddity 2"
        assert found["test", "search"].twins_in_history == leaks["search"], "oddity 1"
    dataset = load_dataset(electronics, leakage="paper", seen="keep")
    asked = {
        (task, request.user, item)
        for (part, task), requests in asked_by(dataset).items()
        if part == "test"
        for request in requests
        for item, _ in request.relevant
    }
    assert asked == tests


def test_safe_has_none_of_them(electronics: Path) -> None:
    for row in counts(electronics, "safe").values():
        assert {name: getattr(row, name) for name in LEAKS} == dict.fromkeys(LEAKS, 0)
    assert audit(load_dataset(electronics)).ok


def write_names(folder: Path) -> dict[str, str]:
    import yaml

    card = yaml.safe_load((folder / "card.yaml").read_text())
    return {what: source["name"] for what, source in card["files"].items()}


@pytest.mark.parametrize("release", [2018, 2023])
def test_regenerated_queries_are_paths_of_their_items_and_leak_on_request_only(
    tmp_path: Path, release: int
) -> None:
    names = write_amazon(tmp_path, Shop(users=80, items=150, reviews=900, release=release, days=20))
    queries = {"share": 0.7, "twins": True, "category": {"share": 1.0, "paths": "categories"}}
    split = {"name": "leave-one-out", "both_before": True}
    write_card(tmp_path, names, rules={"release": release}, split=split, queries=queries)
    dataset = load_dataset(tmp_path)
    log, paths = dataset.log, dataset.items.fields["categories"]
    searches = np.flatnonzero(log.query >= 0)
    assert len(searches) > 300
    for item, query in zip(log.item[searches].tolist(), log.query[searches].tolist(), strict=True):
        words = dataset.queries.texts[query].split()
        levels = [path.lower().replace(">", " ") for path in paths[item].split("|")]
        assert any(set(words) <= set(path.replace(",", " ").split()) for path in levels)
        assert len(words) == len(set(words))
    assert audit(dataset).ok
    paper = counts(tmp_path, "paper")
    assert paper["test", "search"].twins_in_training > 0
    if release == 2018:
        assert paper["test", "search"].twins_in_history > 0, "times are days"


def test_a_repeated_word_of_a_path_stands_at_its_last_place() -> None:
    assert path_query(["Camera, Photo", "Digital Camera Lenses"]) == "photo digital camera lenses"


def test_texts_are_cleaned_as_documented() -> None:
    raw = 'Men&#39;s <b>10&quot;</b>\n"Tablet" &amp; case. . .'
    assert cleaned(raw) == "Men's 10 Tablet & case."
    assert cleaned("a < b > c.") == "a < b > c."
    assert cleaned("x" * 2000, 2000) == ""
    assert cleaned("x" * 1999, 2000) == "x" * 1999


def test_the_official_split_asks_what_ai_et_al_test(tmp_path: Path) -> None:
    names = write_amazon(tmp_path, Shop(users=60, items=80, reviews=600, queries=True))
    write_card(
        tmp_path,
        names,
        rules={"qrels": "split", "without_text": "keep"},
        split={"name": "official"},
    )
    asked = asked_by(load_dataset(tmp_path, seen="keep"))
    words = lines_of(tmp_path / names["query_text"])
    expected: dict[tuple[str, str], set[str]] = {}
    for line in lines_of(tmp_path / names["test_qrels"]):
        name, _, item, _ = line.split()
        user, _, query = name.rpartition("_")
        expected.setdefault((user, words[int(query)]), set()).add(item)
    found = {(r.user, r.query): {item for item, _ in r.relevant} for r in asked["test", "search"]}
    assert found == expected
    trains = {int(line[5:]) for line in lines_of(tmp_path / names["train_reviews"])}
    reviews = [json.loads(line) for line in lines_of(tmp_path / names["reviews"])]
    hidden = {(r["reviewerID"], r["asin"]) for n, r in enumerate(reviews) if n not in trains}
    assert {(r.user, item) for r in asked["test", "rec"] for item, _ in r.relevant} == hidden
    validated = {(r.user, item) for r in asked["validation", "rec"] for item, _ in r.relevant}
    assert validated and not validated & hidden


def test_the_official_split_has_no_requests_of_users_who_did_both(tmp_path: Path) -> None:
    names = write_amazon(tmp_path, Shop(users=9, items=12, reviews=60))
    write_card(tmp_path, names, split={"name": "official", "both_before": True})
    with pytest.raises(InputError, match="official asks what the source asks; drop both_before"):
        load_dataset(tmp_path)
