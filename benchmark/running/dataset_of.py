"""The data set that a stored run was asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmark.data.cache import cache_folder
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.locate import card_names
from benchmark.data.places import place_of
from benchmark.errors import InputError
from benchmark.results.asked_of import check_asked
from benchmark.results.record import RunRecord

__all__ = ["dataset_of"]


def dataset_of(
    run: RunRecord, name_or_path: str | None = None, notify: Callable[[str], object] | None = None
) -> Dataset:
    """Load the data set of a run, under the same rules.

    Args:
        run: the stored run.
        name_or_path: a card's name or a folder; if it is not given, the folder that the data were
            loaded from on this machine, or the card that the run names. A run names no folder.
        notify: is called with each line worth telling the user.

    Raises:
        InputError: it cannot be found, or is not the version that the run was asked about.
        BenchmarkError: the run states its digests, and was asked other requests.
    """
    info = run.info
    place = _place(run) if name_or_path is None else name_or_path
    data = load_dataset(place, seen=info["seen"], leakage=info["leakage"], notify=notify)
    for what, found, expected in (
        ("data", data.digest, info["dataset_digest"]),
        ("candidates", data.candidates_digest, info["candidates_digest"]),
    ):
        if found != expected:
            raise InputError(
                f"{place}: its {what} ({found[:12]}…) are not those of {run.folder}"
                f" ({expected[:12]}…); name the data set that the run was asked about by --dataset"
            )
    check_asked(run, data)
    return data


def _place(run: RunRecord) -> Path | str:
    name: str = run.info["dataset"]
    folder = place_of(cache_folder(None), run.info["dataset_digest"])
    if folder is not None and folder.is_dir():
        return folder
    if name in card_names():
        return name
    lay = "was never loaded here" if folder is None else f"lay in {folder}, which is gone"
    raise InputError(f"{run.folder}: its data set '{name}' {lay}; name its folder by --dataset")
