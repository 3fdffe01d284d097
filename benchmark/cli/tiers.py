"""``tiers``: which systems of any benchmark differ, from a table of their scores by item."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from itertools import groupby
from math import isfinite
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.output import show, show_json, terminal_width
from benchmark.data.recognise import HEAD, foreign_text, recognise, separator
from benchmark.errors import InputError
from benchmark.files import open_regular
from benchmark.plain_text import plain

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.statistics.recipes import Tiers

__all__ = ["tiers"]

_WIDTH = 80
_PACKED = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")


def tiers(
    scores: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet file with the columns system, item, score; optional seed, cluster."
        ),
    ],
    level: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Probability of any wrong difference.")
    ] = 0.05,
    margin: Annotated[
        float, typer.Option(min=0.0, help="Share of the best mean that makes no difference.")
    ] = 0.02,
    narrow: Annotated[
        bool, typer.Option("--narrow", help="Ask about other items only, not other trainings.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Show which systems of any benchmark differ, from their scores by item.

    SCORES has the columns system, item and score, of which higher is better; and, where there are
    any, seed (of a training) and cluster (items that belong together, such as one user's).
    """
    from benchmark.statistics import tiers as compare

    try:
        found = compare(
            _read(scores),
            level=level,
            margin=margin,
            question="requests" if narrow else "recipes",
        )
    except InputError as error:
        raise InputError(f"{scores}: {error}") from error
    if as_json:
        show_json(_document(found))
    else:
        show(_text(found))


def _read(file: Path) -> pd.DataFrame:
    """Read a table; its index says in which line of the file a row stands."""
    import pandas as pd

    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        _check_text(file)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                file,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                index_col=False,
                encoding="utf-8-sig",
            )
    except OSError as error:
        raise InputError(error.strerror or str(error)) from error
    except pd.errors.EmptyDataError as error:
        raise InputError("the file is empty") from error
    except pd.errors.ParserWarning as error:
        raise InputError("the rows have more fields than the header") from error
    except pd.errors.ParserError as error:
        raise InputError(str(error).rpartition("C error: ")[2].strip()) from error
    except UnicodeDecodeError as error:
        around = error.object[max(0, error.start - 20) : error.end + 20]
        raise InputError(f"the file is {foreign_text(around)}") from error
    except ValueError as error:  # no Parquet
        raise InputError(f"is no table: {error}") from error
    frame.columns = [str(name).strip() for name in frame.columns]
    if len(frame.columns) == 1:
        header = frame.columns[0]
        if (how := separator(header, "commas", lambda parts: "system" in parts)) is not None:
            raise InputError(how)
        raise InputError("the header is one column; fields are separated by commas")
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="line")
    return frame[~((frame == "") | frame.isna()).all(axis=1)]


def _check_text(file: Path) -> None:
    """Refuse what is no CSV; a pipe is not looked at, and pandas unpacks what says so."""
    if file.suffix in _PACKED or not file.is_file():
        return
    with open_regular(file) as opened:
        what = recognise(opened.read(HEAD), "CSV")
    if what is not None:
        raise InputError(what)


def _document(found: Tiers) -> dict[str, Any]:
    systems = [
        {
            "system": found.names[i],
            "mean": found.means[i],
            "letters": found.letters[i],
            "rank_low": found.rank_low[i],
            "rank_high": found.rank_high[i],
            "trainings": found.trainings[i],
            "borrowed": found.borrowed[i],
        }
        for i in found.order
    ]
    pairs = []
    for pair in found.pairs:
        low, high = (v if isfinite(v) else None for v in (pair.low, pair.high))
        names = {"a": found.names[pair.a], "b": found.names[pair.b], "low": low, "high": high}
        pairs.append(asdict(pair) | names)
    return {
        "question": found.question,
        "level": found.level,
        "margin": found.margin,
        "units": found.units,
        "systems": systems,
        "pairs": pairs,
    }


def _text(found: Tiers) -> str:
    lines = [*_ranking(found), "", *_explained(found), "", *_wins(found)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _ranking(found: Tiers) -> list[str]:
    """Return a line for each system, the best first."""
    rows = [("#", "system", "mean", "ranks", "seeds", "letters")]
    for place, i in enumerate(found.order, 1):
        low, high = found.rank_low[i], found.rank_high[i]
        ranks = f"{low}-{high}" if low < high else f"{low}"
        seeds = f"{found.trainings[i]}{'*' if found.borrowed[i] else ''}"
        rows.append(
            (str(place), plain(found.names[i]), f"{found.means[i]:.4f}", ranks, seeds,
             condensed(found.letters[i]))
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = []
    for row in rows:
        number, name, mean, ranks, seeds = (
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row[:5], widths, strict=True))
        )
        lines.append(f"{number}  {name}  {mean}  {ranks}  {seeds}  {row[5]}")
    return lines


def condensed(letters: str) -> str:
    """Write three letters or more that follow one another as ``a-c``."""
    names = letters.split(",") if "," in letters else list(letters)
    numbers = [_number(name) for name in names]
    parts = []
    for _, run in groupby(enumerate(numbers), key=lambda each: each[1] - each[0]):
        places = [place for place, _ in run]
        first, last = names[places[0]], names[places[-1]]
        parts += [f"{first}-{last}"] if len(places) > 2 else names[places[0] : places[-1] + 1]
    return ("," if "," in letters else "").join(parts)


def _number(name: str) -> int:
    number = 0
    for letter in name:
        number = number * len(ascii_lowercase) + ascii_lowercase.index(letter) + 1
    return number


def _explained(found: Tiers) -> list[str]:
    asked = {
        "recipes": "other trainings of the same recipes, on other items",
        "requests": "other items, for these very trainings",
    }[found.question]
    lines = [
        f"Letters and ranks speak of {asked}.",
        "Systems that share a letter cannot be told apart. All ranks hold at once with a",
        f"confidence of {1 - found.level:.4g}.",
        f"Differences up to {found.margin:.4g} do not matter: {_count(found, 'equivalent')} of "
        f"{len(found.pairs)} pairs are equivalent,",
        f"{_count(found, 'differs')} differ and look larger, {_count(found, 'unclear')} unclear.",
    ]
    if any(found.borrowed):
        lines.append("* one training: how much another would differ is borrowed from the others.")
    return lines


def _count(found: Tiers, verdict: str) -> int:
    return sum(pair.verdict == verdict for pair in found.pairs)


def _wins(found: Tiers) -> list[str]:
    """Return the matrix of wins, as many systems as fit."""
    wins = {(pair.a, pair.b): pair.wins for pair in found.pairs}
    wins |= {(pair.b, pair.a): pair.losses for pair in found.pairs}
    size = len(found.names)
    width = max(len(str(found.units)) + 1, len(str(size)) + 1)
    margin = len(str(size))
    shown = found.order[: ((terminal_width() or _WIDTH) - margin) // (width + 1)]
    lines = [
        f"Units (items or clusters) won by row against column, of {found.units}.",
        "! marks systems that can be told apart.",
    ]
    if len(shown) < size:
        lines[1] += f" The best {len(shown)} systems; --json has all."
    lines.append(" " * margin + "".join(f" {n:>{width - 1}} " for n in range(1, len(shown) + 1)))
    for number, a in enumerate(shown, 1):
        cells = []
        for b in shown:
            text = "." if a == b else str(wins[a, b])
            mark = "!" if found.p_corrected[a, b] < found.level else " "
            cells.append(f" {text:>{width - 1}}{mark}")
        lines.append(f"{number:>{margin}}" + "".join(cells))
    return lines
