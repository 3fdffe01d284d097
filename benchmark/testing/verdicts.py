"""What a check came to, in words that say what to change; and small data to check on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.synthetic_card import write_synthetic_card
from benchmark.errors import BenchmarkError
from benchmark.failures import ForeignCodeError, blaming
from benchmark.testing.subject import Subject

__all__ = ["ADVICE", "Verdict", "made_up_data", "verdict_of"]

ADVICE: dict[str, str] = {
    "shapes": "let score return float32 [requests, candidates], or [requests, items] where"
    " candidates is None; minus infinity means not produced, NaN is an error",
    "retrieval": "retrieve returns int32 items and float32 scores [requests, k]: distinct, best"
    " first, unseen where exclude_seen holds, -1 and minus infinity where a place stays empty",
    "one_answer": "score and retrieve have to rank alike; define one of them by the other",
    "global_randomness": "seed no global generator and draw from none; wrap what does in"
    " torch.random.fork_rng()",
    "determinism": "draw from generators made from context.seed only, and let no set or hash order"
    " decide anything",
    "save_and_load": "state has to return all that score needs, and restore has to take it back;"
    " settings are fields of a frozen dataclass",
    "batch_size": "a request's scores may depend on nothing else in its batch: evaluate in eval()"
    " mode, mask padding, and use no statistics of the batch",
    "histories": "answer an empty history (all -1) and one longer than any window",
    "vectors": "request_vectors times ranked_vectors has to be score",
    "unseen_word": "give words that training never showed a place of their own, or none",
    "given": "declare in given() what is read: item_text, query_text, times, users, encoder; or do"
    " not read it",
    "search_space": "name settings of the class, with values that they may have",
}
"""What to change where a check fails, by its name."""


class Verdict(NamedTuple):
    """What a check came to.

    Attributes:
        check: its name.
        holds: whether the model holds it.
        rule: what has to hold.
        advice: what to change, behind what was found; empty where it holds.
        raised: what the model's own code raised, and where; empty where it raised nothing.
    """

    check: str
    holds: bool
    rule: str
    advice: str
    raised: str = ""


def verdict_of(check: Callable[[Subject], None], subject: Subject) -> Verdict:
    """Call a check; whatever it raises, the model does not hold it."""
    name = check.__name__.strip("_")
    rule = (check.__doc__ or "").strip().partition("\n")[0]
    try:
        with blaming("it raised"):
            check(subject)
    except BenchmarkError as error:
        found = " ".join(str(error).split()).removeprefix("it raised: ")
        by_itself = isinstance(error, ForeignCodeError)
        raised = found if by_itself and not isinstance(error.__cause__, AssertionError) else ""
        return Verdict(name, False, rule, f"{ADVICE[name]} (found: {found})", raised)
    return Verdict(name, True, rule, "")


def made_up_data(seed: int = 0) -> Dataset:
    """Return a small data set with both tasks, drawn by the rules of ``data synthetic``."""
    rules = {"users": 60, "items": 120, "events": 1200, "seed": seed}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "made-up")
        write_synthetic_card(folder, None, rules, ())
        return load_dataset(folder, cache=Path(place, "cache"))
