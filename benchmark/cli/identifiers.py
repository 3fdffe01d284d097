"""``identifiers``: what the identifiers of a stored run's model are like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from benchmark.cli.output import show_json, show_table
from benchmark.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from benchmark.inspect.identifiers import HasItemCodes
    from benchmark.results.record import RunRecord

__all__ = ["identifiers"]


def identifiers(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run.")],
    item: Annotated[str | None, typer.Option(help="Id of an item to show.")] = None,
    others: Annotated[
        int, typer.Option(min=0, help="Items to name of those that share a prefix.")
    ] = 5,
    picture: Annotated[
        Path | None, typer.Option(help="SVG file to draw codes and neighbours into.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show how the codes of a run's identifiers are used, or what an item shares with others."""
    from benchmark.results.record import read_run

    record = read_run(run)
    told = record.info.get("facts", {}).get("identifiers")
    if not told or not isinstance(told, dict):
        raise InputError(f"{run}: {record.info['model']} tells nothing of identifiers")
    if not all("levels" in facts for facts in _by_kind(told).values()):
        raise InputError(f"{run}: an older version told too little of identifiers; run it again")
    if picture is not None and picture.suffix != ".svg":
        raise InputError(f"--picture {picture}: name a file that ends in .svg")
    if picture is not None and not picture.parent.is_dir():
        raise InputError(f"--picture {picture}: there is no folder {picture.parent}")
    shared = None if item is None else _prefixes(record, item)
    if picture is not None:
        from benchmark.report.identifiers import draw

        draw(_by_kind(told), picture)
    if shared is None:
        if as_json:
            show_json(told)
        else:
            for kind, facts in _by_kind(told).items():
                _show_facts(kind, facts)
        return
    if as_json:
        show_json(shared)
        return
    for kind, prefixes in shared["identifiers"].items():
        _show_prefixes(shared, kind, prefixes, others)


def _by_kind(told: dict[str, Any]) -> dict[str, Any]:
    """Return the facts by kind of identifier; a model of one kind tells them without."""
    return {"identifier": told} if "levels" in told else told


def _show_facts(kind: str, facts: dict[str, Any]) -> None:
    near = facts.get("neighbours") or {}
    table = Table("level", "codes", "used", "perplexity", title=kind)
    for space in near:
        table.add_column(f"of 10 {space} neighbours")
        table.add_column("by chance")
    for number, level in enumerate(facts["levels"]):
        cells = [str(number + 1), str(level["codes"]), str(level["used"])]
        cells.append(f"{level['perplexity']:.1f}")
        for kept in near.values():
            known = kept[number] if number < len(kept) else None
            cells += [f"{10 * known[n]:.2f}" if known else "" for n in ("kept", "by_chance")]
        table.add_row(*cells)
    rates = facts.get("collision_rate_by_pass", [facts.get("collision_rate", 0.0)])
    table.caption = "collision rate by pass: " + ", ".join(f"{rate:.4f}" for rate in rates)
    show_table(table)


def _prefixes(record: RunRecord, item: str) -> dict[str, Any]:
    from benchmark.exchange.export import stored_model
    from benchmark.inspect.identifiers import HasItemCodes, prefixes_of

    model = stored_model(record)
    if not isinstance(model, HasItemCodes):
        raise InputError(f"--item: {record.info['model']} names no items by codes")
    if item not in model.item_ids:
        raise InputError(f"--item: unknown '{item}'{did_you_mean(item, model.item_ids)}")
    row = model.item_ids.index(item)

    def named(rows: tuple[int, ...]) -> list[dict[str, str]]:
        return [_named(model, other) for other in rows]

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
