"""What can be named: models, data sets and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

__all__ = ["dataset_rows", "datasets", "metric_rows", "model_rows", "models", "run_rows"]


def models() -> pd.DataFrame:
    """Return a row for each model: ``name`` (the index), ``tasks``, ``group``, ``summary``."""
    import pandas as pd

    return pd.DataFrame(model_rows()).set_index("name")


def datasets() -> pd.DataFrame:
    """Return a row for each card: ``name`` (the index), ``licence``, ``description``.

    Raises:
        InputError: there are no cards.
    """
    import pandas as pd

    return pd.DataFrame(dataset_rows()).set_index("name")


def model_rows() -> list[dict[str, object]]:
    """Return what is known of each model that can run."""
    from benchmark.registry import available

    return [
        {"name": m.name, "tasks": list(m.tasks), "group": m.group, "summary": m.summary}
        for m in available().values()
    ]


def run_rows(results: Path) -> list[dict[str, object]]:
    """Return what stored runs say of themselves, the newest first.

    Raises:
        InputError: there is no such folder.
    """
    from benchmark.results.find_run import named_runs, short_ids

    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    runs = named_runs(results)
    short = short_ids(runs)
    return [
        {
            "id": short[run.run],
            "model": run.model,
            "dataset": run.dataset,
            "preset": run.preset,
            "seed": run.seed,
            "tasks": list(run.tasks),
            "finished": run.finished,
            "folder": str(run.folder),
        }
        for run in runs
    ]


def dataset_rows() -> list[dict[str, object]]:
    """Return what is known of each data set that has a card.

    Raises:
        InputError: there are no cards.
    """
    from benchmark.data.card import read_card
    from benchmark.data.locate import card_names, cards_folder, no_cards

    if not card_names():
        raise InputError(no_cards())
    cards = [read_card(cards_folder() / name / "card.yaml") for name in sorted(card_names())]
    return [{"name": c.name, "licence": c.licence, "description": c.description} for c in cards]


def metric_rows() -> list[dict[str, object]]:
    """Return what is known of each metric, at each cutoff that runs state."""
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
