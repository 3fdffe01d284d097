from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from tests.support import write_tiny


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset(tiny_folder, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset("ml-100k", cache=tmp_path_factory.mktemp("cache"))
