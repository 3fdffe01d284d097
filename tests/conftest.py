from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.data.card import Card, read_card
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.locate import cards_folder, data_folder, data_root
from benchmark.errors import InputError
from tests.support import write_tiny

REAL_DATA = data_root().absolute()
"""Where the data of whoever runs the tests lie; other tests do not look there."""


@pytest.fixture(autouse=True)
def own_data(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DATA", str(tmp_path_factory.getbasetemp() / "no-data"))


@pytest.fixture
def real_card(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Card]:
    """Give the card of a data set of this project, or skip where its files are not there."""

    def find(name: str) -> Card:
        card = read_card(cards_folder() / name / "card.yaml")
        monkeypatch.setenv("BENCHMARK_DATA", str(REAL_DATA))
        try:
            data_folder(card, cards_folder() / name)
        except InputError as missing:
            pytest.skip(f"$BENCHMARK_DATA names no folder that has them: {missing}")
        return card

    return find


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset(tiny_folder, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset("ml-100k", cache=tmp_path_factory.mktemp("cache"))
