"""What a reader has to know about a board before its figures."""

from __future__ import annotations

from benchmark.analysis.leaderboard import Leaderboard
from benchmark.report.text_tables import FEW_SEEDS, NOTHING

__all__ = ["notes"]


def notes(board: Leaderboard) -> list[str]:
    """Return what a reader has to know about a board, a sentence or two each."""
    rows = [row for table in board.tables for row in table.rows]
    presets = {row.entry.preset for row in rows} | {table.preset for table in board.ablations}
    found = [
        f"Split {board.split}, leakage {board.leakage}, seen items {board.seen}"
        f" (data {board.digest[:12]}, candidates {board.candidates[:12]}).",
        "Models that share a letter cannot be told apart at 0.05, by Fisher's randomisation test"
        " over all pairs of a column with Holm's correction; bold is whatever cannot be told from"
        " the best. ± is the standard deviation over seeds.",
        f"Presets: {', '.join(sorted(presets))}.",
    ]
    tuned = {row.entry.label: row.entry.trials for row in rows if row.entry.trials}
    if tuned:
        sizes = ", ".join(f"{name} {trials}" for name, trials in sorted(tuned.items()))
        found.append(f"Settings chosen on validation, by so many trials: {sizes}.")
    counts = [row.seeds for row in rows]
    for table in board.ablations:
        counts += [table.seeds, *(part.seeds for part in table.parts)]
    if any(seeds < FEW_SEEDS for seeds in counts):
        found.append(f"† fewer than {FEW_SEEDS} seeds: the spread over seeds is not known well.")
    if board.ablations:
        found.append(
            "Change by seed: of each seed that both were run with. p tells whether other requests"
            " would show the change, not whether other trainings would."
        )
    if any(t.task == "search" and t.protocol == "sampled" for t in board.tables):
        found.append(
            "Sampled search lists are the best wrong answers of BM25, so they are adversarial to a"
            " model that ranks by BM25; read search over the whole catalogue first."
        )
    if any(None in (row.mean, row.entry.parameters) for row in rows):
        found.append(f"{NOTHING}: not known, or not asked of every seed.")
    if board.superseded:
        found.append(f"Runs left out because a newer one has the same request: {board.superseded}.")
    return found
