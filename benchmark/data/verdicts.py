"""What an audit means, in words: a verdict for each thing that it counts, and for the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmark.data.audit import FAULTS, LEAKS, AuditReport, AuditRow
from benchmark.data.easy import EasyTask

__all__ = ["Check", "Verdict", "checks", "meaning", "verdict"]

Verdict = Literal["ok", "leak", "allowed", "fault", "note"]
"""``allowed`` is a leak that ``leakage: paper`` asks for, ``note`` what is worth knowing."""


@dataclass(frozen=True)
class Check:
    """One thing that the audit looked for.

    Attributes:
        name: of the number of :class:`~benchmark.data.audit.AuditRow`.
        verdict: of it.
        text: the same in words.
        counts: by part and task, as in ``"test search"``, where it is not 0.
    """

    name: str
    verdict: Verdict
    text: str
    counts: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the check JSON-ready."""
        return asdict(self)


def checks(report: AuditReport) -> tuple[Check, ...]:
    """Return a verdict on each thing that the audit counts, leaks first."""
    leak: Verdict = "leak" if report.leakage == "safe" else "allowed"
    found = [_check(report, name, text, leak) for name, text in LEAKS.items()]
    found += [_check(report, name, text, "fault") for name, text in FAULTS.items()]
    shown = report.hidden_queries_shown
    words = (
        f"training shows {f'the words of {shown:,}' if shown else 'no words of'} queries that no"
    )
    words += " training event has"
    counts = {"all": float(shown)} if shown else {}
    found.append(Check("hidden_queries_shown", "fault" if shown else "ok", words, counts))
    return (*found, *_notes(report))


def _check(report: AuditReport, name: str, text: str, bad: Verdict) -> Check:
    counts = _counts(report, name)
    if not counts:
        return Check(name, "ok", f"no requests {text}", counts)
    where = _where(report, counts)
    return Check(name, bad, f"{where} requests {text}", counts)


def _counts(report: AuditReport, name: str) -> dict[str, float]:
    return {_of(row): getattr(row, name) for row in report.rows if getattr(row, name)}


def _of(row: AuditRow) -> str:
    return f"{row.part} {row.task}"


def _where(report: AuditReport, counts: Mapping[str, float]) -> str:
    requests = {_of(row): row.requests for row in report.rows}
    return "; ".join(
        f"{which}: {count:,.0f} of {requests[which]:,}" for which, count in counts.items()
    )


def _notes(report: AuditReport) -> Iterator[Check]:
    if later := _counts(report, "later_training"):
        shares = ", ".join(f"{which} {share:.0%}" for which, share in later.items())
        yield Check(
            "later_training",
            "note",
            f"requests of users who have a later training event: {shares}"
            + (" (split temporal cuts everybody at once)" if report.split != "temporal" else ""),
            later,
        )
    if again := _counts(report, "repeated_targets"):
        where = f"{_where(report, again)} requests ask for what their history holds already"
        yield Check("repeated_targets", "note", where, again)
    if left := _counts(report, "not_asked"):
        where = ", ".join(f"{which} {count:,.0f}" for which, count in left.items())
        text = f"further requests that only repeat their history, and are not asked: {where}"
        yield Check("not_asked", "note", text, left)


def verdict(report: AuditReport) -> str:
    """Return the verdict on the whole, in a sentence."""
    if not report.ok:
        number = len(report.problems)
        return f"not clean: {number} {'problem' if number == 1 else 'problems'}, told above"
    if report.leakage == "safe":
        return "clean: nothing leaks, nothing is broken"
    if any(check.verdict == "allowed" for check in checks(report)):
        return "nothing is broken; it leaks as leakage: paper has it, so read no score as a fact"
    return "nothing is broken, and nothing leaks, though leakage: paper would allow it"


def meaning(task: str, easy: EasyTask) -> Iterator[str]:
    """Yield in words what the shares of a task's test requests that rules answer mean.

    Args:
        task: its name.
        easy: of its test requests.
    """
    best = max(easy.top_10, key=lambda name: easy.top_10[name])
    answered = f"simple rules answer {easy.any_rule:.0%} of {easy.requests:,} requests"
    left = f"{easy.hard:,} are left to tell models apart (slice hard)"
    if easy.any_rule >= 0.8:
        yield f"{task}: nearly solved: {answered}, '{best}' alone {easy.top_10[best]:.0%}; {left}"
    elif easy.any_rule >= 0.5:
        yield f"{task}: easy: {answered}, '{best}' alone {easy.top_10[best]:.0%}; {left}"
    else:
        yield f"{task}: not easy: {answered}; {left}"
    if easy.repeats >= 0.3:
        yield (
            f"{task}: {easy.repeats:.0%} of events repeat an item of their user; what repeats is"
            " found by looking back"
        )
    words = easy.words
    if words is None:
        return
    if words.words_in_target >= 0.8:
        yield (
            f"{task}: {words.words_in_target:.0%} of a query's words stand in what it looks for, so"
            " matching words goes far"
        )
    elif words.words_in_target < 0.1:
        yield (
            f"{task}: {words.words_in_target:.0%} of a query's words stand in what it looks for, so"
            " matching words finds next to nothing"
        )
    if words.pairs_in_training >= 0.5:
        yield (
            f"{task}: {words.pairs_in_training:.0%} of requests were answered in training by the"
            " same words and item, so remembering goes far"
        )
