"""``leaderboard``: tables from stored runs."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.output import remark, show
from benchmark.errors import CheckFailedError, InputError, did_you_mean
from benchmark.settings import PRESETS

__all__ = ["leaderboard"]


class Format(str, Enum):
    """How the leaderboard is written."""

    md = "md"
    json = "json"


def leaderboard(
    results: Annotated[Path, typer.Option(help="Folder of the run records.")] = Path("results"),
    dataset: Annotated[str | None, typer.Option(help="Show this data set only.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Show these models only, diagnostic ones too.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Show runs of this preset only.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="md or json.")] = Format.md,
    out: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file of --out is stale.")
    ] = False,
) -> None:
    """Show the leaderboard of the stored runs."""
    if check and out is None:
        raise InputError("--check: name the file to compare by --out")
    if not results.is_dir():
        raise InputError(f"--results {results}: no such folder")
    if out is not None and out.is_dir():
        raise InputError(f"--out {out}: is a folder; name a file")
    if preset is not None and preset not in PRESETS:
        raise InputError(f"--preset: unknown '{preset}'{did_you_mean(preset, PRESETS)}")
    text = _text(results, dataset, model, preset, format_)
    if out is None:
        show(text)
    elif check:
        if not out.is_file() or out.read_bytes() != text.encode():
            raise CheckFailedError(f"{out} is stale; write it again without --check")
        remark(f"{out} is up to date")
    else:
        unfinished = out.with_name(f".{out.name}.tmp")
        try:
            unfinished.write_bytes(text.encode())
            unfinished.replace(out)
        except OSError as error:
            raise InputError(f"--out {out}: {error.strerror}") from error


def _text(
    results: Path, dataset: str | None, model: str | None, preset: str | None, format_: Format
) -> str:
    from benchmark.registry import available
    from benchmark.report.leaderboard import boards
    from benchmark.report.render import to_json, to_markdown
    from benchmark.results.record import scan_runs

    records = list(scan_runs(results, remark))
    known = available()
    if model is None:
        hidden = {name for name, entry in known.items() if entry.group == "diagnostic"}
        records = [r for r in records if r.info["model"] not in hidden]
    else:
        names = [name.strip() for name in model.split(",")]
        for name in names:
            if name not in known and all(r.info["model"] != name for r in records):
                raise InputError(f"--model: unknown '{name}'{did_you_mean(name, known)}")
        records = [r for r in records if r.info["model"] in names]
    if preset is not None:
        records = [r for r in records if r.info["preset"] == preset]
    found = sorted({r.info["dataset"] for r in records})
    if dataset is not None:
        if dataset not in found:
            raise InputError(f"--dataset: no run on '{dataset}'{did_you_mean(dataset, found)}")
        records = [r for r in records if r.info["dataset"] == dataset]
    elif format_ is Format.json and len(found) > 1:
        raise InputError(f"--format json: name one of the data sets {', '.join(found)}")
    made = boards(records)
    if format_ is Format.json:
        return json.dumps(to_json(made), indent=1, ensure_ascii=False) + "\n"
    return to_markdown(made)
