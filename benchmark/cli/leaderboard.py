"""``leaderboard``: tables from stored runs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import remark, show, show_page, terminal_width
from benchmark.cli.pictures import picture_target
from benchmark.errors import CheckFailedError, InputError, did_you_mean
from benchmark.names import as_name
from benchmark.plain_text import plain_json
from benchmark.settings import IMPORTED, PRESETS

if TYPE_CHECKING:
    from benchmark.analysis.leaderboard import Leaderboard
    from benchmark.results.record import RunRecord
    from benchmark.target import Target

__all__ = ["leaderboard"]


class Format(str, Enum):
    """How the leaderboard is written; ``table`` is for a terminal."""

    table = "table"
    md = "md"
    html = "html"
    json = "json"
    latex = "latex"


def leaderboard(
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    dataset: Annotated[
        str | None,
        typer.Option(help="Show these data sets only, and how the orders of several agree."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Show these models only, diagnostic ones too.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Show runs of these presets only; `imported` is one too.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="How to write it; table in a terminal, else md."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Write between the leaderboard markers of this file (md).")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw means, intervals and ranks into this .svg or .png.")
    ] = None,
    brief: Annotated[
        bool, typer.Option("--brief", help="Whole catalogue only, without slices (md, latex).")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="The answer in words and the telling rows only (md).")
    ] = False,
    pages: Annotated[
        str | None,
        typer.Option(
            help="Address below which each model has a page NAME.html, to link to (html)."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if --out or --into is stale.")
    ] = False,
) -> None:
    """Show the leaderboard of the stored runs."""
    target = _target(out, into, format_, check)
    if format_ is None:
        format_ = Format.md if terminal_width() is None or target is not None else Format.table
    drawn = None if picture is None else picture_target(picture)
    if drawn is not None and check:
        raise InputError("--check: it compares --out or --into, no --picture")
    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    if brief and format_ in (Format.html, Format.json):
        raise InputError("--brief: for --format table, md and latex only")
    if summary and (format_ not in (Format.table, Format.md) or brief or model is not None):
        raise InputError("--summary: for --format table and md, of all models, and without --brief")
    if pages is not None and format_ is not Format.html:
        raise InputError("--pages: for --format html only")
    around = target.text() if target is not None and into is not None else None
    made = _boards(_records(results, dataset, model, _presets(preset)))
    shown = [board.brief() if brief else board for board in made]
    if drawn is not None:
        drawn.write(_drawn(made, drawn))
    if target is None and drawn is not None:
        remark(f"{drawn.path} is written")
        return
    if format_ is Format.table:
        _show_page(shown, summary, answered=model is None)
        return
    text = _summary(made) if summary else _text(shown, format_, model is None, pages)
    if around is not None:
        from benchmark.report.markdown import between_markers

        text = between_markers(around, text, f"--into {into}")
    _write(text, target, check)


def _presets(named: str | None) -> set[str] | None:
    """Return the presets whose runs are shown, ``None`` for all."""
    presets = None if named is None else {part.strip() for part in named.split(",")}
    known = (*PRESETS, IMPORTED)
    for name in sorted(presets or ()):
        if name not in known:
            raise InputError(f"--preset: unknown '{name}'{did_you_mean(name, known)}")
    return presets


def _write(text: str, target: Target | None, check: bool) -> None:
    """Write a text to its file or to stdout, or compare it with the file."""
    if target is None:
        show(text)
    elif not check:
        target.write(text.encode())
    elif target.content != text.encode():
        raise CheckFailedError(f"{target.path} is stale; write it again without --check")
    else:
        remark(f"{target.path} is up to date")


def _target(
    out: Path | None, into: Path | None, format_: Format | None, check: bool
) -> Target | None:
    """Return the file to write, ``None`` for stdout."""
    from benchmark.target import Target, is_stdout

    if out is not None and into is not None:
        raise InputError("--into: either that or --out, not both")
    if into is not None and format_ not in (None, Format.md):
        raise InputError("--into: for --format md only")
    if out is not None and is_stdout(out):
        out = None
    if out is not None and format_ is Format.table:
        raise InputError("--out: for --format md, html, json and latex")
    if check and out is None and into is None:
        raise InputError("--check: name the file to compare by --out or --into")
    if into is not None:
        return Target.at("--into", into, writable=not check)
    return None if out is None else Target.at("--out", out, writable=not check)


def _records(
    results: Path, dataset: str | None, model: str | None, presets: set[str] | None
) -> list[RunRecord]:
    from benchmark.registry import available, is_taken
    from benchmark.results.scan import scan_runs

    wanted = None if dataset is None else [name.strip() for name in dataset.split(",")]
    there = wanted and all((results / "runs" / as_name(name)).is_dir() for name in wanted)
    named = {as_name(name) for name in wanted} if wanted and there else None
    records = list(scan_runs(results, remark, named))
    known = available()
    if model is None:
        hidden = {name for name, entry in known.items() if entry.group == "diagnostic"}
        records = [r for r in records if r.info["model"] not in hidden]
    else:
        names = [as_name(name.strip()) for name in model.split(",")]
        for name in names:
            if not is_taken(name) and all(r.info["model"] != name for r in records):
                raise InputError(f"--model: unknown '{name}'{did_you_mean(name, known)}")
        records = [r for r in records if r.info["model"] in names]
    if presets is not None:
        records = [r for r in records if r.info["preset"] in presets]
    if wanted is not None:
        datasets = sorted({r.info["dataset"] for r in records})
        for name in wanted:
            if name not in datasets:
                raise InputError(f"--dataset: no run on '{name}'{did_you_mean(name, datasets)}")
        records = [r for r in records if r.info["dataset"] in wanted]
    return records


def _boards(records: list[RunRecord]) -> list[Leaderboard]:
    from benchmark.analysis.leaderboard import boards

    return boards(records)


def _drawn(made: list[Leaderboard], target: Target) -> bytes:
    from benchmark.report.figures import file_of
    from benchmark.report.forest import forest

    figure = forest(made)
    if figure is None:
        raise InputError("--picture: there is no run to draw")
    return file_of(figure, target.path.suffix)


def _show_page(shown: list[Leaderboard], summary: bool, answered: bool) -> None:
    from benchmark.cli.board_page import board_page, summary_page

    show_page(summary_page(shown) if summary else board_page(shown, answered))


def _summary(made: list[Leaderboard]) -> str:
    from benchmark.report.markdown import to_summary

    return to_summary(made)


def _text(shown: list[Leaderboard], format_: Format, answered: bool, pages: str | None) -> str:
    if format_ is Format.json:
        from benchmark.report.json import to_document

        datasets = sorted({board.dataset for board in shown})
        if len(datasets) > 1:
            raise InputError(f"--format json: name one of the data sets {', '.join(datasets)}")
        return plain_json(to_document(shown), "ascii")
    if format_ is Format.html:
        from benchmark.report.html import to_html

        return to_html(shown, answered, pages or "")
    if format_ is Format.latex:
        from benchmark.report.latex import to_latex

        return to_latex(shown)
    from benchmark.report.markdown import to_markdown

    return to_markdown(shown, answered)
