from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.diagnostic import Constant
from benchmark.errors import BenchmarkError, InputError
from benchmark.results import record as module
from benchmark.results.record import read_run
from benchmark.results.scan import scan_runs
from benchmark.results.shared import is_shared_name
from tests.results.records import record, tables, written

REC = ("rec", "full")
ASKED = {REC: [3, 0, 40]}

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@settings(max_examples=25, deadline=None)
@given(
    facts=st.dictionaries(st.text(), _JSON, max_size=4),
    ranks=st.lists(st.integers(0, 99), min_size=1, max_size=5),
)
def test_a_record_round_trips(
    tmp_path_factory: pytest.TempPathFactory, facts: dict[str, Any], ranks: list[int]
) -> None:
    place = tmp_path_factory.mktemp("runs")
    written = record(place, "m", {REC: ranks}, facts=facts)
    folder = written.folder
    read = read_run(folder)
    assert read == written
    assert read.info["facts"] == facts
    assert read.requests()["greater"].tolist() == ranks
    names = ["run.json", "requests.parquet", "checksums.json", "config.json", "model.safetensors"]
    assert _files(folder) == sorted(names)
    assert len(_files(place)) == len(names) + 1  # the table that runs share


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def _alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES: list[Callable[[Path], None]] = [
    Path.unlink,
    _truncate,
    _alter,
    lambda file: file.write_bytes(b""),
]


@pytest.mark.parametrize("name", ["run.json", "requests.parquet", "checksums.json"])
@pytest.mark.parametrize("damage", DAMAGES, ids=["removed", "truncated", "altered", "emptied"])
def test_a_damaged_run_is_reported_and_left_out(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    good = record(tmp_path, "good", ASKED)
    bad = record(tmp_path, "bad", ASKED)
    damage(bad.folder / name)
    reports: list[str] = []
    assert list(scan_runs(tmp_path, reports.append)) == [good]
    assert len(reports) == 1
    assert str(bad.folder) in reports[0]
    with pytest.raises(BenchmarkError, match="damaged"):
        read_run(bad.folder)


@settings(max_examples=30, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255), data=st.data())
def test_no_changed_byte_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, place: float, change: int, data: st.DataObject
) -> None:
    good = record(tmp_path_factory.mktemp("results"), "m", ASKED)
    (shared,) = good.folder.parent.parent.glob("requests-*.parquet")
    own = [good.folder / name for name in ("run.json", "requests.parquet")]
    file = data.draw(st.sampled_from([*own, shared]))
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= change
    file.write_bytes(content)
    with pytest.raises(BenchmarkError, match=f"{file.name} differs from its checksum"):
        read_run(good.folder)


def _sign(folder: Path) -> None:
    """Make the checksums right again."""
    sums = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
    own = [name for name in sums if (folder / name).exists()]
    sums.update({name: module.checksum_of(folder / name) for name in own})
    (folder / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")


@pytest.mark.parametrize("text", ['{"schema": 3}', '{"schema": 1}', "{}", "[]", "7", "nonsense"])
def test_a_record_of_another_version_is_left_out(tmp_path: Path, text: str) -> None:
    other = record(tmp_path, "m", ASKED)
    (other.folder / "run.json").write_text(text, encoding="utf-8")
    _sign(other.folder)
    reports: list[str] = []
    assert list(scan_runs(tmp_path, reports.append)) == []
    assert len(reports) == 1


def test_a_record_of_old_rules_says_what_to_do(tmp_path: Path) -> None:
    old = record(tmp_path, "m", ASKED)
    (old.folder / "run.json").write_text('{"schema": 1, "changed": {}}', encoding="utf-8")
    sums = {file.name: module.checksum_of(file) for file in old.folder.iterdir()}
    del sums["checksums.json"]
    (old.folder / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")
    with pytest.raises(BenchmarkError) as caught:
        read_run(old.folder)
    assert str(caught.value) == (
        f"{old.folder}: made under schema 1 by rules that changed; run it again"
    )


def test_a_checksum_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    good = record(tmp_path, "m", ASKED)
    outside = good.folder.parent / "outside"
    outside.write_text("x", encoding="utf-8")
    sums = json.loads((good.folder / "checksums.json").read_text(encoding="utf-8"))
    sums["../outside"] = module.checksum_of(outside)
    (good.folder / "checksums.json").write_text(json.dumps(sums), encoding="utf-8")
    with pytest.raises(BenchmarkError, match="damaged"):
        read_run(good.folder)


class _Failing(Constant):
    def save(self, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt


def _fail(*arguments: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("where", ["to_bytes", "save", "checksum_of", "_place", "put", "rename"])
def test_an_interrupted_write_leaves_nothing_or_the_older_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, older: bool
) -> None:
    before = record(tmp_path, "m", ASKED) if older else None
    folder = (before or record(tmp_path / "elsewhere", "m", ASKED)).folder
    folder = tmp_path / Path(*folder.parts[-4:])
    kept = _files(tmp_path)
    with monkeypatch.context() as patch:
        if where == "rename":
            rename = Path.rename
            patch.setattr(
                Path,
                "rename",
                lambda self, to: _fail() if to == folder else rename(self, to),
            )
        elif where != "save":
            patch.setattr(module, where, _fail)
        model = _Failing() if where == "save" else Constant()
        with pytest.raises(KeyboardInterrupt):
            written(tmp_path, "m", tables({REC: [1]}), model)
    left = set(_files(tmp_path)) - set(kept)
    assert all(is_shared_name(Path(name).name) for name in left)
    assert len(left) <= (where in ("put", "rename"))
    assert folder.exists() == older
    if before:
        assert read_run(folder) == before


def test_a_newer_run_takes_the_place_of_the_older(tmp_path: Path) -> None:
    before = record(tmp_path, "m", ASKED)
    after = record(tmp_path, "m", {REC: [1]})
    assert read_run(before.folder).info == after.info != before.info
    assert len(list(before.folder.parent.iterdir())) == 1
    assert after.requests()["greater"].tolist() == [1]


def test_a_place_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        record(tmp_path / "file", "m", ASKED)


def test_unfinished_runs_and_stray_files_are_no_runs(tmp_path: Path) -> None:
    good = record(tmp_path, "m", ASKED)
    (good.folder.parent / ".unfinished").mkdir()
    (good.folder.parent / ".unfinished" / "run.json").write_text("{", encoding="utf-8")
    (good.folder.parent / "notes.txt").write_text("", encoding="utf-8")
    reports: list[str] = []
    assert list(scan_runs(tmp_path, reports.append)) == [good]
    assert reports == []


def test_no_runs_are_no_error(tmp_path: Path) -> None:
    assert list(scan_runs(tmp_path, _fail)) == []
