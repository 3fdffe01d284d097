"""How many workers a machine or a container gets by default."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from benchmark import control_groups
from benchmark.engine import choose
from benchmark.engine.choose import usual_workers

GIB = 2**30
PLENTY = psutil.virtual_memory()._replace(total=1000 * GIB)


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the process be in the control group ``/job/step``, on a machine with 64 cores."""
    monkeypatch.setattr(control_groups, "_PROC", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "_CGROUPS", tmp_path)
    monkeypatch.setattr(choose, "is_installed", lambda: True)
    monkeypatch.setattr(choose, "gpus", lambda: ())
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: PLENTY)
    (tmp_path / "cgroup").write_text("0::/job/step\n")
    return tmp_path


def written(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("own", "parent", "workers"),
    [
        ("250000 100000", "max 100000", 3),
        ("max 100000", "400000 100000", 4),
        ("50000 100000", "400000 100000", 1),
        ("max 100000", "max 100000", 64),
        ("nonsense", "", 64),
    ],
)
def test_a_quota_of_version_2_counts_like_fewer_cores(
    group: Path, own: str, parent: str, workers: int
) -> None:
    written(group / "job" / "step", cpu__max=own)
    written(group / "job", cpu__max=parent)
    assert usual_workers() == workers


@pytest.mark.parametrize("mounted", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_version_1_counts_like_fewer_cores(group: Path, mounted: str) -> None:
    (group / "cgroup").write_text("5:cpu,cpuacct:/job/step\n4:cpuset:/\n0::/\n")
    written(group / mounted / "job" / "step", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000)
    assert usual_workers() == 64
    written(group / mounted / "job", cpu__cfs_quota_us=200000, cpu__cfs_period_us=100000)
    assert usual_workers() == 2


def test_the_least_limit_of_memory_counts(group: Path) -> None:
    written(group / "job" / "step", memory__max=40 * GIB)
    assert usual_workers() == 10
    written(group / "job", memory__max=13 * GIB)
    assert usual_workers() == 3
    written(group / "job", memory__max=GIB)
    assert usual_workers() == 1
