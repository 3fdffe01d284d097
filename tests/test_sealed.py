from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import InputError
from benchmark.sealed import DamagedError, read_sealed, write_sealed

CONTENT = st.binary(max_size=200) | st.binary(max_size=50).map(lambda b: b"{" + b)


@settings(max_examples=60, deadline=None)
@given(CONTENT, st.text(max_size=20))
def test_what_is_sealed_comes_back(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, owner: str
) -> None:
    file = tmp_path_factory.mktemp("sealed") / "new" / "file"
    write_sealed(file, content, owner)
    assert read_sealed(file, owner) == content
    with pytest.raises(DamagedError, match="of another run"):
        read_sealed(file, f"{owner}2")


@settings(max_examples=60, deadline=None)
@given(CONTENT, st.data())
def test_any_change_of_a_bit_or_of_the_length_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("sealed") / "file"
    write_sealed(file, content, "run")
    whole = file.read_bytes()
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    flipped = bytearray(whole)
    flipped[place // 8] ^= 1 << place % 8
    for changed in (bytes(flipped), whole[: place // 8], whole + b"\n", content):
        file.write_bytes(changed)
        with pytest.raises(DamagedError, match=f"{file}: damaged, .*; delete it to start over"):
            read_sealed(file, "run")


def test_a_sealed_object_is_json_with_its_checksum_as_first_member(tmp_path: Path) -> None:
    write_sealed(tmp_path / "file", b'{"a": 1}', "run")
    found = json.loads((tmp_path / "file").read_bytes())
    assert list(found) == ["sha256", "a"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_sealed(tmp_path / "none", "run")
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "."):
        with pytest.raises(InputError, match=r"cannot be read: it is (no regular file|a folder)"):
            read_sealed(tmp_path / name, "run")
    write_sealed(tmp_path / "long", bytes(1000), "run")
    with pytest.raises(DamagedError, match="long is larger than"):
        read_sealed(tmp_path / "long", "run", 999)
