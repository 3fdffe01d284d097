"""``python -m perf NAME``: run a measurement and print it."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from perf.measurement import Measurement

app = typer.Typer(add_completion=False, help="Side-by-side measurements against named peers.")


@app.callback()
def _group() -> None:
    """Keep the name of a measurement a command of its own even where there is one only."""


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def sasrec(
    as_json: AsJson = False,
    budget: Annotated[float, typer.Option(min=1.0, help="Seconds given to the peer.")] = 400.0,
) -> None:
    """Training SASRec to the same validation NDCG@10, against RecBole's trainer."""
    from perf.sasrec import measure

    found = measure(budget)
    _show([found], found.to_dict() if as_json else None)


@app.command()
def metrics(
    as_json: AsJson = False,
    requests: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 1_000_000,
) -> None:
    """NDCG@10, HR@10 and MRR@10 from scores of 100 candidates, against ranx and pytrec_eval."""
    from perf.metrics import measure

    found = measure(requests)
    _show(found, [each.to_dict() for each in found] if as_json else None)


@app.command()
def evaluate(
    as_json: AsJson = False,
    requests: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 4_000,
) -> None:
    """Ranking a whole catalogue, against a plain NumPy count and faiss's exact index."""
    from perf.evaluate import measure

    found = measure(requests)
    _show(found, [each.to_dict() for each in found] if as_json else None)


@app.command()
def million(
    as_json: AsJson = False,
    requests: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 10_000,
) -> None:
    """Ranking a million items, against faiss's exact index; and what approximate search costs."""
    from perf.million import measure

    found = measure(requests)
    _show(found, [each.to_dict() for each in found] if as_json else None)


@app.command()
def significance(as_json: AsJson = False) -> None:
    """Fisher's randomisation test of all pairs of 20 models, against ranx."""
    from perf.significance import measure

    found = measure()
    _show([found], found.to_dict() if as_json else None)


@app.command()
def train(
    as_json: AsJson = False,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs that the peer trains for.")] = 4,
) -> None:
    """Training GenSAR to the same validation NDCG@10, against one target per sample."""
    from perf.train import measure

    found = measure(epochs)
    _show([found], found.to_dict() if as_json else None)


@app.command()
def decode(as_json: AsJson = False) -> None:
    """Constrained decoding of identifiers, against generate of transformers."""
    from perf.decode import measure

    found = measure()
    _show(found, [each.to_dict() for each in found] if as_json else None)


@app.command()
def load(
    as_json: AsJson = False,
    rows: Annotated[
        list[int] | None, typer.Option(min=1000, help="Lines of a file; several for a slope.")
    ] = None,
) -> None:
    """Loading a data set, against pandas and a loop over rows in Python."""
    from perf.load import ROWS, measure

    found = measure(rows or ROWS)
    _show(found, [each.to_dict() for each in found] if as_json else None)


@app.command()
def sweep(
    as_json: AsJson = False,
    models: Annotated[str, typer.Option(help="Names, with commas between.")] = (
        "popularity,bm25,item-knn,sasrec,tiger,gensar"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each model.")] = 3,
    dataset: Annotated[str, typer.Option(help="Data set.")] = "ml-100k",
    preset: Annotated[str, typer.Option(help="Of the settings.")] = "quick",
    threads: Annotated[int, typer.Option(min=2, help="Threads in all, an even number.")] = 2,
) -> None:
    """Runs of a sweep on two workers, against one worker that has all the threads."""
    from perf.sweep import measure

    found = measure(models.split(","), seeds, dataset, preset, threads)
    _show([found], found.to_dict() if as_json else None)


def _show(found: list[Measurement], document: object) -> None:
    """Print the document, or else a table for each measurement; fail where answers differ."""
    if document is not None:
        print(json.dumps(document, indent=1))
    else:
        for each in found:
            table = Table("", "", title=each.name, show_header=False)
            for name, value in each.to_dict().items():
                table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
            Console().print(table)
    if not all(each.agree for each in found):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
