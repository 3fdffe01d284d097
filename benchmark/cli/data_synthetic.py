"""``data synthetic``: a folder with a card of made-up data, by the strength of what is planted."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.output import show_lines

__all__ = ["synthetic"]


def synthetic(
    folder: Annotated[Path, typer.Argument(help="To be made; the card goes in there.")],
    name: Annotated[str | None, typer.Option(help="Of the data set; the folder's if not.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of every draw.")] = None,
    users: Annotated[int | None, typer.Option(help="Who act.")] = None,
    items: Annotated[int | None, typer.Option(help="What they take.")] = None,
    events: Annotated[int | None, typer.Option(help="All of them, without copies.")] = None,
    tastes: Annotated[int | None, typer.Option(help="Classes that users prefer.")] = None,
    subjects: Annotated[int | None, typer.Option(help="Classes that nobody prefers.")] = None,
    search: Annotated[float | None, typer.Option(help="Share of searches.")] = None,
    collaborative: Annotated[
        float | None, typer.Option(help="0 to 1: users of one taste share items.")
    ] = None,
    semantic: Annotated[
        float | None, typer.Option(help="0 to 1: a query's words tell of the item.")
    ] = None,
    coupling: Annotated[
        float | None, typer.Option(help="0 to 1: what is searched tells what is liked.")
    ] = None,
    seasonality: Annotated[
        float | None, typer.Option(help="0 to 1: how far demand swings with the year.")
    ] = None,
    duplicates: Annotated[
        float | None, typer.Option(help="Events written twice, as a share.")
    ] = None,
    query_words: Annotated[int | None, typer.Option(help="Words of a query.")] = None,
    specific: Annotated[
        float | None, typer.Option(help="0 to 1: queries name the item itself.")
    ] = None,
    popularity: Annotated[float | None, typer.Option(help="Exponent of Zipf's law.")] = None,
) -> None:
    """Write a folder with a card of made-up data, whose truth is known."""
    from benchmark.data.locate import card_names
    from benchmark.data.synthetic_card import write_synthetic_card

    given = {
        "seed": seed,
        "users": users,
        "items": items,
        "events": events,
        "tastes": tastes,
        "subjects": subjects,
        "search": search,
        "collaborative": collaborative,
        "semantic": semantic,
        "coupling": coupling,
        "seasonality": seasonality,
        "duplicates": duplicates,
        "query_words": query_words,
        "specific": specific,
        "popularity": popularity,
    }
    rules = {key: value for key, value in given.items() if value is not None}
    write_synthetic_card(folder, name, rules, card_names())
    run = "python -m benchmark run --model popularity,bm25 --dataset"
    show_lines([f"{folder / 'card.yaml'} is written.", f"Then: {run} {shlex.quote(str(folder))}"])
