"""Where cards and files lie: from a name or a folder to a card and the folder of its files.

A card may be anybody's. It is read as data and runs nothing; the files that it names lie below its
folder, or where ``location`` may point.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from benchmark.data.card import Card, read_card
from benchmark.data.inferred_card import bare_card
from benchmark.data.packages import package_folder
from benchmark.errors import InputError, did_you_mean
from benchmark.names import check_name, inside
from benchmark.plain_text import plain

__all__ = [
    "Notify",
    "card_names",
    "cards_folder",
    "data_folder",
    "no_cards",
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


def data_folder(card: Card, folder: Path | None) -> Path:
    """Return the folder of a card's files.

    Args:
        card: the card.
        folder: the card's own folder, used where the card gives no location.

    Raises:
        InputError: the package or the folder is not there, or may not be named by this card; the
            message says where to put it.
    """
    where, own = card.location, folder or Path()
    if where is None:
        return own
    if where.package:
        installed = package_folder(where.package)
        if installed is None:
            top = where.package.partition(".")[0]
            raise InputError(
                f"data set '{card.name}' lies in the package '{where.package}', which is not "
                f"installed; if you trust it, run: pip install {top}"
            )
        return inside(installed, where.path)
    tried = [_beside(where.path) if _is_ours(own) else inside(own, where.path)]
    if base := os.environ.get("BENCHMARK_DATA"):
        tried.insert(0, Path(base) / check_name(card.name, "name"))  # may be a link
    for place in tried:
        if place.is_dir():
            return place
    names = ", ".join(plain(f.name, 80) for f in card.files.values())
    raise InputError(
        f"data set '{card.name}': no folder {plain(os.path.normpath(tried[-1]))}; put {names} "
        f"there, or into a folder {card.name}/ of the folder that $BENCHMARK_DATA names"
    )


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
        InputError: neither a card's name nor a folder, a wrong card, or a record of a run.
    """
    try:
        return _resolve(name_or_path, notify)
    except (OSError, RuntimeError, ValueError) as error:  # ~nobody, a circle of links, a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"--dataset {plain(str(name_or_path), 200)}: cannot be read: {reason}"
        ) from None


def _resolve(name_or_path: str | Path, notify: Notify) -> tuple[Card, Path]:
    text = str(name_or_path)
    if not isinstance(name_or_path, Path) and text in card_names():
        folder = cards_folder() / text
        card = read_card(folder / "card.yaml")
        return card, data_folder(card, folder)
    path, shown = Path(text).expanduser(), f"--dataset {plain(text, 200)}"
    if any(_is_record(each) for each in (path.resolve(), *path.resolve().parents)):
        raise InputError(f"{shown}: is a record of a run; name the folder of its data set")
    if os.path.lexists(path / "card.yaml"):
        card = read_card(inside(path, "card.yaml"))
        return card, data_folder(card, path)
    if path.is_dir():
        return bare_card(path.resolve(), card_names(), notify), path.resolve()
    if path.exists():
        raise InputError(f"{shown}: is a file; name the folder that holds it")
    if re.search(r"[/\\]", text) or isinstance(name_or_path, Path):
        raise InputError(f"{shown}: no such folder")
    names = card_names()
    hint = did_you_mean(text, names) if names else f": {no_cards()}"
    raise InputError(f"unknown data set '{plain(text, 200)}'{hint}")


def _is_record(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("run.json", "checksums.json"))


def _is_ours(folder: Path) -> bool:
    """Return whether a card lies in the folder of cards, which its user chose."""
    return folder.resolve().parent == cards_folder().resolve()


def _beside(path: str) -> Path:
    """Return a path from the repository's root, which may lead to the root's neighbours."""
    root = repository_root()
    place = Path(os.path.normpath(root / path))
    if not place.is_relative_to(root.parent) or Path(path).is_absolute():
        raise InputError(f"location.path {plain(path, 80)}: leads further than beside {root}")
    return place
