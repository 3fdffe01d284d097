from __future__ import annotations

import pytest

from tests.bit_flips import Stored, flip_bits, kinds_of_files

FILES = [
    *(f"record: {name}" for name in ("run.json", "requests.parquet", "top.parquet")),
    *(f"record: {name}" for name in ("checksums.json", "model.safetensors", "config.json")),
    "record: shared table",
    *(f"cache: {name}" for name in ("log", "train", "requests", "texts", "manifest")),
    *("candidates", "study", "checkpoint", "kept arrays"),
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored]:
    return {one.kind: one for one in kinds_of_files(tmp_path_factory.mktemp("stored"))}


@pytest.mark.parametrize("kind", FILES)
def test_no_flipped_bit_goes_unnoticed(stored: dict[str, Stored], kind: str) -> None:
    assert set(stored) == set(FILES)
    assert flip_bits(stored[kind], 8, seed=1).silent == []
