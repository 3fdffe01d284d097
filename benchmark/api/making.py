"""Making runs: checked together before anything is trained, then made one after the other."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmark.api.failure import Failure
from benchmark.data.dataset import Dataset, Protocol
from benchmark.errors import BenchmarkError, InputError
from benchmark.folders import discard, prune
from benchmark.locks import locked
from benchmark.processes import ALONE, Processes
from benchmark.running.identity import code_digest
from benchmark.running.plan import Experiment
from benchmark.running.plan_rules import check_runnable, restricted
from benchmark.running.runner import RunResult, run_model
from benchmark.running.unread_scripts import unread_scripts
from benchmark.tracking import Trackers
from benchmark.tuning.study import tuned

__all__ = ["How", "check_seeds", "default_protocols", "make_runs", "planned_on"]

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class How:
    """How runs are made; it is the same for all runs of a command.

    Attributes:
        protocols: to be asked by.
        device: ``auto``, ``cpu`` or ``cuda``.
        results: the folder of the records.
        fresh: make even what is stored.
        ablations: whether the plans share steps of their training, as a model without each of its
            parts does, and so keep them until all are done.
        trackers: are told of what is trained.
    """

    protocols: tuple[Protocol, ...]
    device: str = "auto"
    results: Path = Path("results")
    fresh: bool = False
    ablations: bool = False
    trackers: Trackers = field(default_factory=Trackers)


def check_seeds(seeds: Sequence[int]) -> list[int]:
    """Return the seeds, each once.

    Raises:
        InputError: one is too small or too large.
    """
    for number in seeds:
        if not 0 <= number <= LARGEST_SEED:
            raise InputError(f"seed {number}: choose one from 0 to {LARGEST_SEED}")
    return list(dict.fromkeys(seeds))


def default_protocols(data: Dataset) -> tuple[Protocol, ...]:
    """Return what a data set is asked by where nobody says it: what its card names, or both."""
    return data.about.protocols or ("full", "sampled")


def planned_on(
    plans: Sequence[Experiment],
    data: Dataset,
    device: str,
    notify: Callable[[str], object],
    searches: Path | None = None,
    ablations: bool = False,
) -> list[Experiment]:
    """Return the plans restricted to tasks that the data have, checked before anything is trained.

    Args:
        plans: what is to be trained.
        data: the data.
        device: ``auto``, ``cpu`` or ``cuda``.
        notify: is called with each line worth telling the user.
        searches: a results folder, from which each plan takes the settings that its search chose.
        ablations: whether each plan is followed by those without one of its parts.

    Raises:
        InputError: the data have none of a model's tasks, a model cannot be trained on them or not
            on that device, or there was no search.
    """
    planned = [restricted(plan, data) for plan in plans]
    if searches is not None:
        planned = [tuned(plan, data, searches, notify) for plan in planned]
    if ablations:
        planned = [part for plan in planned for part in plan.with_ablations()]
    check_runnable(planned, data, device)
    for line in unread_scripts(planned, data):
        notify(line)
    return planned


def make_runs(
    plans: Sequence[Experiment],
    seeds: Sequence[int],
    data: Dataset,
    how: How,
    *,
    tell: Callable[[str], object],
    failed: Callable[[BenchmarkError], object],
    processes: Processes = ALONE,
) -> list[RunResult | Failure]:
    """Make each plan with each seed; a run that fails leaves the others alone.

    Args:
        plans: of :func:`planned_on`.
        seeds: of the trainings.
        data: the data.
        how: the runs are made.
        tell: is called with a line when a run starts and when it ends.
        failed: is called with what a run failed by.
        processes: who makes the runs.
    """
    common = _common_folder(how.results, plans, seeds, data.digest) if how.ablations else None
    alone = common is not None and processes.first
    done: list[RunResult | Failure] = []
    with _kept_until_done(common, how.fresh) if common and alone else nullcontext():
        for plan, seed in itertools.product(plans, seeds):
            title = f"{plan.title} on {data.name}, seed {seed}, preset {plan.preset}"
            tell(f"{title}: started")
            begun = time.monotonic()
            try:
                result = run_model(
                    plan,
                    data,
                    how.protocols,
                    seed,
                    how.device,
                    how.results,
                    how.fresh,
                    common,
                    processes,
                    trackers=how.trackers,
                )
            except BenchmarkError as error:
                failed(error)
                done.append(Failure(plan, seed, str(error)))
                continue
            place = result.record.folder
            seconds = time.monotonic() - begun
            stored = f"stored already, not run again (--fresh runs it): {place}"
            tell(stored if result.reused else f"{title}: finished in {seconds:.1f} s")
            done.append(result)
    return done


@contextmanager
def _kept_until_done(common: Path, fresh: bool) -> Iterator[None]:
    """Be alone with what runs of one command share, and remove it when all of them are done."""
    with locked(common, wait=2):
        if fresh:
            discard(common)
        yield
        discard(common)
    prune(common.parent, common.parents[1])


def _common_folder(
    results: Path, plans: Sequence[Experiment], seeds: Sequence[int], data: str
) -> Path:
    """Return where ablations keep the steps that they have in common until all are done."""
    asked = [(p.entry.name, p.tasks, asdict(p.settings), code_digest(p.entry)) for p in plans]
    text = json.dumps([asked, list(seeds), data], sort_keys=True)
    return results / "checkpoints" / f"common-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
