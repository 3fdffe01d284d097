"""Every malformed input of the contract, through the command that a user types."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.data.load import load_dataset
from benchmark.results.record import RunRecord, read_run
from tests.data.sources.test_atomic import MALFORMED

from .conftest import Command, assert_refused


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _run(command: Command, folder: Path):
    return command("run", "--model", "popularity", "--dataset", folder, "--results", "r")


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_refused_in_one_line(
    command: Command, tmp_path: Path, own_cache: Path, case: str
) -> None:
    files, message = MALFORMED[case]
    folder = tmp_path / "ml"
    folder.mkdir()
    for kind, content in files.items():
        (folder / f"ml.{kind}").write_bytes(content)
    done = _run(command, folder)
    assert_refused(done)
    assert re.search(message, done.err)
    assert len(done.err) < 400 + len(str(tmp_path))
    assert not (tmp_path / "r").exists()
    assert not own_cache.exists()


@pytest.mark.parametrize("name", ["tiny.inter", "tiny.query"])
def test_a_missing_file_is_named(
    command: Command, tiny_folder: Path, tmp_path: Path, name: str
) -> None:
    folder = _changed(tiny_folder, tmp_path, lambda text: text)
    (folder / name).unlink()
    done = _run(command, folder)
    assert_refused(done)
    assert f".{name.partition('.')[2]}" in done.err
    assert not (tmp_path / "r").exists()


def test_a_file_in_place_of_the_folder_is_refused(command: Command, tiny_folder: Path) -> None:
    done = _run(command, tiny_folder / "tiny.inter")
    assert_refused(done)
    assert "is a file" in done.err


def _changed(source: Path, place: Path, change: Callable[[str], str]) -> Path:
    folder = place / "copy" / source.name
    folder.mkdir(parents=True)
    for file in source.iterdir():
        text = change(file.read_text(encoding="utf-8"))
        (folder / file.name).write_text(text, encoding="utf-8", newline="")
    return folder


def _recorded(command: Command, folder: Path, results: str) -> RunRecord:
    done = command("run", "--model", "popularity", "--dataset", folder, "--results", results)
    assert done.status == 0, done.err
    (file,) = Path(results).rglob("run.json")
    return read_run(file.parent)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: re.sub(r"\bi(\d+)\b", r"i \1/../..", text),
        lambda text: re.sub(r"\bu(\d+)\b", r" .. \1", text),
    ],
    ids=["BOM", "CRLF", "no last line end", "odd item ids", "odd user ids"],
)
def test_what_is_only_written_differently_gives_the_same_results(
    command: Command, tiny_folder: Path, tmp_path: Path, change: Callable[[str], str]
) -> None:
    plain = _recorded(command, tiny_folder, "plain")
    other = _recorded(command, _changed(tiny_folder, tmp_path, change), "other")
    name = "requests.parquet"
    assert (other.folder / name).read_bytes() == (plain.folder / name).read_bytes()


def test_a_user_with_one_event_is_never_asked(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    plain = _recorded(command, tiny_folder, "plain").requests()
    folder = _changed(tiny_folder, tmp_path, lambda text: text)
    with (folder / "tiny.inter").open("a", encoding="utf-8") as file:
        file.write("z once\ti3\t1000\t\n")
    other = _recorded(command, folder, "other").requests()
    assert load_dataset(folder).log.users == load_dataset(tiny_folder).log.users + 1
    assert set(other["user"]) == set(plain["user"])


def test_an_item_never_seen_is_a_candidate(
    command: Command, tiny_folder: Path, tmp_path: Path
) -> None:
    plain = _recorded(command, tiny_folder, "plain").requests()
    folder = _changed(tiny_folder, tmp_path, lambda text: text)
    with (folder / "tiny.item").open("a", encoding="utf-8") as file:
        file.write("unseen\ta title\tdrama\n")
    other = _recorded(command, folder, "other").requests()
    full = plain["protocol"] == "full"
    assert (other["candidates"][full] == plain["candidates"][full] + 1).all()
