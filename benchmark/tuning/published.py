"""Searches that are kept for others, beside the runs whose settings they chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from benchmark.names import below
from benchmark.results.record import RunRecord
from benchmark.tuning.stored import read_study, study_folder, write_study

__all__ = ["PUBLISHED", "publish_studies"]

PUBLISHED = "published"
"""Folder below the results in which runs are kept for others; ``--tuned`` knows of its searches."""


def publish_studies(
    runs: Iterable[RunRecord], results: Path, report: Callable[[str], object]
) -> list[Path]:
    """Store the search of each tuned run below ``results``, as far as it has gone by now.

    Args:
        runs: whose searches lie in the results folder that they lie in themselves, or in what is
            published there.
        results: where to; a search of more trials there stays.
        report: gets a line for each search that is not found.

    Returns:
        the folders of the searches, those that stayed too.

    Raises:
        DamagedError: a search is not what was written.
        InputError: one cannot be read, or the folder cannot be written to.
    """
    searched = {
        (run.folder.parents[3], run.info["dataset"], run.info["model"], tuning["study"]): run
        for run in runs
        if (tuning := run.info["tuning"]) is not None
    }
    stored: dict[Path, None] = {}
    for (home, *name), run in searched.items():
        places = (below(root / "tuning", *name) for root in (home, home / PUBLISHED))
        study = next((found for place in places if (found := read_study(place))), None)
        if study is None:
            report(f"{run.folder}: the search that chose its settings is not in {home / 'tuning'}")
            continue
        place = study_folder(results, study)
        there = read_study(place)
        if there is None or len(there.trials) < len(study.trials):
            write_study(place, study)
        stored[place] = None
    return list(stored)
