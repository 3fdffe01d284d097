"""The data set that a stored run was asked about."""

from __future__ import annotations

from collections.abc import Callable

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.locate import card_names
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
        name_or_path: where the data set is, if not under the name that the run knows it by.
        notify: is called with each line worth telling the user.

    Raises:
        InputError: it cannot be found, or is not the version that the run was asked about.
        BenchmarkError: the run states its digests, and was asked other requests.
    """
    info = run.info
    name = name_or_path or info["dataset"]
    if name_or_path is None and name not in card_names():
        raise InputError(f"{run.folder}: its data set {name} is no card's; say by --dataset where")
    data = load_dataset(name, seen=info["seen"], leakage=info["leakage"], notify=notify)
    for what, found, expected in (
        ("data", data.digest, info["dataset_digest"]),
        ("candidates", data.candidates_digest, info["candidates_digest"]),
    ):
        if found != expected:
            raise InputError(
                f"--dataset {name}: its {what} ({found[:12]}…) are not those of {run.folder}"
                f" ({expected[:12]}…); name the data set that the run was asked about"
            )
    check_asked(run, data)
    return data
