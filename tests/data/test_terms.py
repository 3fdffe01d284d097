from __future__ import annotations

from typing import get_args

from benchmark.data.terms import Task, TaskName


def test_a_task_has_one_name() -> None:
    assert [str(task) for task in Task] == [*get_args(TaskName)]
