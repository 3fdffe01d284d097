"""The tables of ``sweep``, and its JSON documents: what is planned, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from benchmark.shared_steps import StepCount
    from benchmark.sweeping.forecast import Expected, Forecast
    from benchmark.sweeping.sweep import Line

__all__ = ["as_json_value", "plan_as_json", "plan_tables", "summary_tables"]


def summary_tables(done: Sequence[Line], shared: Sequence[tuple[str, StepCount]]) -> list[Table]:
    """Return a table of what was done and what failed, and one of what runs shared."""
    runs = Table("run", "state", "seconds", "attempts")
    runs.add_column("record, or why there is none", no_wrap=True)
    for line in sorted(done, key=lambda line: (line.kind != "run", line.title)):
        if line.kind != "run" and line.failure is None:
            continue
        again = line.state == "stored" and line.attempts == 0
        log = f"; log: {line.log}" if line.log is not None else ""
        runs.add_row(
            line.title,
            line.state,
            "-" if again else f"{line.seconds:.1f}",
            "-" if again else str(line.attempts),
            str(line.record) if line.failure is None else f"{line.failure}{log}",
        )
    steps = Table("shared step", "data set", "made", "used by other runs")
    for dataset, count in shared:
        if count.used or count.made > 1:  # else one run has made it for itself
            steps.add_row(count.name, dataset, str(count.made), str(count.used))
    return [runs, steps] if steps.rows else [runs]


def as_json_value(
    name: str, done: Sequence[Line], shared: Sequence[tuple[str, StepCount]]
) -> dict[str, Any]:
    """Return everything that came of a sweep."""
    return {
        "sweep": name,
        "runs": [_run(line) for line in done if line.kind == "run"],
        "works": [
            {"kind": line.kind, "title": line.title, **_outcome(line)}
            for line in done
            if line.kind != "run"
        ],
        "shared": [
            {"dataset": dataset, "step": c.name, "digest": c.digest, "made": c.made, "used": c.used}
            for dataset, c in shared
        ],
    }


def _run(line: Line) -> dict[str, Any]:
    job = line.job
    known = (
        {}
        if job is None
        else {
            "dataset": job.dataset,
            "model": job.experiment.entry.name,
            "ablation": None if job.experiment.ablation is None else job.experiment.ablation.name,
            "preset": job.experiment.preset,
            "seed": job.seed,
            "tasks": list(map(str, job.experiment.tasks)),
            "run": job.run_id,
        }
    )
    record = None if line.record is None else str(line.record)
    return {"title": line.title, **known, **_outcome(line), "record": record}


def _outcome(line: Line) -> dict[str, Any]:
    return {
        "state": line.state,
        "seconds": round(line.seconds, 3),
        "attempts": line.attempts,
        "failure": line.failure,
        "log": None if line.log is None else str(line.log),
    }


def plan_tables(plan: Forecast) -> list[Table]:
    """Return a table of models, a row for those runs that differ in their seeds only, and more."""
    rows: dict[tuple[str, str, str], list[Expected]] = defaultdict(list)
    for run in plan.runs:
        rows[run.dataset, run.model, run.preset].append(run)
    runs = Table("data set", "model", "preset", "seeds", "stored", "to be made", "each", "as")
    for (dataset, model, preset), some in rows.items():
        open_ = [run for run in some if run.state in ("missing", "unprepared")]
        refused = next((run.reason for run in some if run.state == "refused"), None)
        estimate = next((run.estimate for run in open_ if run.estimate is not None), None)
        stored = sum(run.state == "stored" for run in some)
        runs.add_row(
            dataset,
            model,
            preset,
            ",".join(str(seed) for seed in dict.fromkeys(run.seed for run in some)),
            "not known yet" if any(run.state == "unprepared" for run in some) else str(stored),
            "refused" if refused is not None else str(len(open_)),
            "-" if estimate is None else f"{estimate.seconds:.1f} s",
            refused
            or ("" if not open_ else "no run before" if estimate is None else estimate.source),
        )
    steps = Table("shared step", "data set", "runs that need it", "state")
    for work in plan.shared:
        state = "stands ready" if work.ready else "made once"
        steps.add_row(work.name, work.dataset, str(work.runs), state)
    return [runs, steps] if plan.shared else [runs]


def plan_as_json(name: str, plan: Forecast, workers: int) -> dict[str, Any]:
    """Return everything that a sweep would do."""
    return {
        "sweep": name,
        "runs": [
            {
                "dataset": run.dataset,
                "model": run.model,
                "preset": run.preset,
                "seed": run.seed,
                "state": run.state,
                "run": run.run_id,
                "seconds": None if run.estimate is None else round(run.estimate.seconds, 3),
                "as": None if run.estimate is None else run.estimate.source,
                "reason": run.reason,
            }
            for run in plan.runs
        ],
        "shared": [
            {"dataset": w.dataset, "step": w.name, "runs": w.runs, "ready": w.ready}
            for w in plan.shared
        ],
        "seconds": round(plan.seconds, 3),
        "unknown": plan.unknown,
        "workers": workers,
    }
