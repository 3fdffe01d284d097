from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from benchmark import control_groups
from benchmark.running.memory import host_room

GIB = 2**30


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the process be in the control group ``/job/step``, on a machine with plenty of memory."""
    monkeypatch.setattr(control_groups, "_PROC", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "_CGROUPS", tmp_path)
    plenty = psutil.virtual_memory()._replace(available=10**15, total=10**15)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: plenty)
    return tmp_path


def written(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n", encoding="utf-8")


def own() -> int:
    return psutil.Process().memory_info().rss


def test_the_limit_of_a_group_of_version_2_counts(group: Path) -> None:
    (group / "cgroup").write_text("0::/job/step\n")
    limits = {"memory__max": 4 * GIB, "memory__current": 3 * GIB}
    written(group / "job" / "step", **limits, memory__stat=f"anon 5\ninactive_file {GIB}")
    room = host_room()
    assert room.total == pytest.approx(2 * GIB + own(), rel=0.05)
    assert "control group" in room.where


def test_the_limit_of_a_parent_counts_and_max_is_none(group: Path) -> None:
    (group / "cgroup").write_text("0::/job/step\n")
    written(group / "job" / "step", memory__max="max", memory__current=GIB)
    written(group / "job", memory__max=3 * GIB, memory__current=2 * GIB)
    assert host_room().total == pytest.approx(GIB + own(), rel=0.05)


def test_the_limit_of_a_group_of_version_1_counts(group: Path) -> None:
    (group / "cgroup").write_text("5:cpu,cpuacct:/job\n4:memory:/job/step\n0::/\n")
    step = {"memory__limit_in_bytes": 2**63 - 4096, "memory__usage_in_bytes": GIB}
    job = {"memory__limit_in_bytes": 6 * GIB, "memory__usage_in_bytes": 3 * GIB}
    written(group / "memory" / "job" / "step", **step)
    written(group / "memory" / "job", **job, memory__stat=f"total_inactive_file {GIB}")
    assert host_room().total == pytest.approx(4 * GIB + own(), rel=0.05)


def test_a_group_whose_path_is_the_hosts_is_looked_for_at_the_root(group: Path) -> None:
    (group / "cgroup").write_text("0::/docker/0123\n")
    written(group, memory__max=2 * GIB, memory__current=GIB)
    assert host_room().total == pytest.approx(GIB + own(), rel=0.05)


@pytest.mark.parametrize("text", [None, "", "0::/gone\n"])
def test_without_a_limit_the_machine_decides(
    group: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        (group / "cgroup").write_text(text)
    little = psutil.virtual_memory()._replace(available=GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    room = host_room()
    assert room.total == pytest.approx(GIB + own(), rel=0.05)
    assert room.where == "this machine"


@pytest.mark.parametrize("variable", ["SEARCH_REC_WORKERS", "LOCAL_WORLD_SIZE"])
def test_processes_that_work_side_by_side_have_a_share_each(
    variable: str, group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (group / "cgroup").write_text("0::/job\n")
    written(group / "job", memory__max=64 * GIB, memory__current=0)
    monkeypatch.setenv(variable, "4")
    room = host_room()
    assert room.total == 16 * GIB
    assert room.where == "each of 4 processes in the container or control group"
    written(group / "job", memory__current=62 * GIB)  # less is free than the share
    assert host_room().total == pytest.approx(2 * GIB + own(), rel=0.05)
