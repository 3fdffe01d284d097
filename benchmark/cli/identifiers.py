"""``identifiers``: what the identifiers of a stored run's model are like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from benchmark.cli.named_run import FromOption, RunArgument, named_run
from benchmark.cli.output import show_json, show_table
from benchmark.cli.pictures import picture_target
from benchmark.errors import BenchmarkError, InputError, did_you_mean

if TYPE_CHECKING:
    from benchmark.model_protocols import HasItemCodes, IdentifierFacts
    from benchmark.results.record import RunRecord

__all__ = ["identifiers"]


def identifiers(
    run: RunArgument,
    item: Annotated[str | None, typer.Option(help="Id of an item to show.")] = None,
    others: Annotated[
        int, typer.Option(min=0, help="Items to name of those that share a prefix.")
    ] = 5,
    picture: Annotated[
        Path | None, typer.Option(help="SVG file to draw codes and neighbours into.")
    ] = None,
    results: FromOption = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show how the codes of a run's identifiers are used, or what an item shares with others."""
    from benchmark.inspect.identifiers import identifier_facts

    record = named_run(run, results)
    told = record.info.get("facts", {}).get("identifiers")
    if not told or not isinstance(told, dict):
        raise InputError(f"{run}: {record.info['model']} tells nothing of identifiers")
    try:
        facts_of = identifier_facts(told)
    except BenchmarkError as error:
        raise InputError(f"{run}: {error}") from None
    if facts_of is None:
        raise InputError(f"{run}: an older version told too little of identifiers; run it again")
    target = None if picture is None else picture_target(picture, (".svg",))
    shared = None if item is None else _prefixes(record, item)
    if target is not None:
        from benchmark.report.identifiers import draw

        draw(facts_of, target)
    if shared is None:
        if as_json:
            show_json(told)
        else:
            for name, facts in facts_of.items():
                _show_facts(name, facts)
        return
    if as_json:
        show_json(shared)
        return
    for kind, prefixes in shared["identifiers"].items():
        _show_prefixes(shared, kind, prefixes, others)


def _show_facts(name: str, facts: IdentifierFacts) -> None:
    table = Table("level", "codes", "used", "perplexity", title=name)
    for space in facts.neighbours:
        table.add_column(f"of 10 {space} neighbours")
        table.add_column("by chance")
    for number, level in enumerate(facts.levels):
        cells = [str(number + 1), str(level.codes), str(level.used), f"{level.perplexity:.1f}"]
        for shares in facts.neighbours.values():
            share = shares[number] if number < len(shares) else None
            cells += (
                [f"{10 * part:.2f}" for part in (share.kept, share.by_chance)]
                if share
                else ["", ""]
            )
        table.add_row(*cells)
    rates = ", ".join(f"{rate:.4f}" for rate in facts.collision_rate_by_pass)
    table.caption = f"collision rate by pass: {rates}"
    show_table(table)


def _prefixes(record: RunRecord, item: str) -> dict[str, Any]:
    from benchmark.exchange.export import stored_model, using_weights
    from benchmark.inspect.identifiers import prefixes_of
    from benchmark.model_protocols import HasItemCodes

    model = stored_model(record)
    if not isinstance(model, HasItemCodes):
        raise InputError(f"--item: {record.info['model']} names no items by codes")
    if item not in model.item_ids:
        raise InputError(f"--item: unknown '{item}'{did_you_mean(item, model.item_ids)}")
    row = model.item_ids.index(item)

    def named(rows: tuple[int, ...]) -> list[dict[str, str]]:
        return [_named(model, other) for other in rows]

    with using_weights(record):
        return {
            **_named(model, row),
            "identifiers": {
                kind: [
                    {"prefix": list(prefix.codes), "items": named(prefix.items)}
                    for prefix in prefixes_of(row, codes)
                ]
                for kind, codes in model.item_codes().items()
            },
        }


def _named(model: HasItemCodes, row: int) -> dict[str, str]:
    return {"item": model.item_ids[row], "title": model.item_titles[row]}


def _show_prefixes(
    about: dict[str, Any], kind: str, prefixes: list[dict[str, Any]], others: int
) -> None:
    whole = ", ".join(map(str, prefixes[-1]["prefix"]))
    title = f"{kind} of item {about['item']}, {about['title']}: {whole}"
    table = Table("prefix", "shared with", "such as", title=title)
    for prefix in prefixes:
        table.add_row(
            ", ".join(map(str, prefix["prefix"])),
            str(len(prefix["items"])),
            "; ".join(other["title"] for other in prefix["items"][:others]),
        )
    show_table(table)
