"""A sweep at work: data are prepared, shared steps made, then the runs that need them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

from benchmark.data.dataset import Dataset
from benchmark.data.load import is_prepared, load_dataset
from benchmark.engine.engine import Engine
from benchmark.engine.work import Outcome, Work
from benchmark.errors import BenchmarkError
from benchmark.failures import owning
from benchmark.folders import discard, prune
from benchmark.locks import lock_file, locked
from benchmark.results.record import read_run, run_folder
from benchmark.results.shared import SharedTables
from benchmark.running.identity import code_digest
from benchmark.shared_steps import StepCount, counts_in, is_made
from benchmark.sweeping.jobs import Job, Refusal, Source, Wish, jobs_of
from benchmark.sweeping.works import make_run, make_step, prepare, sees_gpu

__all__ = ["Line", "OnData", "Sweep", "folder_of", "on_data"]

State = Literal["stored", "done", "failed"]
_ASK_GPU = "a look for a GPU"


@dataclass(frozen=True)
class Line:
    """A run of a sweep, or something that runs stand on, and what came of it.

    Attributes:
        kind: ``run``, or ``data`` or ``step`` for what runs stand on.
        title: what a person calls it.
        state: ``stored`` before the sweep came to it, ``done`` or ``failed``.
        job: the run; ``None`` for anything else, and where the data cannot tell.
        seconds: that it took.
        attempts: how often it was begun.
        record: the run's folder.
        failure: in one line.
        log: what was said meanwhile.
    """

    kind: Literal["run", "data", "step"]
    title: str
    state: State
    job: Job | None = None
    seconds: float = 0.0
    attempts: int = 0
    record: Path | None = None
    failure: str | None = None
    log: Path | None = None


@dataclass(frozen=True)
class OnData:
    """The runs of a sweep on one data set.

    Attributes:
        dataset: the name of the data set.
        stored: those that are there, with their folders.
        missing: the others.
        refused: what cannot be run on these data.
        steps: the digests of the steps that several missing runs share, each with its name and
            these runs.
        common: the folder of shared steps.
    """

    dataset: str
    stored: list[tuple[Job, Path]]
    missing: list[Job]
    refused: list[Refusal]
    steps: dict[str, tuple[str, list[Job]]]
    common: Path

    def unmade(self) -> dict[str, tuple[str, list[Job]]]:
        """Return the steps that do not stand ready."""
        return {d: told for d, told in self.steps.items() if not is_made(self.common, d)}


def folder_of(results: Path, name: str) -> Path:
    """Return where the logs of a sweep lie."""
    return results / "sweeps" / name


def on_data(
    name: str,
    source: Source,
    wishes: Sequence[Wish],
    results: Path,
    gpu: bool | None,
    tell: Callable[[str], object],
) -> OnData:
    """Plan the runs on one data set, which is loaded for that and not kept.

    Args:
        name: of the sweep.
        source: the data set.
        wishes: of the sweep, for this data set.
        results: the folder of records.
        gpu: see :func:`jobs_of`.
        tell: takes a line that a person should know.

    Raises:
        BenchmarkError: the data set cannot be loaded.
    """
    data = load_dataset(source.dataset, seen=source.seen, notify=tell, remind=False)
    jobs, refused = jobs_of(wishes, data, results, gpu, tell)
    stored: list[tuple[Job, Path]] = []
    missing: list[Job] = []
    shared = SharedTables()
    for job in jobs:
        folder = run_folder(results, job.dataset, job.experiment.entry.name, job.run_id)
        if _is_stored(folder, shared, tell):
            stored.append((job, folder))
        else:
            missing.append(job)
    users: dict[str, list[Job]] = defaultdict(list)
    for job in missing:
        for digest in dict.fromkeys(job.steps):
            users[digest].append(job)
    steps = {
        digest: (dict(some[0].shared_steps())[digest].name, some)
        for digest, some in users.items()
        if len(some) > 1
    }
    common = _common(name, jobs, data, results)
    return OnData(data.name, stored, missing, refused, steps, common)


def _is_stored(folder: Path, shared: SharedTables, tell: Callable[[str], object]) -> bool:
    if not folder.exists():
        return False
    try:
        read_run(folder, shared)
    except BenchmarkError as error:
        tell(f"{error}; it is run again")
        return False
    return True


def _common(name: str, jobs: Sequence[Job], data: Dataset, results: Path) -> Path:
    """Return where runs of a sweep on one data set keep what they share."""
    entries = {job.experiment.entry.name: job.experiment.entry for job in jobs}
    codes = {model: code_digest(entry) for model, entry in sorted(entries.items())}
    told = json.dumps([name, data.digest, data.candidates_digest, codes])
    return results / "checkpoints" / f"common-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


@dataclass
class _Group:
    """The wishes for one data set, and what is left of them to be done."""

    source: Source
    wishes: list[Wish]
    plan: OnData | None = None
    open: set[str] = field(default_factory=set)
    failed: bool = False


class Sweep:
    """Carries out the wishes of a sweep; ``with`` it, as it holds locks.

    Args:
        name: of the sweep.
        wishes: what is to be run.
        engine: who does it.
        results: the folder of records.
        ask_gpu: whether the workers have to be asked if they have a GPU.
        tell: takes a line that a person should know.
    """

    def __init__(
        self,
        name: str,
        wishes: Sequence[Wish],
        engine: Engine,
        results: Path,
        ask_gpu: bool,
        tell: Callable[[str], object],
    ) -> None:
        self._name, self._engine, self._results = name, engine, results.absolute()
        self._ask_gpu, self._tell = ask_gpu, tell
        self._gpu: bool | None = None
        self._held = ExitStack()
        sources = dict.fromkeys(wish.source for wish in wishes)
        self._groups = [_Group(s, [w for w in wishes if w.source == s]) for s in sources]
        self._of_work: dict[str, tuple[_Group, Job | str]] = {}
        self._submitted: set[str] = set()
        self._step_works: dict[tuple[Path, str], str] = {}
        self.shared: list[tuple[str, StepCount]] = []
        """How often the steps of each data set were made and used; of those that are over."""

    def __enter__(self) -> Sweep:
        self._held.enter_context(locked(folder_of(self._results, self._name), wait=2))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def lines(self) -> Iterator[Line]:
        """Do everything, and yield a line for each run and each thing that runs stand on.

        Raises:
            BenchmarkError: nobody can say whether there is a GPU, so that nothing can be planned.
        """
        if self._ask_gpu:
            self._engine.submit(Work(_ASK_GPU, sees_gpu))
        else:
            yield from self._begin()
        for outcome in self._engine.finished():
            if outcome.key == _ASK_GPU:
                if outcome.failure is not None:
                    raise BenchmarkError(f"{_ASK_GPU} failed: {outcome.failure}{_see(outcome.log)}")
                self._gpu = bool(outcome.value)
                yield from self._begin()
            else:
                yield from self._ended(outcome)
        failed = [g.plan for g in self._groups if g.plan is not None and g.failed]
        for plan in {plan.common: plan for plan in failed}.values():
            self._count(plan)  # they are kept, for when it is tried again

    def _begin(self) -> Iterator[Line]:
        """Let data be prepared where they are not, and plan on all others."""
        ready: list[_Group] = []
        first: dict[str, str] = {}
        for group in self._groups:
            dataset = group.source.dataset
            try:
                prepared = is_prepared(dataset)
            except BenchmarkError as error:
                yield from self._lost(group, str(error))
                continue
            if prepared:
                ready.append(group)
                continue
            name = f"data.{Path(dataset).name}"
            key = f"{name}.{_short(dataset, group.source.seen)}"
            # The same files under another rule for seen items are prepared already by then.
            after = (first[dataset],) if dataset in first else ()
            first.setdefault(dataset, key)
            self._of_work[key] = group, f"data of {dataset}"
            self._engine.submit(Work(key, prepare, (group.source,), after))
        for group in ready:
            yield from self._plan(group)

    def _ended(self, outcome: Outcome) -> Iterator[Line]:
        group, what = self._of_work.pop(outcome.key)
        state: State = "done" if outcome.failure is None else "failed"
        line = Line(
            "data" if group.plan is None else "step",
            what.title if isinstance(what, Job) else what,
            state,
            seconds=outcome.seconds,
            attempts=outcome.attempts,
            failure=outcome.failure,
            log=outcome.log,
        )
        if isinstance(what, Job):
            folder, reused = outcome.value or (None, False)
            record = None if folder is None else Path(folder)
            state = "stored" if reused else state
            line = replace(line, kind="run", state=state, job=what, record=record)
        yield line
        if group.plan is None:
            if outcome.failure is None:
                yield from self._plan(group)
            else:
                yield from self._lost(group, "not run, as its data could not be prepared")
            return
        group.failed |= outcome.failure is not None
        group.open.discard(outcome.key)
        self._finish(group)

    def _plan(self, group: _Group) -> Iterator[Line]:
        """Submit all that is to be done on a data set."""
        try:
            with owning():
                plan = on_data(
                    self._name,
                    group.source,
                    group.wishes,
                    self._results,
                    self._gpu,
                    self._tell,
                )
        except BenchmarkError as error:
            yield from self._lost(group, str(error))
            return
        plan.missing[:] = [job for job in plan.missing if job.key not in self._submitted]
        self._submitted |= {job.key for job in plan.missing}
        for job, folder in plan.stored:
            yield Line("run", job.title, "stored", job, record=folder)
        for each in plan.refused:
            yield Line("run", each.wish.title, "failed", failure=each.reason)
        group.plan = plan
        group.failed = bool(plan.refused)
        if plan.missing or _is_left(plan.common):
            self._held.callback(prune, plan.common.parent, self._results)  # behind the lock
            self._held.enter_context(locked(plan.common, wait=2))
            self._submit(group, plan)
        self._finish(group)

    def _submit(self, group: _Group, plan: OnData) -> None:
        names: dict[str, str] = {}
        group.open = {job.key for job in plan.missing}
        for digest, (step, users) in plan.unmade().items():
            made = plan.common, digest
            before = self._step_works.get(made, "")
            if before in self._of_work:  # the same data under another name need it, too
                names[digest] = before
                continue
            name = f"{users[0].dataset}.{step.replace(' ', '-')}"
            key = f"{name}.{_short(plan.common.name, digest, before)}"
            names[digest] = self._step_works[made] = key
            group.open.add(key)
            self._of_work[key] = group, f"{step} of {users[0].dataset}"
            told = users[0], digest, plan.common
            self._engine.submit(Work(key, make_step, told, imports=_imports(users[0])))
        models = list(dict.fromkeys(_imports(job) for job in plan.missing))
        # One model after another, so that few processes have to import anything anew.
        for job in sorted(plan.missing, key=lambda job: models.index(_imports(job))):
            after = tuple(names[digest] for digest in job.steps if digest in names)
            arguments = job, self._results, plan.common
            self._of_work[job.key] = group, job
            self._engine.submit(Work(job.key, make_run, arguments, after, _imports(job)))

    def _lost(self, group: _Group, reason: str) -> Iterator[Line]:
        group.failed = True
        for wish in group.wishes:
            yield Line("run", wish.title, "failed", failure=reason)

    def _finish(self, group: _Group) -> None:
        """Count what runs on a data set shared, and remove it, once all of them are done."""
        if group.plan is None or group.open or group.failed:
            return
        common = group.plan.common
        others = [o for o in self._groups if o.plan is not None and o.plan.common == common]
        if any(other.open or other.failed for other in others):
            return
        self._count(group.plan)
        if common.exists():
            discard(common)

    def _count(self, plan: OnData) -> None:
        self.shared += [(plan.dataset, count) for count in counts_in(plan.common)]


def _is_left(common: Path) -> bool:
    """Return whether anything lies there of a sweep that was killed behind its last run."""
    return common.exists() or lock_file(common).exists()


def _see(log: Path | None) -> str:
    return "" if log is None else f"; see {log}"


def _short(*parts: str) -> str:
    """Return a few letters that tell works of like names apart."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]


def _imports(job: Job) -> tuple[str, ...]:
    return (job.experiment.entry.source.partition(":")[0],)
