from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from tests.data.file_server import serving
from tests.data.test_audit import with_event, with_set, with_training
from tests.support import write_tiny

from .conftest import Command, assert_refused


def test_prepare_tells_the_digests(command: Command, tiny_folder: Path, tiny: Dataset) -> None:
    done = command("data", "prepare", tiny_folder, "--json")
    assert done.status == 0
    assert done.json == {
        "name": "tiny",
        "digest": tiny.digest,
        "candidates_digest": tiny.candidates_digest,
        "events": len(tiny.log),
    }
    assert tiny.digest in command("data", "prepare", tiny_folder).out


def test_describe_tells_the_counts(command: Command, tiny_folder: Path, tiny: Dataset) -> None:
    done = command("data", "describe", tiny_folder, "--json")
    assert done.status == 0
    assert (done.json["name"], done.json["events"]["all"]) == ("tiny", len(tiny.log))
    table = command("data", "describe", tiny_folder)
    assert table.status == 0
    assert str(len(tiny.log)) in table.out


def test_clean_data_passes_the_audit(command: Command, tiny_folder: Path) -> None:
    done = command("data", "audit", tiny_folder, "--json")
    assert done.status == 0
    assert done.json["problems"] == []
    assert "error" not in done.err
    assert set(done.json["easy"]) == {"rec", "search"}
    table = command("data", "audit", tiny_folder)
    assert table.status == 0
    for line in (
        "ok     no requests have a twin of their target in training",
        "query and item known from training",
        "clean: nothing leaks, nothing is broken",
    ):
        assert line in table.out
    assert {check["verdict"] for check in done.json["checks"]} <= {"ok", "note"}


def test_a_planted_twin_fails_the_audit(
    command: Command, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tiny.evaluation["test", Task.SEARCH]
    user, item, time = asked.requests.user[0], asked.relevant.item[0], asked.requests.time[0]
    log = with_event(tiny.train.log, int(user), int(item), int(time), -1)
    leaking = with_training(tiny, log)
    monkeypatch.setattr("benchmark.data.load.load_dataset", lambda *_, **__: leaking)
    done = command("data", "audit", "tiny", "--json")
    assert done.status == 1
    assert done.json["problems"]
    assert done.err.count("\n") == 1
    assert "twin" in done.err


def test_a_history_with_an_event_of_its_own_time_fails_the_audit(
    command: Command, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tiny.evaluation["test", Task.REC]
    longer = replace(asked.requests, _stop=asked.requests._stop + 1)
    key = ("test", Task.REC)
    leaking = with_set(tiny, key, replace(asked, requests=longer))
    monkeypatch.setattr("benchmark.data.load.load_dataset", lambda *_, **__: leaking)
    done = command("data", "audit", "tiny", "--json")
    assert done.status == 1
    assert any("event of their own time" in line for line in done.json["problems"])


def test_data_are_downloaded_by_prepare_with_consent_and_never_else(
    command: Command, tiny_folder: Path, tiny: Dataset, tmp_path: Path
) -> None:
    files = sorted(path for path in tiny_folder.iterdir() if path.suffix != ".yaml")
    kinds = {path.suffix.removeprefix("."): {"name": path.name} for path in files}
    fields = {"description": "d", "source": "s", "licence": "Ask first.", "citation": "c"}
    with serving() as server:
        server.files |= {path.name: path.read_bytes() for path in files}
        fetch = [{"url": f"{server.url}/{{name}}"}]
        folder = tmp_path / "tiny"
        folder.mkdir()
        card = {"name": "tiny", **fields, "files": kinds, "fetch": fetch, "text": ["genre"]}
        (folder / "card.yaml").write_text(yaml.safe_dump(card))
        for asked in (
            ["data", "prepare", folder],
            ["data", "describe", folder],
            ["data", "audit", folder],
            ["run", "--model", "popularity", "--dataset", folder],
        ):
            done = command(*asked)
            assert_refused(done)
            assert f"data prepare {folder} --accept-licence downloads" in done.err
            assert "under its licence: Ask first" in done.err
        assert server.asked == []
        done = command("data", "prepare", folder, "--accept-licence", "--json")
        assert (done.status, done.json["events"]) == (0, len(tiny.log)), done.err
        assert len(server.asked) == len(files)
        again = command("data", "prepare", folder, "--accept-licence", "--json")
        assert again.json == done.json
        assert len(server.asked) == len(files)


def test_what_was_cleaned_is_told_once_and_by_who_describes(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    folder = write_tiny(tmp_path / "tiny")
    inter = folder / "tiny.inter"
    first, *lines = inter.read_text().splitlines(keepends=True)
    inter.write_text("".join([first, lines[0], *lines]))
    run = ("run", "--model", "popularity", "--dataset", folder, "--fresh")
    told = "events are copies"
    assert sum(told in command(*run).err for _ in range(3)) == 1
    assert told in command("data", "audit", folder).err
    assert told in command("data", "describe", folder).out
