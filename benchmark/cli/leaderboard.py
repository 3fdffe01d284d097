"""``leaderboard``: tables from stored runs."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.output import page_text, remark, show, terminal_width
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
        bool, typer.Option("--brief", help="Whole catalogue only, without slices.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="The answer in words and the telling rows only.")
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
    _refuse(format_, brief, summary, pages, part=model is not None, checked_picture=check and drawn)
    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    around = target.text() if target is not None and into is not None else None
    made = _boards(_records(results, dataset, model, _presets(preset)))
    shown = [board.brief() if brief else board for board in made]
    # All that may fail comes before anything is written.
    image = None if drawn is None else _drawn(made, drawn)
    text = _text(shown, format_, summary, model is None, pages)
    if around is not None:
        from benchmark.report.markdown import between_markers

        text = between_markers(around, text, f"--into {into}")
    if drawn is not None and image is not None:
        drawn.write(image)
    if drawn is not None and target is None:
        remark(f"{drawn.path} is written")
    else:
        _write(text, target, check)


def _refuse(
    format_: Format,
    brief: bool,
    summary: bool,
    pages: str | None,
    *,
    part: bool,
    checked_picture: object,
) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: some do not.
    """
    if checked_picture:
        raise InputError("--check: it compares --out or --into, no --picture")
    if brief and format_ in (Format.html, Format.json):
        raise InputError("--brief: for --format table, md and latex only")
    if summary and (format_ not in (Format.table, Format.md) or brief or part):
        raise InputError("--summary: for --format table and md, of all models, and without --brief")
    if pages is not None and format_ is not Format.html:
        raise InputError("--pages: for --format html only")


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
    from benchmark.results.scan import scan_runs

    wanted = None if dataset is None else [name.strip() for name in dataset.split(",")]
    folders = {as_name(name) for name in wanted or ()}
    # Where one is missing, all are read, so that the message can name those that there are.
    there = bool(folders) and all((results / "runs" / name).is_dir() for name in folders)
    records = _of_models(list(scan_runs(results, remark, folders if there else None)), model)
    if presets is not None:
        records = [r for r in records if r.info["preset"] in presets]
    return records if wanted is None else _of_datasets(records, wanted)


def _of_models(records: list[RunRecord], named: str | None) -> list[RunRecord]:
    """Return the runs of models that are named, of all but diagnostic ones if none is."""
    from benchmark.registry import available, is_taken

    known = available()
    if named is None:
        hidden = {name for name, entry in known.items() if entry.group == "diagnostic"}
        return [r for r in records if r.info["model"] not in hidden]
    names = [as_name(name.strip()) for name in named.split(",")]
    for name in names:
        if not is_taken(name) and all(r.info["model"] != name for r in records):
            raise InputError(f"--model: unknown '{name}'{did_you_mean(name, known)}")
    return [r for r in records if r.info["model"] in names]


def _of_datasets(records: list[RunRecord], wanted: list[str]) -> list[RunRecord]:
    datasets = sorted({r.info["dataset"] for r in records})
    for name in wanted:
        if name not in datasets:
            raise InputError(f"--dataset: no run on '{name}'{did_you_mean(name, datasets)}")
    return [r for r in records if r.info["dataset"] in wanted]


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


def _text(
    shown: list[Leaderboard], format_: Format, summary: bool, answered: bool, pages: str | None
) -> str:
    if format_ is Format.table:
        from benchmark.cli.board_page import board_page, summary_page

        return page_text(summary_page(shown) if summary else board_page(shown, answered))
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
    from benchmark.report.markdown import to_markdown, to_summary

    return to_summary(shown) if summary else to_markdown(shown, answered)
