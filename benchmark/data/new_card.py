"""A folder with a card for tables that nobody described yet: every guess stands in it, with why.

The data are copied into the folder, unless they lie in it already: a card reads only files below
its own folder, links that lead out of it are refused, and what later happens to the originals does
not change what was measured.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmark.data.card import read_card
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import reading
from benchmark.data.sources.tables.guess import Guess, guess
from benchmark.data.sources.tables.open_file import open_table
from benchmark.data.sources.tables.rules import Reading
from benchmark.data.sources.tables.sample import Sample, take_sample
from benchmark.errors import InputError
from benchmark.files import flush, open_regular, writing
from benchmark.folders import workplace
from benchmark.names import as_name, check_name
from benchmark.plain_text import plain, plain_list

__all__ = ["NewCard", "new_card"]

_NEEDED = ("user", "item")
_VALUE = re.compile(r"[+-]?[0-9][0-9.,:TZ+/ -]*")
"""What a number or a time looks like, and no column's name."""
_SAYS = {
    "user": "who",
    "item": "what",
    "time": "when",
    "query": "the words of a search; an event with words is a search",
    "session": "a visit",
    "type": "the kind of event, see events below",
}


@dataclass(frozen=True)
class NewCard:
    """What was made.

    Attributes:
        folder: with the card.
        name: of the data set.
        guess: what the tables were taken for.
        copied: whether the data were copied into the folder.
        notes: what was left out where the tables were looked at.
    """

    folder: Path
    name: str
    guess: Guess
    copied: bool
    notes: tuple[str, ...]


def new_card(
    files: Mapping[str, Path], name: str | None, out: Path | None, taken: tuple[str, ...]
) -> NewCard:
    """Look at tables and write a folder with a card for them.

    Args:
        files: of ``events``, and where there is one of ``items``.
        name: of the data set; by default the name of the events' file.
        out: the folder; by default one of the data set's name.
        taken: names of the cards that there are.

    Raises:
        InputError: a file is no table, no column can be taken for users or items, the name is
            taken, or the folder holds something else.
    """
    name = _name(files["events"], name, taken)
    if "items" in files and files["items"].resolve() == files["events"].resolve():
        shown = plain(files["events"].name, 80)
        raise InputError(f"{shown}: is named for the events and for the items; leave one out")
    folder = out or Path(name)
    inside = _in_place(folder, files)
    cleaning = Cleaning()
    tables = {
        what: open_table(path, Reading(), cleaning, f"rules.files.{what}")
        for what, path in files.items()
    }
    samples = {what: take_sample(table) for what, table in tables.items()}
    found = guess(samples["events"], samples.get("items"))
    _check(found, samples["events"], "items" in samples)
    names = _names(files, folder if inside else None)
    text = "\n".join(_lines(name, names, samples, found)) + "\n"
    if inside:
        with writing(folder / "card.yaml") as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    else:
        _write(folder, files, names, text)
    return NewCard(folder, name, found, not inside, tuple(dict.fromkeys(cleaning.notes)))


def _name(events: Path, name: str | None, taken: tuple[str, ...]) -> str:
    if name is not None:
        if check_name(name, "--name") in taken:
            raise InputError(f"--name {name}: a card has this name already; choose another")
        return name
    stem = events.name.removesuffix(".gz")
    own = as_name(stem.rpartition(".")[0] or stem)
    return f"{own}-data" if own in taken else own


def _in_place(folder: Path, files: Mapping[str, Path]) -> bool:
    """Return whether the files lie in the folder already; refuse one that holds anything else."""
    shown = plain(str(folder))
    try:
        whole = folder.resolve()
        if not folder.exists() and not folder.is_symlink():
            return False
        if not folder.is_dir():
            raise InputError(f"--out {shown}: is no folder; name another")
        if (folder / "card.yaml").exists() or (folder / "card.yaml").is_symlink():
            raise InputError(f"--out {shown}: holds a card.yaml, which is never overwritten")
        if all(path.resolve().is_relative_to(whole) for path in files.values()):
            return True
        if any(folder.iterdir()):
            raise InputError(f"--out {shown}: is there and not empty; name another folder")
        return False
    except (OSError, RuntimeError) as error:
        raise InputError(f"--out {shown}: cannot be read: {error}") from None


def _names(files: Mapping[str, Path], folder: Path | None) -> dict[str, str]:
    """Return what the files are called in the folder."""
    if folder is not None:
        whole = folder.resolve()
        return {what: path.resolve().relative_to(whole).as_posix() for what, path in files.items()}
    names = {what: as_name(path.name) for what, path in files.items()}
    if len(set(names.values())) < len(names) or "card.yaml" in names.values():
        names = {what: f"{what}-{name}" for what, name in names.items()}
    return names


def _check(found: Guess, events: Sample, items: bool) -> None:
    """Refuse events without users or items, and say what may be the reason."""
    role = next((role for role in _NEEDED if role not in found.columns), None)
    if role is None:
        return
    known = plain_list(events.columns, 20)
    mend = f"call one '{role}_id', or write a card by hand"
    if any(_VALUE.fullmatch(name) for name in (*events.columns, *events.left_out)):
        mend = "does the first line hold values? It must name the columns"
    elif events.left_out:
        name, why = next(iter(events.left_out.items()))
        mend = f"column '{plain(name, 40)}' {why}"
    elif items:
        mend += "; the file of events is named first, that of items second"
    place = plain(events.table.path.name, 80)
    raise InputError(f"{place}: no column can be taken for the {role} ({known}); {mend}")


def _write(folder: Path, files: Mapping[str, Path], names: Mapping[str, str], text: str) -> None:
    """Copy the files into a folder beside the card, whole or not at all."""
    shown = plain(str(folder))
    try:
        with workplace(folder.absolute()) as draft:
            size = sum(path.stat().st_size for path in files.values())
            if size > shutil.disk_usage(draft).free:
                raise InputError(f"--out {shown}: {size:,} bytes do not fit on the disk")
            for what, path in files.items():
                with reading(path):
                    source = open_regular(path)
                with source, (draft / names[what]).open("wb") as copy:
                    shutil.copyfileobj(source, copy, 2**20)
                flush(draft / names[what])
            (draft / "card.yaml").write_text(text, encoding="utf-8")
            read_card(draft / "card.yaml")
            draft.rename(folder.absolute())
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise InputError(f"--out {shown}: is there meanwhile; nothing was written") from None
        raise InputError(f"--out {shown}: cannot be written: {error.strerror}") from None


def _quoted(text: str) -> str:
    """Return a text as YAML that means it whatever it holds."""
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)).strip()


def _lines(
    name: str, names: Mapping[str, str], samples: Mapping[str, Sample], found: Guess
) -> Iterator[str]:
    """Yield the card's lines."""
    events = samples["events"]
    yield "# Written from a look at the files. What stands behind # is a remark; every choice can"
    yield "# be changed. See docs/data/table.md for all rules."
    yield f"name: {_quoted(name)}"
    yield f"description: {_quoted(f'Events of {plain(events.table.path.name, 80)}.')}"
    yield 'source: "own data"  # where the data come from, for those who read the results'
    yield 'licence: "not stated"'
    yield 'citation: ""'
    yield "format: table"
    yield "files:"
    for what, file in names.items():
        sample = samples[what]
        yield f"  # {sample.table.kind}, {sample.rows:,} rows"
        yield f"  {what}: {{name: {_quoted(file)}}}"
    yield "rules:"
    yield "  columns:"
    for role in ("user", "item", "time", "query", "session", "type"):
        if role in found.columns:
            column, why = found.columns[role]
            yield f"    {role}: {_quoted(column)}  # {_SAYS[role]}; {_remark(why)}"
        elif role == "time":
            yield "    time: null  # no column holds times; the order of the rows stands for them"
    if found.unused:
        shown = plain_list(found.unused, 20)
        yield f"    # not used: {_remark(shown)}"
    if found.item_key is not None:
        column, why = found.item_key
        yield f"  item_columns: {{id: {_quoted(column)}}}  # {_remark(why)}"
    if found.time_said:
        yield f"  time: auto  # {_remark(found.time_said)}"
    elif found.positions:
        yield "  time: order  # numbers that no clock shows"
    yield from _types(events, found)
    if found.gap is not None:
        yield "  # A search is asked once for a visit and its words, with all that was taken there."
        yield "  # A visit ends after so many seconds without an event."
        yield f"  session_gap: {found.gap}"
    yield "  at_least: {user: 1, item: 1}  # events that users and items need, to stay"
    if found.title is not None:
        column, why = found.title
        yield f"title: {_quoted('{' + column + '}')}  # what a person calls an item; {_remark(why)}"
    if found.text:
        yield f"text: [{', '.join(map(_quoted, found.text))}]  # further text that models may read"
    yield "split: {name: leave-one-out}  # the last request of each user tests; or temporal"


def _types(events: Sample, found: Guess) -> Iterator[str]:
    if not found.types:
        return
    yield "  # What an event of each type counts: 0 is shown and not taken, more is the grade."
    yield "  # Types that are not named here are left out."
    yield "  events:"
    for name, each in found.types.items():
        share = f"{each.count:,} of {events.rows:,} rows"
        if each.grade is None:
            yield f"    # {_remark(name)}: left out; {share}; {each.why}"
        else:
            yield f"    {_quoted(name)}: {each.grade}  # {share}; {each.why}"


def _remark(text: str) -> str:
    return plain(text, 200)
