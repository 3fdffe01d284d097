from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from benchmark.data.load import load_dataset
from benchmark.data.sources import known_files
from benchmark.data.sources.checksum import Scan, scan
from benchmark.data.sources.diagnose import open_file
from benchmark.data.sources.known_files import KnownFiles
from benchmark.errors import InputError
from tests.support import write_tiny

HOUR = 3600 * 10**9


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that were read, as they are read."""
    read: list[Path] = []

    def counted(path: Path) -> Scan:
        read.append(path)
        return scan(path)

    monkeypatch.setattr(known_files, "scan", counted)
    return read


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour pass between the making of files and their reading."""
    monkeypatch.setattr(time, "time_ns", lambda real=time.time_ns: real() + HOUR)


def written(path: Path, text: str = "a\tb\n1\t2\n") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.usefixtures("later")
def test_an_untouched_file_is_read_once(tmp_path: Path, reads: list[Path]) -> None:
    for text in ("a\n1\n", 'a\n"1"\n', "a\rb\n", "a\n\0\n"):
        file = written(tmp_path / str(len(reads)), text)
        reads.clear()
        for _ in range(3):
            assert KnownFiles(tmp_path / "cache").scan(file) == scan(file)
        assert reads == [file]
        KnownFiles(tmp_path / "other").scan(file)
        assert reads == [file, file]


def rewritten(file: Path) -> None:
    file.write_text("a\tb\n1\t3\n")


def rewritten_with_the_time_set_back(file: Path) -> None:
    before = file.stat()
    rewritten(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_one_of_the_same_time(file: Path) -> None:
    other = written(file.with_name("other"), "a\tb\n1\t3\n")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)


def appended(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("3\t4\n")


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    "touch",
    [rewritten, rewritten_with_the_time_set_back, replaced_by_one_of_the_same_time, appended],
)
def test_a_touched_file_is_read_again(
    tmp_path: Path, reads: list[Path], touch: Callable[[Path], None]
) -> None:
    file, known = written(tmp_path / "data" / "x"), KnownFiles(tmp_path / "cache")
    before = known.scan(file)
    time.sleep(0.02)  # the clock of a file system goes in steps
    touch(file)
    after = known.scan(file)
    assert after == scan(file)
    assert after.sha256 != before.sha256
    assert reads == [file, file]


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path, reads: list[Path]) -> None:
    file = written(tmp_path / "data" / "x")
    for _ in range(2):
        assert KnownFiles(tmp_path / "cache").scan(file) == scan(file)
    assert reads == [file, file]


@pytest.mark.usefixtures("later")
def test_a_damaged_or_borrowed_memory_is_none(tmp_path: Path, reads: list[Path]) -> None:
    one, two = written(tmp_path / "data" / "x"), written(tmp_path / "data" / "y", "other\n")
    known = KnownFiles(tmp_path / "cache")
    for file in (one, two):
        known.scan(file)
    first, second = (known._place(file) for file in (one, two))
    whole = first.read_bytes()
    for damage in (b"", b"{}", whole[:-2], whole.replace(b"false", b"true "), second.read_bytes()):
        reads.clear()
        first.write_bytes(damage)
        assert KnownFiles(tmp_path / "cache").scan(one) == scan(one)
        assert reads == [one]


@pytest.mark.usefixtures("later")
def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path: Path) -> None:
    file, blocked = written(tmp_path / "data" / "x"), written(tmp_path / "data" / "blocked")
    assert KnownFiles(blocked).scan(file) == scan(file)
    with pytest.raises(InputError, match="no such file"):
        KnownFiles(tmp_path / "cache").scan(tmp_path / "data" / "missing")


def test_loading_looks_at_the_bytes_of_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, opened = write_tiny(tmp_path / "tiny"), []

    def counted(path: Path) -> BinaryIO:
        opened.append(path.name)
        return open_file(path)

    monkeypatch.setattr("benchmark.data.sources.checksum.open_file", counted)
    load_dataset(folder, cache=tmp_path / "cache")
    assert sorted(opened) == ["tiny.inter", "tiny.item", "tiny.query"]
