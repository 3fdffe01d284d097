"""``check-model``: whether a model holds what every model has to, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from benchmark.cli.output import progress, show_json, show_page, show_table
from benchmark.cli.pages import Entry, Heading, Part
from benchmark.errors import CheckFailedError
from benchmark.failures import blaming
from benchmark.plain_text import plain

if TYPE_CHECKING:
    from benchmark.testing import Verdict

__all__ = ["check_model"]


def check_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="A card's name or a folder; small data that are made up if not."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check that a model holds what every model has to, and say what to change.

    It is trained for a few steps. The exit status is 1 where a check fails.
    """
    from benchmark.data.load import load_dataset
    from benchmark.registry import find
    from benchmark.testing import CHECKS, Subject, Verdict, made_up_data, verdict_of

    entry = find(name)
    entry.load()
    data = (
        made_up_data() if dataset is None else load_dataset(dataset, notify=progress, remind=False)
    )
    subject, verdicts = Subject(entry, data), list[Verdict]()
    progress(f"{entry.name}: training")
    with blaming(f"{entry.name}: it cannot be trained, so nothing was checked"):
        _ = subject.model
    for check in CHECKS:
        progress(f"{entry.name}: {check.__name__.strip('_').replace('_', ' ')}")
        verdicts.append(verdict_of(check, subject))
    if as_json:
        show_json([each._asdict() for each in verdicts])
    else:
        table = Table("check", "holds", "what has to hold")
        for each in verdicts:
            table.add_row(each.check, "yes" if each.holds else "NO", each.rule.replace("``", "'"))
        show_table(table)
        show_page(_to_change(verdicts))
    failed = [each.check for each in verdicts if not each.holds]
    if failed:
        raise CheckFailedError(f"{entry.name} does not hold: {', '.join(failed)}")


def _to_change(verdicts: list[Verdict]) -> Iterator[Part]:
    """Yield what to change where a check fails; what makes several fail, only once."""
    failed: dict[str, list[Verdict]] = {}
    for each in verdicts:
        if not each.holds:
            failed.setdefault(each.raised or each.advice, []).append(each)
    if failed:
        yield Heading("What to change")
    for cause, found in failed.items():
        text = f"the model itself raised {cause}" if len(found) > 1 else found[0].advice
        yield Entry("-", f"{', '.join(each.check for each in found)}: {plain(text)}", indent=2)
