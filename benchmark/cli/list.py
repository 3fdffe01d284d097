"""``list``: what can be named on the command line."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli.output import show_json, show_lines, show_table
from benchmark.errors import InputError

__all__ = ["list_"]


class Listed(str, Enum):
    """What can be listed."""

    models = "models"
    datasets = "datasets"
    metrics = "metrics"


def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")] = Listed.models,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List models, data sets or metrics."""
    rows = {Listed.models: _models, Listed.datasets: _datasets, Listed.metrics: _metrics}[what]()
    if as_json:
        show_json(rows)
        return
    table = Table(*(rows[0].keys() if rows else ()))
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    show_table(table)
    if what is Listed.models and (barred := _barred()):
        show_lines(["Cannot run here:", *(f"  {line}" for line in barred)])
    if what is Listed.models and (forms := _forms()):
        show_lines(["Made by their names:", *(f"  {line}" for line in forms)])


def _models() -> list[dict[str, object]]:
    from benchmark.registry import available

    return [
        {"name": m.name, "tasks": list(m.tasks), "group": m.group, "summary": m.summary}
        for m in available().values()
    ]


def _barred() -> list[str]:
    from benchmark.registry import known

    return [f"{m.name}: {m.obstacle}" for m in known().values() if m.obstacle]


def _forms() -> list[str]:
    from benchmark.registry import families

    return [f"{f.form} ({', '.join(f.tasks)}): {f.summary}" for f in families().values()]


def _datasets() -> list[dict[str, object]]:
    from benchmark.data.card import read_card
    from benchmark.data.locate import card_names, cards_folder, no_cards

    if not card_names():
        raise InputError(no_cards())
    cards = [read_card(cards_folder() / name / "card.yaml") for name in sorted(card_names())]
    return [{"name": c.name, "licence": c.licence, "description": c.description} for c in cards]


def _metrics() -> list[dict[str, object]]:
    from benchmark.evaluation.metrics import FAMILIES, LIST_METRICS, Metric

    of_ranks = [Metric(family, k) for family in FAMILIES for k in family.cutoffs or (10,)]
    rows: list[dict[str, object]] = [
        {
            "name": m.name,
            "title": m.title,
            "better": m.family.direction,
            "summary": m.summary,
            "reference": m.family.reference,
        }
        for m in of_ranks
    ]
    rows.extend(
        {
            "name": m.name,
            "title": m.name,
            "better": m.direction,
            "summary": m.summary,
            "reference": m.reference,
        }
        for m in LIST_METRICS.values()
    )
    return rows
