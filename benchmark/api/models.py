"""A model by itself: trained on a data set or loaded from a stored run, then asked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmark.api.datasets import load
from benchmark.api.settings import assignments
from benchmark.data.dataset import Dataset
from benchmark.data.request_by_hand import request_by_ids
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.exchange.export import stored_model
from benchmark.failures import blaming
from benchmark.inspect.ad_hoc_requests import (
    is_text,
    number_of_user,
    request_of_user,
)
from benchmark.model import Model, TrainingContext
from benchmark.registry import find
from benchmark.remarks import remark
from benchmark.results.record import read_run
from benchmark.run_log import RunLog
from benchmark.running.dataset_of import dataset_of
from benchmark.running.device import resolve_device
from benchmark.running.plan_rules import plan_experiments, restricted
from benchmark.subnormals import subnormals_flushed

__all__ = ["UsableModel", "build", "load_model"]

Event = str | tuple[str, str]
"""An item's id, or an item's id and the words by which it was found."""


class UsableModel:
    """A model that is used without an evaluation; :func:`build` and :func:`load_model` make one.

    Attributes:
        name: as the registry has it.
        model: what the harness asks, with the settings and weights.
        tasks: that it is trained for.
        data: what it was trained on; ``None`` before :meth:`fit`.
    """

    def __init__(
        self, name: str, model: Model, tasks: tuple[Task, ...], data: Dataset | None = None
    ) -> None:
        self.name = name
        self.model = model
        self.tasks = tasks
        self.data = data

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self.model.settings)

    def fit(
        self, data: str | Path | Dataset, *, seed: int = 1, device: str = "auto"
    ) -> UsableModel:
        """Train from scratch, and return itself.

        Args:
            data: the data set, or its name or folder. Its test requests are not seen.
            seed: of every random choice.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            InputError: the data have nothing to learn from.
            BenchmarkError: training failed.
        """
        found = data if isinstance(data, Dataset) else load(data)
        (plan,) = plan_experiments([find(self.name)], list(map(str, self.tasks)), "standard", ())
        self.tasks = restricted(plan, found).tasks
        with blaming(f"model '{self.name}'"), subnormals_flushed():
            self.model.check(found.train, self.tasks)
            self.model.fit(
                found.train,
                HarnessValidation(found, self.tasks),
                TrainingContext(
                    self.tasks,
                    seed,
                    resolve_device(device, self.model),
                    RunLog(title=f"{self.name} seed {seed}"),
                ),
            )
        self.data = found
        return self

    def recommend(
        self, user: str | None = None, *, history: Sequence[Event] | None = None, k: int = 10
    ) -> pd.DataFrame:
        """Return the ``k`` items that a user takes next, best first.

        Args:
            user: a user of the data, by the id of its files: behind all that is known before the
                user's test request, or behind everything where there is none.
            history: instead, what somebody took so far, oldest first.
            k: most items; a generative model has no more than its beams.

        Returns:
            A row for each item: ``rank`` (the index, from 1), ``item``, ``title`` and ``score``.

        Raises:
            InputError: neither or both of ``user`` and ``history``, something in them is unknown,
                or the model cannot answer that.
        """
        return self._asked(Task.REC, user, history, None, k)

    def search(
        self,
        query: str,
        user: str | None = None,
        *,
        history: Sequence[Event] | None = None,
        k: int = 10,
    ) -> pd.DataFrame:
        """Return the ``k`` items that somebody searches for, best first; see :meth:`recommend`.

        Args:
            query: the words.
            user: of the data.
            history: instead of a user; empty, and nothing is known of who asks.
            k: most items.
        """
        if not query.strip() or not is_text(query):
            raise InputError("query: it has no words, or is no text")
        nobody: Sequence[Event] | None = () if user is None and history is None else history
        return self._asked(Task.SEARCH, user, nobody, query, k)

    def save(self, folder: str | Path) -> Path:
        """Write settings and weights into a folder, and return it."""
        self.model.save(Path(folder))
        return Path(folder)

    def restore(self, folder: str | Path, data: str | Path | Dataset) -> UsableModel:
        """Take the weights that :meth:`save` wrote, and return itself.

        Args:
            folder: where they lie.
            data: what it was trained on.
        """
        found = data if isinstance(data, Dataset) else load(data)
        with blaming(f"model '{self.name}'"):
            self.model = type(self.model).load(Path(folder))
        self.data = found
        return self

    def __repr__(self) -> str:
        on = "not trained" if self.data is None else f"trained on {self.data.name}"
        return f"<{self.name} for {', '.join(map(str, self.tasks))}, {on}>"

    def _asked(
        self,
        task: Task,
        user: str | None,
        history: Sequence[Event] | None,
        query: str | None,
        k: int,
    ) -> pd.DataFrame:
        if self.data is None:
            raise InputError(f"{self.name} is not trained; call fit")
        if task not in self.tasks:
            raise InputError(f"{self.name} was trained for {', '.join(map(str, self.tasks))} only")
        if (user is None) == (history is None):
            raise InputError("name a user, or give a history; one of the two")
        if k < 1:
            raise InputError(f"k must be at least 1, not {k}")
        if user is not None:
            asked = request_of_user(self.data, number_of_user(self.data, user), task, query)
            assert asked is not None  # a search has words here
            request = asked.request
        else:
            request = self._after(history or (), task, query)
        with blaming(f"model '{self.name}'"), subnormals_flushed():
            answer = self.model.retrieve(request, min(k, len(self.data.items)))
        return self._named(*(part[0].tolist() for part in answer))

    def _after(self, history: Sequence[Event], task: Task, query: str | None) -> Requests:
        """Return the request of somebody who is not in the data."""
        given, data = self.model.given(), self.data
        assert data is not None
        if given is not None and given.users:
            raise InputError(f"{self.name} knows the users of its data only; name one")
        exclude_seen = str(task) in data.about.exclude_seen
        return request_by_ids(history, data.items.ids, task, query, exclude_seen)

    def _named(self, items: list[int], scores: list[float]) -> pd.DataFrame:
        assert self.data is not None
        known, found = self.data.items, [i for i, item in enumerate(items) if item >= 0]
        return pd.DataFrame(
            {
                "item": [known.ids[items[i]] for i in found],
                "title": [known.titles[items[i]] for i in found],
                "score": [scores[i] for i in found],
            },
            index=pd.RangeIndex(1, len(found) + 1, name="rank"),
        )


def build(
    name: str,
    preset: str = "standard",
    *,
    tasks: Sequence[Literal["rec", "search"]] = ("rec", "search"),
    **settings: Any,
) -> UsableModel:
    """Return a model that is not trained yet.

    Args:
        name: of ``models()``.
        preset: ``quick``, ``standard``, ``thorough`` or ``paper``.
        tasks: to train for; it takes those that it serves.
        settings: values by name.

    Raises:
        InputError: there is no such model, preset, task or setting.
    """
    entry = find(name)
    wanted = [str(Task(task)) for task in tasks]
    (plan,) = plan_experiments([entry], wanted, preset, assignments(settings))
    return UsableModel(entry.name, entry.load()(plan.settings), plan.tasks)


def load_model(run: str | Path, dataset: str | Path | None = None) -> UsableModel:
    """Return the model of a stored run.

    Args:
        run: the run's folder.
        dataset: name or folder of its data; where they lay, if not given.

    Raises:
        InputError: there is no such run, it has no weights, or its data are not there.
    """
    record = read_run(Path(run))
    tasks = tuple(Task(task) for task in record.info["tasks"])
    place = None if dataset is None else str(dataset)
    data = dataset_of(record, place, remark)
    return UsableModel(record.info["model"], stored_model(record), tasks, data)
