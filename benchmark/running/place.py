"""The place of one run: its record and its checkpoints, which one process at a time writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BenchmarkError
from benchmark.folders import discard, prune, standing
from benchmark.locks import locked
from benchmark.names import below
from benchmark.remarks import remark
from benchmark.results.record import RunRecord, read_run, run_folder

__all__ = ["RunPlace"]


@dataclass(frozen=True)
class RunPlace:
    """Where a run is kept, and what is there already.

    Attributes:
        results: the folder that holds ``runs/`` and ``checkpoints/``.
        folder: of the record.
        checkpoints: their folder.
        fresh: whether what is there counts for nothing.
    """

    results: Path
    folder: Path
    checkpoints: Path
    fresh: bool

    @classmethod
    def of(cls, results: Path, dataset: str, model: str, run_id: str, *, fresh: bool) -> RunPlace:
        """Return the place of a run by its names."""
        names = dataset, model, run_id
        return cls(
            results, run_folder(results, *names), below(results / "checkpoints", *names), fresh
        )

    def found(self) -> RunRecord | None:
        """Return the whole record that is there, whoever else is at work; nothing is told."""
        record = None if self.fresh else _stored(self.folder, lambda line: None)
        if record is not None:
            self.forget()
        return record

    def found_alone(self) -> RunRecord | None:
        """Return the record to whoever holds the place, telling of one that is damaged.

        If the run is to be fresh its checkpoints go.
        """
        if self.fresh:
            discard(self.checkpoints)
            return None
        return _stored(self.folder, remark)

    def forget(self) -> None:
        """Remove what a stored run no longer needs, unless somebody runs it anew."""
        if self.checkpoints.exists():
            with suppress(BenchmarkError), self.alone(0):
                discard(self.checkpoints)

    @contextmanager
    def alone(self, wait: float) -> Iterator[None]:
        """Lock the checkpoints, and leave no empty folders around them.

        Args:
            wait: seconds to wait for another process that holds them.

        Raises:
            BusyError: it goes on holding them.
        """
        try:
            with locked(self.checkpoints, wait):
                yield
        finally:
            prune(self.checkpoints.parent, self.results)


def _stored(folder: Path, tell: Callable[[str], None]) -> RunRecord | None:
    """Return the run that is stored, if it is whole."""
    if not standing(folder).exists():
        return None
    try:
        return read_run(folder)
    except BenchmarkError as error:
        tell(f"{error}; it is run again")
        return None
