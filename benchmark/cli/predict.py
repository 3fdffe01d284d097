"""``predict``: what the model of a stored run gives to a user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from benchmark.cli.named_run import FromOption, RunArgument, named_run
from benchmark.cli.output import remarks, show_json, show_table
from benchmark.cli.plan import RunDatasetOption
from benchmark.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmark.data.dataset import Dataset
    from benchmark.data.requests import Task
    from benchmark.inspect.ad_hoc_requests import UserRequest

__all__ = ["predict"]


def predict(
    run: RunArgument,
    user: Annotated[str, typer.Option(help="Id of the user, as in the data's files.")],
    query: Annotated[
        str | None,
        typer.Option(help="Words to search for; the test request's own if not."),
    ] = None,
    k: Annotated[
        int,
        typer.Option(
            "-k", min=1, help="Most results; a generative model has no more than its beams."
        ),
    ] = 10,
    history: Annotated[int, typer.Option(min=0, help="Events of the history to show.")] = 10,
    dataset: RunDatasetOption = None,
    results: FromOption = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show a user's history and what the model of a stored run gives for each task."""
    from benchmark.data.requests import Task
    from benchmark.exchange.export import answers_of, stored_model
    from benchmark.inspect.ad_hoc_requests import is_text, number_of_user, request_of_user
    from benchmark.running.dataset_of import dataset_of

    if query is not None and not query.strip():
        raise InputError("--query: it has no words")
    if query is not None and not is_text(query):
        raise InputError("--query: it is no text in UTF-8, or has control characters in it")
    record = named_run(run, results)
    model = stored_model(record)
    served = [Task(name) for name in record.info["tasks"]]
    if query is not None and Task.SEARCH not in served:
        raise InputError(f"--query: {record.info['model']} was not trained for search in {run}")
    with remarks() as notify:
        data = dataset_of(record, dataset, notify)
        found = []
        number = number_of_user(data, user)
        for task in served:
            asked = request_of_user(data, number, task, query if task == Task.SEARCH else None)
            if asked is None:
                notify(f"user {user} has no search to be answered; name words by --query")
            else:
                answers = answers_of(record, model, asked.request, min(k, len(data.items)))
                found.append(_document(data, answers, task, asked, history))
    if as_json:
        show_json({"model": record.info["model"], "user": user, "answers": found})
        return
    for each in found:
        _show(each, record.info["model"], user)


def _document(
    data: Dataset,
    answers: tuple[NDArray[np.int32], NDArray[np.float32]],
    task: Task,
    asked: UserRequest,
    events: int,
) -> dict[str, Any]:
    request = asked.request
    past = request.history(min(max(events, 1), len(data.log)))
    shown = range(min(int(past.length[0]), events))
    items, scores = (each.tolist() for each in answers)
    texts = request.queries.texts
    return {
        "task": str(task),
        "query": request.query_texts()[0],
        "history": [
            {
                **_named(data, int(past.item[0, i])),
                "query": texts[past.query[0, i]] if past.query[0, i] >= 0 else None,
            }
            for i in shown
        ],
        "results": [
            {**_named(data, item), "score": score, "taken": item in asked.relevant}
            for item, score in zip(items, scores, strict=True)
            if item >= 0
        ],
        "taken": [_named(data, item) for item in asked.relevant],
    }


def _named(data: Dataset, item: int) -> dict[str, str]:
    return {"item": data.items.ids[item], "title": data.items.titles[item]}


def _show(found: dict[str, Any], model: str, user: str) -> None:
    past = Table(title=f"History of user {user}, newest last")
    past.add_column("item", no_wrap=True)
    past.add_column("title")
    past.add_column("found by")
    for event in found["history"]:
        past.add_row(event["item"], event["title"], event["query"] or "")
    show_table(past)
    asked = f'search of "{found["query"]}"' if found["task"] == "search" else "recommendation"
    results = Table("rank", title=f"{model}: {asked}")
    results.add_column("item", no_wrap=True)
    known = any(each["taken"] for each in found["results"])
    for name in ("title", "score", *(["taken next"] if known else [])):
        results.add_column(name)
    for rank, each in enumerate(found["results"], start=1):
        line = [str(rank), each["item"], each["title"], f"{each['score']:.4f}"]
        results.add_row(*line, *(["yes" if each["taken"] else ""] if known else []))
    listed = {each["item"] for each in found["results"]}
    missed = [
        f"{each['item']}, {each['title']}" for each in found["taken"] if each["item"] not in listed
    ]
    if missed:
        results.caption = f"taken next: {'; '.join(missed)}"
    show_table(results)
