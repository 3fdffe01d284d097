from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmark import folders
from benchmark.errors import BenchmarkError, InputError
from benchmark.files import writing
from benchmark.folders import discard, in_place, put, read_steadily, standing, workplace
from benchmark.locks import locked
from benchmark.unfinished import is_live, place_of, sweep, unfinished_of


@pytest.fixture
def in_steps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    return bool(request.param)


def fill(folder: Path, text: str) -> None:
    for name in "ab":
        (folder / name).write_text(text)


def replaced(folder: Path, text: str) -> None:
    with workplace(folder) as unfinished:
        fill(unfinished, text)
        with locked(folder.parent):
            put(unfinished, folder)


@pytest.mark.parametrize("in_steps", [False, True], indirect=True)
def test_a_folder_is_put_in_the_place_of_another(tmp_path: Path, in_steps: bool) -> None:
    folder = tmp_path / "all" / "folder"
    for text in ("old", "new", "newest"):
        replaced(folder, text)
        assert (folder / "a").read_text() == text
    assert [each.name for each in folder.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("in_steps", [False, True], indirect=True)
def test_whoever_reads_a_folder_while_it_is_replaced_reads_one_of_the_two(
    tmp_path: Path, in_steps: bool
) -> None:
    folder = tmp_path / "all" / "folder"
    replaced(folder, "0")
    ended = threading.Event()

    def write() -> None:
        for number in range(1, 40):
            replaced(folder, str(number))
        ended.set()

    def read(place: Path) -> int:
        try:
            first, second = ((place / name).read_text() for name in "ab")
        except OSError as error:
            raise BenchmarkError("damaged") from error
        if first != second:
            raise BenchmarkError("of two")
        return int(first)

    writer = threading.Thread(target=write)
    writer.start()
    last = 0
    while not ended.is_set():
        found = read_steadily(folder, read)
        assert found >= last
        last = found
    writer.join()
    assert read_steadily(folder, read) == 39


def test_a_folder_that_a_killed_process_set_aside_is_read_and_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    folder = tmp_path / "all" / "folder"
    replaced(folder, "old")
    aside = folder.with_name(".folder.older")
    folder.rename(aside)
    assert standing(folder) == aside and in_place(aside) == folder
    assert read_steadily(folder, lambda place: (place / "a").read_text()) == "old"
    replaced(folder, "new")
    assert (folder / "a").read_text() == "new"
    aside.mkdir()
    replaced(folder, "newest")
    assert [each.name for each in folder.parent.iterdir()] == ["folder"]


def test_a_link_is_not_replaced_and_what_it_leads_to_is_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    fill(precious, "old")
    (tmp_path / "all").mkdir()
    link = tmp_path / "all" / "folder"
    link.symlink_to(precious)
    with pytest.raises(OSError, match="Not a directory"):
        replaced(link, "new")
    discard(link)
    assert not link.is_symlink()
    assert (precious / "a").read_text() == "old"
    discard(link)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be removed"):
        discard(tmp_path / "file" / "x")


LEAVE = """
import os, sys
from pathlib import Path
from benchmark.unfinished import unfinished_of
place = unfinished_of(Path(sys.argv[1]))
place.mkdir()
(place / "weights").write_text("half")
print(place, flush=True)
sys.stdin.read()
"""


def test_what_a_dead_process_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    place = tmp_path / "run.1"
    other = subprocess.Popen(
        [sys.executable, "-c", LEAVE, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    left = Path(other.stdout.readline().strip())
    own = unfinished_of(place)
    own.write_text("")
    sweep(place)
    assert left.is_dir() and own.exists() and is_live(left)
    other.communicate("")
    assert not is_live(left)
    sweep(tmp_path / "run")
    assert left.is_dir()
    with writing(place) as unfinished:
        unfinished.write_text("")
    assert sorted(tmp_path.iterdir()) == sorted([own, place])


def test_what_an_unknown_process_left_lives_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / f".run.00000000-{os.getpid()}-00000000.unfinished"
    older = tmp_path / ".run.abc.unfinished"
    for file in (elsewhere, older):
        file.write_text("")
        assert is_live(file)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 90_000)
    assert not is_live(elsewhere) and not is_live(older)


def test_a_number_that_another_process_took_over_is_no_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    file = unfinished_of(tmp_path / "run")
    file.write_text("")
    assert is_live(file)
    began = time.time() + 7200
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: began)
    assert not is_live(file)


@pytest.mark.parametrize("name", ["x", "数" * 80, "a" * 250, ".hidden", "a\nb"])
def test_any_name_has_an_unfinished_one(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    told = place_of(unfinished_of(file))
    assert told and name.startswith(told)
    with writing(file) as unfinished:
        unfinished.write_text("new")
    assert file.read_text() == "new"
