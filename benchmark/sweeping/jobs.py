"""The runs of a sweep: wished for before the data are known, and planned once they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import Protocol
from benchmark.data.locate import card_names
from benchmark.data.terms import Seen
from benchmark.data.yaml_text import Lines
from benchmark.errors import BenchmarkError, InputError
from benchmark.failures import blaming
from benchmark.model import Model, SharedStep
from benchmark.plain_text import plain
from benchmark.registry import find
from benchmark.running.device import resolve_device
from benchmark.running.identity import RunIdentity
from benchmark.running.plan import Experiment
from benchmark.running.plan_rules import (
    check_ablations,
    check_protocols,
    check_runnable,
    plan_experiments,
    restricted,
)
from benchmark.running.unread_scripts import unread_scripts
from benchmark.sweeping.sweep_file import Block, SweepFile
from benchmark.tuning.study import tuned

__all__ = ["Job", "Refusal", "Source", "Wish", "jobs_of", "wishes_of"]

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Source:
    """A data set as it is asked for: a card's name or a folder, and what becomes of seen items."""

    dataset: str
    seen: Seen


@dataclass(frozen=True)
class Wish:
    """A model that is to be run on a data set with several seeds.

    Attributes:
        source: the data set.
        experiment: the model with its settings, for all tasks that were asked for.
        block: of the sweep file, for everything else.
    """

    source: Source
    experiment: Experiment
    block: Block

    @property
    def title(self) -> str:
        """The model, the data set and the preset, for a person."""
        return f"{self.experiment.title} on {self.source.dataset}, {self.experiment.preset}"


@dataclass(frozen=True)
class Job:
    """A run that is known by its id.

    Attributes:
        source: how its data set is loaded.
        dataset: the name of that.
        experiment: what is trained.
        seed: of training.
        protocols: to be asked by.
        device: ``cpu`` or ``cuda``.
        run_id: what the run is going to be called.
        steps: what it may share with other runs.
    """

    source: Source
    dataset: str
    experiment: Experiment
    seed: int
    protocols: tuple[Protocol, ...]
    device: str
    run_id: str
    steps: tuple[str, ...]

    @property
    def key(self) -> str:
        """Names the run among all runs, as its folder does."""
        return f"{self.dataset}.{self.experiment.entry.name}.{self.run_id}"

    @property
    def title(self) -> str:
        """What a person calls it."""
        experiment = self.experiment
        return f"{experiment.title} on {self.dataset}, {experiment.preset}, seed {self.seed}"

    def shared_steps(self) -> Iterator[tuple[str, SharedStep]]:
        """Yield the steps that it may share, with their digests."""
        for step in _made(self.experiment).shared_steps(self.experiment.tasks):
            yield step.digest(self.seed, self.device), step


@dataclass(frozen=True)
class Refusal:
    """A wish that cannot be fulfilled on its data, and why, in one line."""

    wish: Wish
    reason: str


def wishes_of(sweep: SweepFile, lines: Lines, place: str) -> list[Wish]:
    """Check models, presets, tasks and settings, and return what is wished for.

    Args:
        sweep: the file.
        lines: of its fields.
        place: how errors call the file.

    Raises:
        InputError: there is no such model, preset or setting, or a model serves none of the tasks;
            the message names the block's line.
    """
    wishes: list[Wish] = []
    for number, block in enumerate(sweep.runs):
        try:
            wishes += _wishes(block)
        except BenchmarkError as error:  # noqa: PERF203
            line = lines.get(("runs", number))
            where = f"{plain(place, 200)}{f':{line}' if line else ''}: runs.{number}"
            raise InputError(f"{where}: {error}") from error
    return wishes


def _wishes(block: Block) -> Iterator[Wish]:
    entries = [find(name) for name in dict.fromkeys(block.models)]
    for preset in dict.fromkeys(block.presets):
        plans = plan_experiments(entries, block.tasks, preset, block.assignments())
        if block.ablations:
            check_ablations(plans, block.assignments())
        for dataset, plan in itertools.product(dict.fromkeys(block.datasets), plans):
            yield Wish(Source(_placed(dataset), block.seen), plan, block)


def _placed(dataset: str) -> str:
    """Return a card's name as it is, and a folder so that it is found from anywhere."""
    folder = Path(dataset)
    with suppress(RuntimeError):  # there is no such user
        folder = folder.expanduser()
    return dataset if dataset in card_names() or not folder.is_dir() else str(folder.absolute())


def jobs_of(
    wishes: Sequence[Wish], data: Dataset, results: Path, gpu: bool | None, tell: Tell
) -> tuple[list[Job], list[Refusal]]:
    """Plan all runs on one data set; what several wishes have in common is one job.

    Args:
        wishes: for this data set.
        data: the data set.
        results: the folder that holds ``tuning/``.
        gpu: whether runs have a GPU; ``None`` looks for one on this machine.
        tell: takes a line that a person should know.
    """
    jobs: dict[str, Job] = {}
    refused: list[Refusal] = []
    for wish in wishes:
        try:
            for job in _jobs(wish, data, results, gpu, tell):
                jobs.setdefault(job.key, job)
        except BenchmarkError as error:  # noqa: PERF203
            refused.append(Refusal(wish, str(error)))
    return list(jobs.values()), refused


def _jobs(wish: Wish, data: Dataset, results: Path, gpu: bool | None, tell: Tell) -> Iterator[Job]:
    block = wish.block
    protocols = block.protocols or data.about.protocols or ("full", "sampled")
    check_protocols(protocols, data)
    plan = restricted(wish.experiment, data)
    if block.tuned:
        plan = tuned(plan, data, results, tell)
    plans = plan.with_ablations() if block.ablations else [plan]
    check_runnable(plans, data, "cpu")
    for line in unread_scripts(plans, data):
        tell(line)
    for each in plans:
        model = _made(each)
        device = resolve_device(block.device, model, gpu)
        with blaming(f"model '{each.title}' cannot tell its shared steps"):
            steps = model.shared_steps(each.tasks)
        any_seed = RunIdentity.of(each, data, protocols, 0, device)
        for seed in dict.fromkeys(block.seeds):
            yield Job(
                wish.source,
                data.name,
                each,
                seed,
                protocols,
                device,
                replace(any_seed, seed=seed).run_id,
                tuple(step.digest(seed, device) for step in steps),
            )


def _made(experiment: Experiment) -> Model:
    with blaming(f"model '{experiment.title}' cannot be made"):
        return experiment.entry.load()(experiment.settings)
