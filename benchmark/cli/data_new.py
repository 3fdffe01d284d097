"""``data new``: a folder with a card for tables that nobody described yet."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli.output import remark, show_lines, show_table

__all__ = ["new"]


def new(
    events: Annotated[
        Path, typer.Argument(help="CSV, TSV, Parquet or JSON lines: an event a row.")
    ],
    items: Annotated[Path | None, typer.Argument(help="A table of items, with texts.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the data set; the file's otherwise.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to be made.")] = None,
) -> None:
    """Look at tables, write a folder with a card for them, and say what to check."""
    from benchmark.data.locate import card_names
    from benchmark.data.new_card import new_card

    files = {"events": events} | ({} if items is None else {"items": items})
    made = new_card(files, name, out, card_names())
    for note in made.notes:
        remark(note)
    table = Table("", "column", "why")
    guess = made.guess
    for role, (column, why) in guess.columns.items():
        table.add_row(role, column, guess.time_said if role == "time" and guess.time_said else why)
    if guess.item_key is not None:
        table.add_row("item's id", *guess.item_key)
    if guess.title is not None:
        table.add_row("item's title", *guess.title)
    if guess.text:
        table.add_row("item's text", ", ".join(guess.text), "")
    show_table(table)
    place = made.folder / "card.yaml"
    where = "the data are copied beside it" if made.copied else "the data lie beside it"
    lines = [f"{place} is written; {where}."]
    lines += ["To be checked there:"] * bool(guess.check) + [f"- {line}" for line in guess.check]
    run = "python -m benchmark run --model popularity,bm25 --dataset"
    show_lines([*lines, f"Then: {run} {shlex.quote(str(made.folder))}"])
