from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.data.card import Card, read_card
from benchmark.data.load import load_dataset
from benchmark.data.locate import card_names, cards_folder, data_root
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

MINIMAL: dict[str, Any] = {
    "name": "mine",
    "description": "d",
    "source": "s",
    "licence": "l",
    "citation": "c",
    "files": {"inter": {"name": "ml.inter"}},
}


def card_in(folder: Path, **changes: object) -> Path:
    values = {**copy.deepcopy(MINIMAL), **changes}
    (folder / "card.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def rows(users: int = 3, events: int = 6) -> list[tuple[str, str, int]]:
    return [(f"u{u}", f"i{(u * 2 + k) % 9}", k) for u in range(users) for k in range(events)]


IN_TWO_ENCODINGS = ("tags.dat",)
"""Of HetRec 2011's Last.fm, published in latin-1; copies in UTF-8, with letters lost, are about."""
ITEMS = [(f"i{k}", f"thing {k}", f"brand{k % 3}") for k in range(9)]


@pytest.mark.parametrize("name", card_names())
def test_every_card_is_whole(name: str) -> None:
    card = read_card(cards_folder() / name / "card.yaml")
    assert card.name == name
    assert card.licence
    assert "@" in card.citation
    # Counts and checksums are those of real files; or there are none and the card says so, and
    # what counts it has are those that others publish.
    counted = card.statistics is not None and card.statistics.published is None
    assert counted or "generated files only" in card.description
    pinned = [f for f in card.files.values() if f.name not in IN_TWO_ENCODINGS]
    assert all((f.sha256 is not None) == counted for f in pinned)
    assert (card.digests.queries is not None) == (counted and card.queries is not None)


def test_no_python_beside_the_cards() -> None:
    assert not list(cards_folder().rglob("*.py"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", r"card\.yaml:\d"),
        ("- a\n- b\n", r"a card is a mapping"),
        ("", r"a card is a mapping"),
        ("\t", r"card\.yaml"),
        ("!!python/object/apply:os.system ['true']", r"card\.yaml:1"),
        ("a: &x [*x]", r"card\.yaml"),
    ],
)
def test_broken_yaml_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "card.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lisence": "x"}, r"unknown field 'lisence'; did you mean 'licence'\?"),
        ({"name": "../evil"}, r"field 'name'"),
        ({"files": {}}, r"files must name 'inter'"),
        (
            {"files": {"inter": {"name": "ml.inter", "md5": "0"}}},
            r"unknown field 'files.inter.md5'",
        ),
        ({"split": {"name": "random"}}, r"field 'split.name'"),
        ({"queries": {"share": 2}}, r"field 'queries.share'"),
        ({"queries": {"share": 0.5}}, r"shares .* add up to 1"),
        ({"candidates": {"negatives": 0}}, r"field 'candidates.negatives'"),
        ({"text": ["color"]}, r"items have no field 'color'|has no field 'color'"),
    ],
)
def test_wrong_card_is_one_line(
    make_folder: MakeFolder, changes: dict[str, object], message: str
) -> None:
    files = {"inter": {"name": "ml.inter"}, "item": {"name": "ml.item"}}
    folder = card_in(make_folder(rows(), ITEMS), **{"files": files, **changes})
    with pytest.raises(InputError, match=message) as caught:
        load_dataset(folder)
    assert "\n" not in str(caught.value)


def test_changed_file_is_noticed_by_its_checksum(make_folder: MakeFolder) -> None:
    files = {"inter": {"name": "ml.inter", "sha256": "0" * 64}}
    with pytest.raises(InputError, match=r"ml\.inter: checksum .* is not the 000000000000"):
        load_dataset(card_in(make_folder(rows()), files=files))


def test_folder_with_a_card_is_read_by_it(make_folder: MakeFolder) -> None:
    files = {"inter": {"name": "ml.inter"}, "item": {"name": "ml.item"}}
    folder = card_in(
        make_folder(rows(), ITEMS), files=files, title="{title} by {brand}", text=["brand"]
    )
    dataset = load_dataset(folder)
    assert dataset.name == "mine"
    assert dataset.items.titles[4] == "thing 4 by brand1"
    assert dataset.items.texts[4] == "thing 4 by brand1 brand1"


@pytest.mark.parametrize("location", [None, {"folder": "theirs"}])
@pytest.mark.parametrize("by_name", [True, False])
def test_files_are_looked_for_in_the_users_data_folder(
    make_folder: MakeFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    location: dict[str, str] | None,
    by_name: bool,
) -> None:
    cards = tmp_path / "cards"
    (cards / "mine").mkdir(parents=True)
    card_in(cards / "mine", location=location)
    if by_name:
        monkeypatch.setenv("BENCHMARK_DATASETS", str(cards))
    monkeypatch.delenv("BENCHMARK_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    name = "mine" if by_name else cards / "mine"
    place = data_root() / ("theirs" if location else "mine")
    assert place.is_relative_to(tmp_path / "home")
    missing = re.escape(str(place if by_name else cards / "mine"))
    with pytest.raises(InputError, match=rf"'mine': ml\.inter: no such file in {missing}; put it"):
        load_dataset(name)
    place.parent.mkdir(parents=True)
    make_folder(rows()).rename(place)
    assert len(load_dataset(name).log) == 18
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    with pytest.raises(InputError, match="no such file"):
        load_dataset(name)
    (tmp_path / "data").mkdir()
    place.rename(tmp_path / "data" / place.name)
    assert len(load_dataset(name).log) == 18


def test_files_beside_the_card_come_before_those_of_the_data_folder(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    make_folder(rows(3, 3), name="other").rename(tmp_path / "data" / "mine")
    (tmp_path / "data" / "mine" / "other.inter").rename(tmp_path / "data" / "mine" / "ml.inter")
    assert len(load_dataset(card_in(make_folder(rows()))).log) == 18


def test_missing_package_says_how_to_install_it(tmp_path: Path) -> None:
    card_in(tmp_path, location={"package": "no_such_package"})
    with pytest.raises(InputError, match="pip install --no-deps no_such_package"):
        load_dataset(tmp_path)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown data set 'ml100k'; did you mean 'ml-100k'"):
        load_dataset("ml100k")


def test_cards_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = card_names()
    monkeypatch.chdir(tmp_path)
    assert card_names() == names
    assert "ml-100k" in names


def test_defaults_do_not_change_what_decides() -> None:
    plain = Card.model_validate(MINIMAL)
    spelled = Card.model_validate(
        {**MINIMAL, "split": {"name": "leave-one-out", "leakage": "safe"}, "licence": "other"}
    )
    assert plain.deciding()["name"] == "mine"
    assert spelled.deciding().get("split", {}) in ({}, plain.deciding().get("split", {}))
    assert plain.deciding() == Card.model_validate({**MINIMAL, "citation": "other"}).deciding()


def test_frozen_queries_that_differ_are_refused_also_from_the_cache(
    make_folder: MakeFolder,
) -> None:
    files = {"inter": {"name": "ml.inter"}, "item": {"name": "ml.item"}}
    queries = {"share": 0.5, "known-item": {"share": 1.0, "fields": ["title", "brand"]}}
    folder = make_folder(rows(9, 9), ITEMS)
    load_dataset(card_in(folder, files=files, queries=queries))
    card_in(folder, files=files, queries=queries, digests={"queries": "0" * 64})
    with pytest.raises(InputError, match="differ from the frozen ones"):
        load_dataset(folder)
