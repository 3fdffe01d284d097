"""The tables of ``run``: metrics and costs of each run, and what failed in its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmark.api.failure import Failure

if TYPE_CHECKING:
    from benchmark.running.runner import RunResult

__all__ = ["as_json_value", "run_tables"]

_SHOWN = ("ndcg@10", "hr@10", "mrr@10")


def as_json_value(one: RunResult | Failure) -> dict[str, Any]:
    """Return the record of a run, or ``model``, ``seed`` and ``error``."""
    if isinstance(one, Failure):
        return {"model": one.plan.entry.name, "seed": one.seed, "error": one.reason}
    return {"reused": one.reused, **one.record.info}


def run_tables(done: Sequence[RunResult | Failure]) -> list[Table]:
    """Return a table of metrics and a table of costs.

    A model of both tasks that was run for one of them beside the joint run is marked so.
    """
    served: dict[str, set[str]] = defaultdict(set)
    for model, tasks in map(_tasks, done):
        served[model].update(tasks)
    quality = Table("model", "seed", "task", "protocol", *_SHOWN, "requests")
    costs = Table("model", "seed", "time by phase", "peak memory", "parameters")
    costs.add_column("record", no_wrap=True)
    for one in done:
        model, tasks = _tasks(one)
        alone = f" ({tasks[0]} only)" if len(tasks) < len(served[model]) else ""
        if isinstance(one, Failure):
            start = (one.plan.title + alone, str(one.seed))
            quality.add_row(*start, *["failed"] * 2, *["-"] * (len(_SHOWN) + 1))
            costs.add_row(*start, "failed", "-", "-", one.reason)
        else:
            start = (_title(one.record.info) + alone, str(one.record.info["seed"]))
            for row in _means(one.record.info):
                quality.add_row(*start, *row)
            costs.add_row(*start, *_costs(one))
    return [quality, costs]


def _tasks(one: RunResult | Failure) -> tuple[str, Sequence[str]]:
    """Return the model and the tasks that it was to be run for."""
    if isinstance(one, Failure):
        return one.plan.entry.name, tuple(map(str, one.plan.tasks))
    return one.record.info["model"], one.record.info["tasks"]


def _title(info: dict[str, Any]) -> str:
    part = info.get("ablation")
    return f"{info['model']} ({part['name']})" if part else info["model"]


def _means(info: dict[str, Any]) -> Iterable[list[str]]:
    for task, protocols in info["metrics"].items():
        for protocol, means in protocols.items():
            values = [f"{means[name]:.4f}" for name in _SHOWN]
            yield [task, protocol, *values, str(means["requests"])]


def _costs(one: RunResult) -> list[str]:
    info = one.record.info
    phases = ", ".join(f"{p['name']} {p['seconds']:.1f} s" for p in info["phases"])
    return [
        f"{phases} (stored)" if one.reused else phases,
        f"{info['peak_memory_mib']:.0f} MiB",
        f"{info['parameters']:,}",
        str(one.record.folder),
    ]
