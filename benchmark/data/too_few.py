"""Why a task has no requests: the rule that left none, with counts before and after, and a mend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.data.dataset import Dataset
from benchmark.data.grouping import group_events
from benchmark.data.requests import Task
from benchmark.data.split import LEAST

__all__ = ["why_none"]


def why_none(dataset: Dataset, tasks: Sequence[Task]) -> str:
    """Return a clause for each of ``tasks``, none of which the data set has test requests for."""
    return "; ".join(f"{task}: {_why(dataset, task)}" for task in tasks)


def _why(dataset: Dataset, task: Task) -> str:
    groups = group_events(dataset.log, task)
    count = len(groups.first)
    if not count:
        return "no event of its kind" + ("" if task is Task.REC else " (no event has a query)")
    of_user = np.diff(np.searchsorted(groups.first, dataset.log.offsets))
    users, most = int((of_user > 0).sum()), int(of_user.max())
    enough = int((of_user >= LEAST).sum())
    told = f"{len(groups.rows)} events of {users} users make {count} requests"
    if dataset.about.split == "official":
        return (
            f"{told}, none of which the files hold out to test, or all repeat their own history or"
            " leave no wrong item; name another split in a card"
        )
    if dataset.about.split != "leave-one-out":
        return (
            f"{told}, none of them late enough to test, or all repeat their own history or leave no"
            " wrong item; name the split leave-one-out in a card, or give later events"
        )
    if not enough:
        return (
            f"{told}, at most {most} a user, where leave-one-out needs {LEAST}, so 0 of {users}"
            " users are left; give more events, or name the split temporal in a card"
        )
    left = f"{told} and {enough} users have the {LEAST} that leave-one-out needs, but"
    if str(task) not in dataset.about.exclude_seen:
        return f"{left} every item answers what they ask; give more items"
    return (
        f"{left} what they ask for repeats their own history or leaves no wrong item; run with"
        " --seen keep"
    )
