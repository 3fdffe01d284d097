"""What ``data audit`` shows to people: a verdict a line, and how easy the data are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rich.table import Table

from benchmark.cli.data_pages import TASKS
from benchmark.cli.pages import Entry, Heading, Part, percent
from benchmark.data.audit import AuditReport
from benchmark.data.easy import EasyTask, SearchWords
from benchmark.data.verdicts import Check, checks, meaning, verdict

__all__ = ["audit_page"]

_MARKS = {"ok": "ok", "leak": "LEAK", "allowed": "leaks", "fault": "FAULT", "note": "note"}
_WORDS: dict[str, Callable[[SearchWords], float]] = {
    "words of the query in the target": lambda words: words.words_in_target,
    "all words of the query in the target": lambda words: words.all_words_in_target,
    "query known from training": lambda words: words.queries_in_training,
    "query and item known from training": lambda words: words.pairs_in_training,
}


def audit_page(report: AuditReport, easy: Mapping[str, EasyTask]) -> Iterator[Part]:
    """Yield the parts of a page on what an audit found.

    Args:
        report: of leaks and faults.
        easy: by task, what needs no model.
    """
    yield Heading(report.dataset)
    yield Entry("", f"split {report.split}, leakage {report.leakage}, data {report.digest[:12]}")
    looked_at = ", ".join(f"{row.requests:,} {row.part} {row.task}" for row in report.rows)
    yield Entry("", f"Looked at: {looked_at or 'no'} requests.")
    yield Heading("Leaks and faults")
    yield from map(_line, checks(report))
    if easy:
        yield Heading("What needs no model: shares of the test requests answered in the top 10")
        yield _easy(easy)
        for task, each in easy.items():
            yield from (Entry("-", line, indent=2) for line in meaning(TASKS[task], each))
    yield Heading("Verdict")
    yield Entry("", verdict(report))


def _line(check: Check) -> Entry:
    return Entry(_MARKS[check.verdict], check.text, indent=7)


def _easy(easy: Mapping[str, EasyTask]) -> Table:
    table = Table("", *(TASKS[task] for task in easy))
    rules = dict.fromkeys(name for each in easy.values() for name in each.top_10)
    for name in rules:
        table.add_row(name, *(_share(each.top_10.get(name)) for each in easy.values()))
    table.add_row("any of these", *(_share(each.any_rule) for each in easy.values()))
    table.add_row("requests none answers", *(f"{each.hard:,}" for each in easy.values()))
    table.add_row("events that repeat an item", *(_share(each.repeats) for each in easy.values()))
    if any(each.words for each in easy.values()):
        for name, value in _WORDS.items():
            shares = (None if e.words is None else value(e.words) for e in easy.values())
            table.add_row(name, *map(_share, shares))
    return table


def _share(share: float | None) -> str:
    return "" if share is None else percent(share)
