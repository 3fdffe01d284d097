"""``compare``: two stored runs against each other, with examples."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from benchmark.cli.named_run import HELP, FromOption
from benchmark.cli.output import remark, show_json, show_lines, show_page, show_table
from benchmark.cli.pages import Entry, Heading
from benchmark.cli.plan import RunDatasetOption
from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from benchmark.analysis.comparison import Comparison, Example
    from benchmark.data.dataset import Dataset
    from benchmark.results.record import RunRecord

__all__ = ["compare"]

_RECENT = 3
_COLUMNS = {
    "request": True,
    "user": True,
    "rank in a": True,
    "rank in b": True,
    "query id": True,
    "query": False,
    "relevant item": True,
    "title": False,
    "just before": False,
}
"""The columns of an example, and whether they stay whole in a narrow terminal."""
_LEGEND = (
    Heading("What the figures are"),
    Entry("-", "b - a: of the means; 95%: where it may lie, for other users", 2),
    Entry("-", "p: how often as much would come by chance, if a and b were alike", 2),
    Entry("-", "b better/same/worse: requests", 2),
    Entry("-", "effect: the difference in standard deviations of it between users", 2),
    Entry("-", "detectable: the difference that would be found with a power of 80%", 2),
)


def compare(
    run_a: Annotated[str, typer.Argument(help=f"The run to start from. {HELP}")],
    run_b: Annotated[str, typer.Argument(help="The run to compare with it.")],
    metric: Annotated[
        str | None, typer.Option(help="One metric; the leaderboard's three if not given.")
    ] = None,
    dataset: RunDatasetOption = None,
    examples: Annotated[int, typer.Option(min=0, help="Requests to show in each direction.")] = 5,
    results: FromOption = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Compare two stored runs request by request: would other requests show the difference?

    Whether other trainings would show it, a leaderboard tells.
    """
    from benchmark.analysis import comparison
    from benchmark.analysis.comparison import QUESTION
    from benchmark.analysis.scores import SHOWN
    from benchmark.evaluation.metrics import parse
    from benchmark.results.find_run import find_pair
    from benchmark.results.record import read_run

    metric = metric and parse(metric).name
    folders = find_pair(run_a, run_b, results)
    a, b = map(read_run, folders)
    found = comparison.compare(a, b, SHOWN if metric is None else (metric,), examples)
    described = _Described(_dataset(a, dataset) if examples else None)
    if as_json:
        for named, folder in zip((run_a, run_b), folders, strict=True):
            if folder != Path(named):
                remark(f"{named}: {folder}")
        show_json([_document(each, described) for each in found])
        return
    names = (f"a: {a.info['model']}", f"b: {b.info['model']}")
    show_lines(f"{name}, {folder}" for name, folder in zip(names, folders, strict=True))
    show_page([Heading(QUESTION), *(_verdict(c, names) for c in _first(found))])
    show_page(_LEGEND)
    for table in [_figures(found), *_examples(found, described)]:
        show_table(table)


def _first(found: list[Comparison]) -> list[Comparison]:
    """Return the comparison by the first metric of each task and protocol."""
    return list({(c.task, c.protocol): c for c in reversed(found)}.values())[::-1]


def _verdict(each: Comparison, names: tuple[str, str]) -> Entry:
    """Answer the question in words."""
    return Entry("-", f"{each.task}, {each.protocol}, {each.metric}: {_said(each, names)}", 2)


def _said(each: Comparison, names: tuple[str, str]) -> str:
    low, high = each.interval
    if each.difference == 0 and low == high == 0:
        return "both are the same."
    better, size = (
        (names[1], each.difference) if each.difference > 0 else (names[0], -each.difference)
    )
    if low <= 0 <= high:
        return f"no, other requests may turn it; {better} is {size:.4f} higher here."
    ends = sorted((abs(low), abs(high)))
    return f"yes, {better} is {size:.4f} higher, {ends[0]:.4f} to {ends[1]:.4f} with 95%."


def _dataset(run: RunRecord, name_or_path: str | None) -> Dataset | None:
    """Load the data set for ids and titles; they are a help: without them there are numbers."""
    from benchmark.running.dataset_of import dataset_of

    try:
        return dataset_of(run, name_or_path)
    except BenchmarkError as error:
        if name_or_path is not None:
            raise
        remark(f"examples have no titles: {error}; users, queries and items are row numbers")
        return None


class _Described:
    """Tells what a request was about, by ids and in words where the data set is there."""

    def __init__(self, data: Dataset | None) -> None:
        self._data = data

    def words(self, task: str, example: Example) -> dict[str, Any]:
        if self._data is None:
            return asdict(example) | {"query_id": None, "title": None, "recent": []}
        from benchmark.data.requests import Task

        data, items = self._data, self._data.items
        request = data.evaluation["test", Task(task)].requests[example.request :][:1]
        recent = request.history(_RECENT)
        return asdict(example) | {
            "user": data.users[example.user],
            "query_id": data.queries.ids[example.query] if example.query >= 0 else None,
            "query": request.query_texts()[0],
            "item": items.ids[example.item],
            "title": items.titles[example.item],
            "recent": [items.titles[i] for i in recent.item[0, : recent.length[0]].tolist()],
        }


def _document(comparison: Comparison, described: _Described) -> dict[str, Any]:
    document = {"question": "requests", **asdict(comparison)}
    for name in ("interval", "bootstrap"):
        document[name] = list(document[name])
    document["effect"] = [None if math.isnan(value) else value for value in comparison.effect]
    for name in ("gains", "losses"):
        document[name] = [
            described.words(comparison.task, example) for example in getattr(comparison, name)
        ]
    return document


def _figures(results: list[Comparison]) -> Table:
    table = Table()
    means = ("a", "b", "b - a", "95% (t)", "95% (bootstrap)")
    tests = ("p (Fisher)", "p (t)", "p (Wilcoxon)")
    counts = ("b better/same/worse", "effect", "detectable")
    for name in ("task", "protocol", "metric", *means, *tests, *counts):
        table.add_column(name)
    for each in results:
        table.add_row(
            each.task,
            each.protocol,
            each.metric,
            f"{each.a:.4f}",
            f"{each.b:.4f}",
            f"{each.difference:+.4f}",
            *(f"{low:+.4f} to {high:+.4f}" for low, high in (each.interval, each.bootstrap)),
            *(f"{p:.2g}" for p in each.p.values()),
            f"{each.win}/{each.tie}/{each.loss}",
            "n/a" if math.isnan(each.effect.size) else f"{each.effect.size:+.2f}",
            f"{each.detectable:.4f}",
        )
    return table


def _examples(results: list[Comparison], described: _Described) -> list[Table]:
    """Return a table of examples for each task and protocol, by its first metric."""
    tables: list[Table] = []
    for each in _first(results):
        examples = (*each.gains, *each.losses)
        if not examples:
            continue
        told = [_told(example, described.words(each.task, example)) for example in examples]
        table = Table(title=f"Largest changes of {each.metric}: {each.task}, {each.protocol}")
        for name, whole in _COLUMNS.items():
            if any(row[name] for row in told):
                table.add_column(name, no_wrap=whole)
        for row in told:
            table.add_row(*(row[str(column.header)] for column in table.columns))
        tables.append(table)
    return tables


def _told(example: Example, words: dict[str, Any]) -> dict[str, str]:
    """Return what stands in each column of an example; nothing where there is nothing to say."""
    cells = (
        str(words["request"]),
        str(words["user"]),
        f"{example.rank_a:g}",
        f"{example.rank_b:g}",
        str(words["query_id"] or ""),
        str(words["query"]),
        str(words["item"]),
        str(words["title"] or ""),
        "; ".join(words["recent"]),
    )
    return dict(zip(_COLUMNS, cells, strict=True))
