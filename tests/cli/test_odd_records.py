"""Records of somebody else: whatever they say, commands end well and name them."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmark.results.scan import scan_runs
from tests.results.fuzz_run_info import (
    ODD,
    Place,
    is_readable,
    made_odd,
    mutations,
    places,
    readers_of,
    tried,
)
from tests.results.signing import change_info
from tests.support import write_tiny

from .conftest import Command, assert_refused

FREE = {
    *("version", "facts", "curve", "settings", "repeated", "phases"),
    *("peak_memory_mib", "parameters", "negatives", "place", "uses_seed"),
}
"""Fields that may hold other values of the same type: nothing else in a record contradicts them."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        return places(tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("kind", ["trained", "imported"])
def test_every_field_made_odd_leaves_out_that_run_only(made: dict[str, Place], kind: str) -> None:
    at = made[kind]
    good = {run.folder for run in scan_runs(at.results, pytest.fail)} - {at.odd}
    for file, field, odd in mutations(at.odd):
        if field.count("\t"):
            continue
        with made_odd(at.odd, file, field, odd):
            told: list[str] = []
            found = {run.folder for run in scan_runs(at.results, told.append)}
            if found == {*good, at.odd}:
                assert is_readable(at) and not told
                assert field in FREE or odd in ("null", "zero", "missing"), (field, odd)
            else:
                assert found == good, (file, field, odd)
                assert len(told) == 1 and str(at.odd) in told[0], (file, field, odd)


@pytest.mark.parametrize("kind", ["trained", "imported"])
def test_every_command_copes_with_an_odd_record(made: dict[str, Place], kind: str) -> None:
    """A sample; the module of the readers tries everything."""
    at, ended = made[kind], Counter[str]()
    for mutation in random.Random(kind).sample(list(mutations(at.odd)), 3):
        ended += tried(at, mutation, readers_of(kind))
    assert not [how for how in ended if how.startswith("FAULT")]
    assert ended["exit 2, named"] and ended["exit 0 without it, named"]


def test_every_kind_of_value_is_tried(made: dict[str, Place]) -> None:
    seeds = [odd for file, field, odd in mutations(made["trained"].odd) if field == "seed"]
    assert seeds == list(ODD)


def test_a_record_never_says_where_a_card_lies(
    made: dict[str, Place], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a path, nor a folder that happens to be there and has the name."""
    at = made["trained"]
    (at.odd / "card.yaml").write_text("name: x\nlocation: {package: antigravity}\n")
    info = json.loads((at.odd / "run.json").read_text(encoding="utf-8"))
    for name in (str(at.odd), f"./{at.odd}", "../../..", "."):
        with made_odd(at.odd, "run.json", "dataset", "null"):
            change_info(at.odd, dataset=name)
            for arguments in (("predict", at.odd, "--user", 1), ("compare", at.good, at.odd)):
                done = command(*arguments)
                assert_refused(done)
                assert str(at.odd) in done.err and "dataset: is no name" in done.err
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path / info["dataset"], seed=3)
    (tmp_path / info["dataset"] / "card.yaml").write_text("not: a card\n")
    done = command("predict", at.odd, "--user", 1)
    assert "card.yaml" not in done.err
