"""Runs: made or read, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import pandas as pd

from benchmark.analysis.scores import metric_values
from benchmark.api.boards import Boards
from benchmark.api.datasets import load
from benchmark.api.failure import Failure
from benchmark.api.making import How, check_seeds, default_protocols, make_runs, planned_on
from benchmark.api.named import matching, names_of
from benchmark.api.settings import Settings, assignments
from benchmark.data.dataset import Dataset, Protocol
from benchmark.data.terms import Seen, Task
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.metrics import parse
from benchmark.registry import find
from benchmark.remarks import remark
from benchmark.results.record import RunRecord, read_run
from benchmark.results.scan import scan_runs
from benchmark.results.stored_files import INFO_FILE
from benchmark.running.plan_rules import check_ablations, check_protocols, plan_experiments
from benchmark.tracking import find_trackers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Runs", "read", "run"]


class Runs(Sequence[RunRecord]):
    """Run records; the same requests were asked of all of those on the same data.

    Attributes:
        failures: what was to be run and came to nothing.
    """

    def __init__(self, records: Iterable[RunRecord], failures: Iterable[Failure] = ()) -> None:
        self._records = tuple(records)
        self.failures = tuple(failures)

    @overload
    def __getitem__(self, place: int) -> RunRecord: ...
    @overload
    def __getitem__(self, place: slice | str) -> Runs: ...
    def __getitem__(self, place: int | slice | str) -> RunRecord | Runs:
        """Return the run at a place, the runs of a part, or those of a model by its name.

        Raises:
            InputError: no run is of that model.
        """
        if isinstance(place, str):
            return Runs(matching(self, "model", place))
        found = self._records[place]
        return found if isinstance(found, RunRecord) else Runs(found)

    def __len__(self) -> int:
        return len(self._records)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each run, task and protocol.

        The columns are ``dataset``, ``model``, ``preset``, ``seed``, ``task``, ``protocol``, what
        ``run.json`` tells of them (``ndcg@10``, …, ``requests``, ``seconds_per_request``),
        ``training_seconds``, ``parameters`` and ``run``, the folder.
        """
        return pd.DataFrame(
            [
                {name: record.info[name] for name in ("dataset", "model", "preset", "seed")}
                | {"task": task, "protocol": protocol, **means, **_costs(record)}
                for record in self
                for task, protocols in record.info["metrics"].items()
                for protocol, means in protocols.items()
            ]
        )

    def requests(self, *metrics: str) -> pd.DataFrame:
        """Return a row for each run, task, protocol and request, with the value of each metric.

        Args:
            metrics: their names; ``ndcg@10`` if none is given.

        Raises:
            InputError: a name that no metric has.
        """
        names = [parse(name).name for name in metrics or ("ndcg@10",)]
        parts = []
        for record in self:
            table = record.requests()
            for (task, protocol), rows in table.groupby(["task", "protocol"], observed=True):
                values = metric_values(rows, *names)
                part = rows.drop_duplicates("request")[["request", "user", "query"]]
                part = part.assign(**{name: values[name] for name in names})
                part.insert(0, "protocol", protocol)
                part.insert(0, "task", task)
                for name in ("seed", "model", "dataset"):
                    part.insert(0, name, record.info[name])
                parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def leaderboard(self) -> Boards:
        """Return the tables of these runs, with tests of all pairs."""
        return Boards.of(self)

    def plot(self) -> Figure:
        """Return a figure of means, intervals and possible ranks."""
        return self.leaderboard().plot()

    def _repr_html_(self) -> str:
        return self.leaderboard()._repr_html_()

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<{len(self)} runs of {', '.join(names_of(self, 'model')) or 'no model'}{failed}>"


def run(
    models: str | Sequence[str],
    dataset: str | Path | Dataset = "ml-100k",
    *,
    tasks: Sequence[Literal["rec", "search"]] = ("rec", "search"),
    protocols: Sequence[Protocol] | None = None,
    seeds: int | Sequence[int] = 1,
    preset: str = "standard",
    settings: Settings | None = None,
    device: str = "auto",
    seen: Seen = "exclude",
    tuned: bool = False,
    ablations: bool = False,
    results: str | Path = "results",
    fresh: bool = False,
    track: Sequence[str] = (),
) -> Runs:
    """Train, evaluate and record models; a run that is stored already is only read.

    Args:
        models: names, of ``models()``.
        dataset: a card's name, a folder, or what ``load`` or ``Dataset.from_frames`` returned.
        tasks: to train for and to ask; each model takes those that it serves.
        protocols: ``full``, ``sampled``, ``given``; what the card names if not given, or the first
            two.
        seeds: of training; a number means so many, 1, 2, ….
        preset: ``quick``, ``standard``, ``thorough`` or ``paper``.
        settings: values by name for all models that have such a setting, or by the name of a model
            a dictionary of its own.
        device: ``auto``, ``cpu`` or ``cuda``.
        seen: whether items of the history are ranked for recommendation; as ``dataset`` was loaded
            where it is a :class:`Dataset`.
        tuned: take the settings that a search found.
        ablations: run the models without each of their parts too.
        results: folder of the run records.
        fresh: run even what is stored.
        track: experiment trackers that are told of what is trained, such as ``tensorboard``.

    Raises:
        InputError: something that was asked for does not exist or does not fit.
        BenchmarkError: every single run failed.
    """
    names = [models] if isinstance(models, str) else list(models)
    if not names:
        raise InputError("name at least one model")
    numbers = check_seeds(range(1, seeds + 1) if isinstance(seeds, int) else seeds)
    if not numbers:
        raise InputError(f"seeds {seeds}: name at least one")
    said = assignments(settings or {})
    wanted = [str(Task(task)) for task in tasks]
    plans = plan_experiments([find(name) for name in names], wanted, preset, said)
    if ablations:
        check_ablations(plans, said)
    folder = Path(results)
    data = dataset if isinstance(dataset, Dataset) else load(dataset, seen=seen)
    plans = planned_on(plans, data, device, remark, folder if tuned else None, ablations)
    asked = tuple(protocols) if protocols is not None else default_protocols(data)
    check_protocols(asked, data)
    how = How(asked, device, folder, fresh, ablations, find_trackers(track))
    errors: list[BenchmarkError] = []

    def failed(error: BenchmarkError) -> None:
        remark(f"error: {error}")
        errors.append(error)

    done = make_runs(plans, numbers, data, how, tell=remark, failed=failed)
    failures = [each for each in done if isinstance(each, Failure)]
    if errors and len(failures) == len(done):
        raise errors[0]
    return Runs((each.record for each in done if not isinstance(each, Failure)), failures)


def read(
    results: str | Path = "results",
    *,
    dataset: str | None = None,
    model: str | None = None,
    preset: str | None = None,
) -> Runs:
    """Return the runs that are stored in a folder; what is damaged is told of and left out.

    Args:
        results: the folder that holds ``runs/``, or one run's own.
        dataset: only runs on this data set.
        model: only runs of this model.
        preset: only runs of this preset.

    Raises:
        InputError: there is no such folder, or no such run in it.
    """
    folder = Path(results)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    alone = (folder / INFO_FILE).is_file()
    records: Iterable[RunRecord] = (
        (read_run(folder),) if alone else tuple(scan_runs(folder, remark))
    )
    for name, value in (("dataset", dataset), ("model", model), ("preset", preset)):
        if value is not None:
            records = matching(records, name, value)
    return Runs(records)


def _costs(record: RunRecord) -> dict[str, Any]:
    spent = [p["seconds"] for p in record.info["phases"] if p["name"] == "fit"]
    return {
        "training_seconds": spent[0] if spent else None,
        "parameters": record.info["parameters"],
        "run": str(record.folder),
    }
