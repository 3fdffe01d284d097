"""What a reader has to know about a board before its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.analysis.scores import SHOWN
from benchmark.analysis.tables import ALL
from benchmark.report.text_tables import CAPPED, FEW_SEEDS, NOTHING, TASKS

__all__ = ["notes"]

_MACHINES = 3
"""Kinds of machines that are named."""


def notes(board: Leaderboard, bold: str = "Bold") -> list[str]:
    """Return what a reader has to know about a board, a sentence or two each.

    Args:
        board: to be shown.
        bold: what marks cells that stand out, where that is not bold type.
    """
    return [*_data(board), *_letters(board, bold), *_trainings(board, bold), *_runs(board)]


def _data(board: Leaderboard) -> Iterator[str]:
    yield (
        f"Split {board.split}, leakage {board.leakage}, seen items {board.seen}"
        f" (data {board.digest[:12]}, candidates {board.candidates[:12]})."
    )
    counts = [(TASKS[task].lower(), *count) for task, count in board.repeated.items() if any(count)]
    if counts:
        each = "; ".join(
            f"{task}: {items} relevant items taken out, {requests} requests not asked"
            for task, items, requests in counts
        )
        yield f"What stands in the history already is no answer ({each})."
    yield from _short_lists(board)
    if any(t.task == "search" and t.protocol == "sampled" for t in board.tables):
        yield (
            "Sampled search lists are the best wrong answers of BM25, so they are adversarial to a"
            " model that ranks by BM25; read search over the whole catalogue first."
        )


def _short_lists(board: Leaderboard) -> Iterator[str]:
    """Tell of requests that a protocol with lists leaves out, and of lists that are not full."""
    whole = [t for t in board.tables if (t.slice, t.metric) == (ALL, SHOWN[0])]
    asked = {(t.task, t.protocol): max(r.requests or 0 for r in t.rows) for t in whole if t.rows}
    for table in whole:
        task, wanted = TASKS[table.task].lower(), board.negatives
        every = asked.get((table.task, "full"), 0)  # without it nobody knows how many there are
        left = every - asked.get((table.task, table.protocol), every)
        if left > 0:
            yield (
                f"{left} of {every} requests have too short a list of {table.protocol} candidates"
                f" and are asked over the whole catalogue only ({task})."
            )
        if table.protocol == "sampled" and wanted and table.others and table.others[0] < wanted:
            low, high = table.others
            held = f"{low}" if low == high else f"{low} to {high}"
            yield (
                f"Sampled lists hold {held} candidates beside the relevant item, not the {wanted}"
                f" that were asked for ({task}): the catalogue has no more."
            )


def _letters(board: Leaderboard, bold: str) -> Iterator[str]:
    questions = [table.question for table in board.tables if table.pairs]
    narrow, columns = questions.count("requests"), len(questions)
    if narrow < columns:
        yield (
            "Models that share a letter cannot be told apart at 0.05: other trainings of the same"
            " recipes, asked other requests, may well come out the other way round (Welch's test"
            " over users and trainings, Holm's correction over all pairs of a column)."
        )
    if narrow:
        some = f"in {narrow} of {columns} columns " if narrow < columns else ""
        if not some:
            yield "Models that share a letter cannot be told apart at 0.05."
        yield (
            f"As {some}no model was trained twice, or none came out differently, letters"
            f" {'there ' if some else ''}speak of other requests only, not of other trainings"
            " (Fisher's randomisation test over users, Holm's correction over all pairs of a"
            " column)."
        )
    yield (
        f"{bold} is whatever cannot be told from the best. Rank is where a model may stand, for all"
        " models at once with 95%. ± is the standard deviation over seeds."
    )


def _trainings(board: Leaderboard, bold: str) -> Iterator[str]:
    rows = [row for table in board.tables for row in table.rows]
    borrowed = {row.entry.label for row in rows if row.borrowed}
    changes = [c for each in board.tradeoff for c in (each.rec, each.search)]
    changes += [c for each in board.changed for c in (each.rec, each.search)]
    parts = [c for t in board.ablations for part in t.parts for c in (part.rec, part.search)]
    if borrowed or any(change.borrowed for change in (*changes, *parts)):
        models = f" ({len(borrowed)} model{'' if len(borrowed) == 1 else 's'})" if borrowed else ""
        yield (
            "‡ one seed: what other trainings of it would score is not known, so the spread of"
            f" models that were trained several times stands in{models}."
        )
    if any(row.entry.last_doubling is not None for row in rows):
        yield (
            "Behind the time of training stands by how much the last doubling of its steps raised"
            " its validation."
        )
    if any(row.entry.capped for row in rows):
        yield (
            f"{CAPPED.strip()} the cap of the budget ended a training: it may have gone on to rise."
        )
    counts = [row.seeds for row in rows if not row.borrowed and row.entry.uses_seed]
    counts += [change.seeds for change in changes if change.change is not None]
    for table in board.ablations:
        counts += [table.seeds, *(part.seeds for part in table.parts)]
    if any(seeds < FEW_SEEDS for seeds in counts):
        yield f"† fewer than {FEW_SEEDS} seeds: the spread over seeds is not known well."
    changes += parts
    if any(change.change is not None for change in changes):
        narrow = any(c.question == "requests" for c in changes if c.p is not None)
        yield (
            "Changes are of means over seeds, with 95% intervals over users and trainings, tested"
            f" as the letters are; {bold.lower()} is a change at 0.05 after Holm's correction over"
            " its table."
        )
        if narrow:
            yield (
                "Where no model of such a table was trained twice, or none came out differently,"
                " that is over users only."
            )


def _runs(board: Leaderboard) -> Iterator[str]:
    rows = [row for table in board.tables for row in table.rows]
    presets = {row.entry.preset for row in rows} | {table.preset for table in board.ablations}
    yield f"Presets: {', '.join(sorted(presets))}."
    yield from _machines({run.folder: run.info for row in rows for run in row.entry.runs}.values())
    tuned = {row.entry.label: row.entry.trials for row in rows if row.entry.trials}
    if tuned:
        sizes = ", ".join(f"{name} {trials}" for name, trials in sorted(tuned.items()))
        yield f"Settings chosen on validation, by so many trials: {sizes}."
    if board.versions > 1:
        yield f"Versions of the harness that asked the runs: {board.versions}."
    if board.mixed:
        yield f"Runs of several versions of the model's code: {', '.join(board.mixed)}."
    if any(None in (row.mean, row.entry.parameters) for row in rows):
        yield f"{NOTHING}: not known, or not asked of every seed."
    if board.superseded:
        yield f"Runs left out because a newer one has the same request: {board.superseded}."


def _machines(runs: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Tell when and on what the runs were made, as their times are those of these machines."""
    made = [(info["finished"][:10], info["environment"]) for info in runs]
    if not made:
        return
    days = sorted({day for day, _ in made})
    kinds = Counter(filter(None, (_machine(told) for _, told in made)))
    shown = [name for name, _ in kinds.most_common(_MACHINES)]
    if len(kinds) > len(shown):
        shown.append(f"{len(kinds) - len(shown)} more")
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    yield f"Run {span}{' on ' if shown else ''}{'; '.join(shown)}."


def _machine(told: dict[str, Any]) -> str:
    """Return what a run says of the machine that it was made on, nothing of one elsewhere."""
    cores = told.get("cpus")
    processor = f"{told['cpu']}, {cores} core{'' if cores == 1 else 's'}" if told.get("cpu") else ""
    device = "" if told.get("device") in ("cpu", "external") else str(told.get("device", ""))
    return " and ".join(filter(None, (device, processor)))
