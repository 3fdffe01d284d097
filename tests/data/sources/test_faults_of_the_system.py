"""Whatever the system has against reading a file ends in one line that names it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from benchmark.data.load import load_dataset
from benchmark.errors import InputError
from benchmark.files import open_regular
from tests.data.conftest import MakeFolder
from tests.data.test_card import ITEMS, card_in, rows

FAULTS = (errno.EACCES, errno.ENOENT, errno.EIO, errno.EMFILE)
KINDS = ("inter", "item", "query", "user")
FILES = (*(f"ml.{kind}" for kind in KINDS), "card.yaml")
Opening = Callable[..., BinaryIO]


def _refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_dataset(folder)
    assert str(caught.value).isprintable()
    return str(caught.value)


def _whole(make_folder: MakeFolder, name: str = "ml") -> Path:
    folder = make_folder(rows(), ITEMS, [("q", "words")], name=name)
    (folder / f"{name}.user").write_text("user_id:token\nu0\nu1\nu2\n")
    return card_in(folder, files={kind: {"name": f"{name}.{kind}"} for kind in KINDS})


def _open_by(monkeypatch: pytest.MonkeyPatch, opening: Opening) -> None:
    for module in ("yaml_text", "sources.diagnose"):
        monkeypatch.setattr(f"benchmark.data.{module}.open_regular", opening)


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_opened_at_any_moment(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    folder, left = _whole(make_folder), 10**9

    def opening(path: Path, pipes: bool = False) -> BinaryIO:
        nonlocal left
        if path.name == name:
            left -= 1
            if left < 0:
                raise OSError(code, os.strerror(code), str(path))
        return open_regular(path, pipes)

    _open_by(monkeypatch, opening)
    load_dataset(folder, cache=folder / "cache")
    times = 10**9 - left
    assert times >= 1
    for before in range(times):
        left = before
        assert name in _refused(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_disc_that_fails_while_a_file_is_read(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def opening(path: Path, pipes: bool = False) -> BinaryIO:
        return Failing() if path.name == name else open_regular(path, pipes)

    folder = _whole(make_folder)
    _open_by(monkeypatch, opening)
    message = _refused(folder)
    assert name in message
    assert "Input/output error" in message


@pytest.mark.parametrize("becomes", ["nothing", "a folder", "a link that leads nowhere"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_goes_between_two_looks(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, kind: str, becomes: str
) -> None:
    for looks in range(1, 4):
        folder, left = _whole(make_folder, f"ml{looks}"), looks

        def opening(path: Path, pipes: bool = False) -> BinaryIO:
            nonlocal left
            opened = open_regular(path, pipes)
            if path.suffix == f".{kind}":
                left -= 1
                if left == 0:
                    path.unlink()
                    if becomes == "a folder":
                        path.mkdir()
                    elif becomes != "nothing":
                        path.symlink_to("nowhere")
            return opened

        with monkeypatch.context() as patch:
            _open_by(patch, opening)
            assert f"ml{looks}.{kind}" in _refused(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(make_folder: MakeFolder) -> None:
    for place in ("", "ml.inter", "ml.item"):
        folder = _whole(make_folder, f"closed{place}")
        (folder / place).chmod(0)
        assert "Permission denied" in _refused(folder)


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-of-this-name/x", "a/" * 3000, "loop", "\0"])
def test_a_path_that_the_system_does_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with pytest.raises(InputError) as caught:
        load_dataset(name)
    assert str(caught.value).isprintable()


def test_a_folder_that_cannot_be_listed(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(rows())

    def refuse(path: object = None) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "Permission denied" in _refused(folder)
