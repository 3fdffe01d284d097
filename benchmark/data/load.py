"""Loading: a name or a folder becomes a :class:`~benchmark.data.dataset.Dataset`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.data.cache import cache_folder, entry_of, fetch, store
from benchmark.data.card import Card
from benchmark.data.dataset import DATA_VERSION, Dataset, check_seen, digest_of
from benchmark.data.departures import departures
from benchmark.data.locate import Notify, card_names, resolve, source_files
from benchmark.data.places import remember
from benchmark.data.prepared import Prepared
from benchmark.data.sources.known_files import KnownFiles
from benchmark.data.terms import Leakage, Seen
from benchmark.errors import InputError

__all__ = ["DATA_VERSION", "is_prepared", "load_dataset"]


def load_dataset(
    name_or_path: str | Path,
    *,
    cache: Path | None = None,
    notify: Notify | None = None,
    seen: Seen = "exclude",
    leakage: Leakage | None = None,
    remind: bool = True,
) -> Dataset:
    """Load a data set, preparing it unless the cache holds it.

    Args:
        name_or_path: a card's name, a folder with a ``card.yaml``, or a folder of atomic files.
        cache: folder of prepared data sets; by default ``$BENCHMARK_CACHE`` or the user's own.
        notify: is called with each line worth telling the user.
        seen: whether the full protocol leaves out the history's items, of recommendation or of the
            tasks that the card names. A relevant item that lies in its request's own history then
            is taken out, and a request that has no other is not asked.
        leakage: overrules the card's rule.
        remind: whether to tell again what was chosen and cleaned when the data set was prepared,
            where that was earlier; it is among the notes ever after.

    Raises:
        InputError: an unknown name, a wrong card, or malformed or missing files.
    """
    check_seen(seen)
    tell = notify or (lambda line: None)
    card, folder = resolve(name_or_path, tell)
    asked_as_said = seen == "exclude" and leakage in (None, card.split.leakage)
    if leakage is not None:
        card = card.model_copy(update={"split": card.split.model_copy(update={"leakage": leakage})})
    known = KnownFiles(cache_folder(cache))
    key = _key(card, folder, known)
    found = fetch(cache_folder(cache), card.name, key, tell)
    prepared = found or _prepared(card, folder, key, cache_folder(cache), known, tell)
    _check_frozen(card, prepared.queries_digest)
    for note in prepared.notes if remind or not found else ():
        tell(f"{card.name}: {note}")
    dataset = Dataset.of(card, prepared, key, seen)
    if isinstance(name_or_path, Path) or name_or_path not in card_names():
        remember(cache_folder(cache), dataset.digest, Path(name_or_path).expanduser())
    for line in _not_asked(prepared, dataset):
        tell(f"{card.name}: {line}")
    if card.statistics is not None:
        for line in departures(card.statistics, dataset, asked_as_said):
            tell(f"{card.name}: {line}")
    return dataset


def is_prepared(name_or_path: str | Path, cache: Path | None = None) -> bool:
    """Return whether the cache holds a data set, whose files are looked for and not read twice.

    Raises:
        InputError: as of :func:`load_dataset`.
    """
    card, folder = resolve(name_or_path, lambda line: None)
    key = _key(card, folder, KnownFiles(cache_folder(cache)))
    return entry_of(cache_folder(cache), card.name, key).is_dir()


def _key(card: Card, folder: Path, known: KnownFiles) -> str:
    """Return what the entry of a data set is found by in the cache."""
    sums = _check_files(card, folder, known)
    return digest_of({"version": DATA_VERSION, "card": card.deciding(), "files": sums})


def _not_asked(prepared: Prepared, dataset: Dataset) -> Iterator[str]:
    """Yield a line for each part and task of which requests leave nothing to choose."""
    for (part, task), rows in prepared.requests.items():
        evaluation = dataset.evaluation.get((part, task))
        if evaluation is None:
            yield (
                f"{part} {task}: none is asked, as every request repeats its own history or leaves"
                " no wrong item"
            )
            continue
        left = len(rows.first) - len(evaluation) - evaluation.repeated.requests
        if left:
            yield (
                f"{part} {task}: {left} of {len(rows.first)} requests leave no wrong item to choose"
                " and are not asked"
            )
        taken = evaluation.repeated.targets
        if taken and part == "test" and dataset.about.split == "official":
            yield (
                f"{part} {task}: {taken} of {len(rows.relevant)} items that are officially relevant"
                " stand in their request's history and are left out (seen: exclude); official"
                " figures are those of --seen keep"
            )


def _prepared(
    card: Card, folder: Path, key: str, cache: Path, known: KnownFiles, notify: Notify
) -> Prepared:
    from benchmark.data.prepare import prepare

    made = prepare(card, folder, known.scan)
    store(cache, card.name, key, made, notify)
    return made


def _check_files(card: Card, folder: Path, known: KnownFiles) -> dict[str, str]:
    sums: dict[str, str] = {}
    for kind, path in source_files(card, folder).items():
        source, found = card.files[kind], known.scan(path).sha256
        if source.sha256 is not None and found != source.sha256:
            raise InputError(
                f"{source.name}: checksum {found[:12]}… is not the {source.sha256[:12]}… of card "
                f"'{card.name}'; put the card's version of the file into {folder}"
            )
        sums[kind] = found
    return sums


def _check_frozen(card: Card, digest: str) -> None:
    if card.digests.queries is not None and digest != card.digests.queries:
        raise InputError(
            f"card '{card.name}': the simulated queries ({digest[:12]}…) differ from the frozen "
            f"ones ({card.digests.queries[:12]}…); restore the protocol, or renew digests.queries"
        )
